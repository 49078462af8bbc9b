//! Writes Python docstrings.

use crate::text::wrap;

/// A docstring, indented for the body of a class.
pub(super) fn docstring(text: &str) -> String {
    let text = wrap(text, 88).join("\n    ");
    format!("    \"\"\"{text}\"\"\"\n")
}
