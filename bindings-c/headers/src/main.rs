//! Writes the C header and the plain one that PHP's FFI parser takes, or with `--check` says
//! which of them is stale.
//!
//! `cargo run -p katalys-headers [-- --check]`

mod guide;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

const NOTICE: &str = "Made by cbindgen from bindings-c/src: `make generate` there.";

fn main() -> ExitCode {
    let check = std::env::args()
        .nth(1)
        .is_some_and(|word| word == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let headers = [
        ("include/katalys.h", for_c(&root)),
        ("bindings-php/include/katalys-php.h", for_php(&root)),
    ];
    let mut fresh = true;
    for (path, text) in headers {
        match text.and_then(|text| apply(&root.join(path), &text, check)) {
            Ok(true) => {}
            Ok(false) => {
                eprintln!("{path} is stale; run `make generate` in bindings-c");
                fresh = false;
            }
            Err(error) => {
                eprintln!("{path}: {error}");
                fresh = false;
            }
        }
    }
    ExitCode::from(u8::from(!fresh))
}

/// Writes a header, or tells whether it is what it would be.
fn apply(path: &Path, text: &str, check: bool) -> io::Result<bool> {
    if check {
        return Ok(fs::read_to_string(path)? == text);
    }
    fs::write(path, text)?;
    Ok(true)
}

/// The one for C99 and C++, with all documentation.
fn for_c(root: &Path) -> io::Result<String> {
    let config = Config {
        header: Some(guide::text(NOTICE)),
        include_guard: Some("KATALYS_H".into()),
        sys_includes: vec!["stdbool.h".into(), "stddef.h".into(), "stdint.h".into()],
        cpp_compat: true,
        documentation_style: DocumentationStyle::Doxy,
        ..common()
    };
    let text = generate(
        root,
        &[
            "codes", "fields", "client", "outbox", "letters", "events", "logging", "result",
            "version",
        ],
        config,
    )?;
    // Rust's name for what the caller has to see to.
    Ok(text.replace(" * # Safety\n", " * Conditions:\n"))
}

/// The one for PHP 8.1 and later: no preprocessor, nothing but what the package calls.
fn for_php(root: &Path) -> io::Result<String> {
    let config = Config {
        header: Some(format!("/* {NOTICE} */")),
        after_includes: Some("typedef struct katalys_client katalys_client;".into()),
        documentation: false,
        ..common()
    };
    generate(root, &["version", "php/mod"], config)
}

fn common() -> Config {
    Config {
        language: Language::C,
        style: Style::Type,
        line_length: 96,
        no_includes: true,
        usize_is_size_t: true,
        ..Config::default()
    }
}

fn generate(root: &Path, sources: &[&str], config: Config) -> io::Result<String> {
    let folder = root.join("bindings-c/src");
    let start = Builder::new().with_config(config);
    let builder = sources.iter().fold(start, |builder, source| {
        builder.with_src(folder.join(format!("{source}.rs")))
    });
    let bindings = builder.generate().map_err(io::Error::other)?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    Ok(format!("{}\n", text.trim()))
}
