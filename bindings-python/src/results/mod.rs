//! What calls return: small, immutable objects that show no customer data, can be compared and can
//! be pickled. Their fields are those of the core's tables.
//!
//! `records` uses `native`, and `native` uses `fields`.

#[macro_use]
mod fields;

mod native;
mod records;

pub use native::{Problem, Receipt, Ticket, Validation};
pub use records::{record, value};
