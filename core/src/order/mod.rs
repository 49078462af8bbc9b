//! What an order update says: the field table, the rules, and the payload that leaves.

mod check;
pub mod fields;
mod json;
mod key;
mod payload;
mod problem;
mod records;
mod rules;
mod value;
mod write;

pub use check::{Call, Checked, MAX_KEYS};
pub use fields::Stage;
pub use json::{JsonError, JsonErrorKind, fields_from_json};
pub use problem::{Code, Problem, Severity};
pub use rules::text::visible;
pub use value::{Fields, Value};

pub(crate) use check::{Context, Invalid, check};
