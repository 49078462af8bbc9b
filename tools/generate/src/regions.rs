//! Generated parts of pages that are otherwise written by hand. A region stands between two comments:
//!
//! ```text
//! <!-- generated: NAME [LANGUAGE] -->
//! …
//! <!-- end -->
//! ```
//!
//! `NAME` is one of `tables`; `LANGUAGE` decides the spelling.

use crate::tables;
use katalys_core::Language;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

const START: &str = "<!-- generated: ";
const START_END: &str = " -->\n";
const END: &str = "<!-- end -->";

/// Every page that may have regions: those of these folders, and of the folders right below the root.
const FOLDERS: &[&str] = &[".", "docs"];

/// The pages with regions.
pub(crate) fn pages(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for folder in FOLDERS {
        pages.extend(markdown_files(&root.join(folder))?);
    }
    for entry in fs::read_dir(root)? {
        let readme = entry?.path().join("README.md");
        if readme.is_file() {
            pages.push(readme);
        }
    }
    pages.sort();
    Ok(pages)
}

/// A page with its regions as they should be.
///
/// # Errors
/// A region has no end, or a name or language that does not exist.
pub(crate) fn fill(page: &str) -> Result<String, String> {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, region)) = rest.split_once(START) {
        let (head, body) = region
            .split_once(START_END)
            .ok_or("a region's comment does not end with its line")?;
        let (_, after) = body
            .split_once(END)
            .ok_or_else(|| format!("the region `{head}` has no end"))?;
        out += before;
        let _ = write!(out, "{START}{head}{START_END}\n{}\n{END}", table(head)?);
        rest = after;
    }
    Ok(out + rest)
}

fn table(head: &str) -> Result<String, String> {
    let (name, language) = head.split_once(' ').unwrap_or((head, "rust"));
    let language = LANGUAGES
        .iter()
        .find(|known| known.as_str() == language)
        .ok_or_else(|| format!("the region `{head}` has an unknown language"))?;
    let table = tables::table(name, *language);
    table.ok_or_else(|| format!("there is no table for the region `{head}`"))
}

const LANGUAGES: &[Language] = &[
    Language::Rust,
    Language::Python,
    Language::Node,
    Language::Php,
    Language::C,
    Language::Cli,
];

fn markdown_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("md")) {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_replaced_and_the_rest_is_kept() {
        let page = "Before\n<!-- generated: event-kinds -->\nold\n<!-- end -->\nAfter\n";
        let filled = fill(page).unwrap();
        assert!(filled.starts_with("Before\n<!-- generated: event-kinds -->\n\n| kind "));
        assert!(filled.ends_with("|\n\n<!-- end -->\nAfter\n"));
        assert!(!filled.contains("old"));
        assert_eq!(
            fill(&filled).unwrap(),
            filled,
            "filling twice changes nothing"
        );
    }

    #[test]
    fn names_are_spelled_as_in_the_language() {
        let page = "<!-- generated: dead-letter node -->\n<!-- end -->";
        assert!(fill(page).unwrap().contains("| `diedAt` |"));
    }

    #[test]
    fn a_mistake_is_an_error() {
        for page in [
            "<!-- generated: nothing -->\n<!-- end -->",
            "<!-- generated: stats cobol -->\n<!-- end -->",
            "<!-- generated: stats -->\n",
        ] {
            fill(page).unwrap_err();
        }
    }
}
