//! Names the files that a backfill keeps beside its input.

use std::path::{Path, PathBuf};

/// The path of a related file in the same folder: `orders.csv` and `refused` give
/// `orders.refused.csv`.
pub fn sibling(path: &Path, what: &str, extension: Option<&str>) -> PathBuf {
    let own = path.extension().and_then(|extension| extension.to_str());
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    if let Some(extension) = extension.or(own) {
        name.push(format!(".{extension}"));
    }
    path.with_file_name(name)
}
