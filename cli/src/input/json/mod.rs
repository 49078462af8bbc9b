//! Reads JSON: one object per line, or one object or an array of objects, over any number of lines.
//!
//! `reader` uses `brackets` to find the end of an object.

mod brackets;
mod reader;

pub use reader::JsonReader;
