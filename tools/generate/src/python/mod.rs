//! The types of the Python package: what calls take in `fields`, what they return in `results`,
//! what they raise in `errors`. Each of the three uses `docstring`, and none uses another.

mod docstring;
mod errors;
mod fields;
mod results;

pub(crate) use errors::{builtin_base, classes as error_classes};
pub(crate) use fields::types as fields;
pub(crate) use results::{classes as result_classes, native_fields, stubs as result_stubs};
