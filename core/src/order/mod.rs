//! An order update: its fields, the rules that check them, and the payload that is sent.
//!
//! Where a rule is:
//!
//! | a rule about | is in |
//! |---|---|
//! | which fields exist, their kind, their order in the payload, whether they are required | `fields.rs` |
//! | the code, the severity and the message of a problem | `problem.rs` |
//! | keys: names, numbered keys, misspellings, custom keys | `key.rs` |
//! | one value: amounts, counts, quantities | `rules/amount.rs` |
//! | one value: times | `rules/time.rs` |
//! | one value: text, control characters, blanks | `rules/text.rs` |
//! | one value: `site_id`, `order_id` | `rules/identifier.rs` |
//! | one value: IP and email addresses | `rules/customer.rs` |
//! | one value: currencies, countries | `rules/iso.rs` |
//! | one value: `order_status` | `rules/status.rs` |
//! | a record: which of its fields have to be given | `rules/record.rs` |
//! | records: their numbering | `rules/numbering.rs` |
//! | several fields: required ones, contradictions | `rules/across.rs` |
//! | the lane, the ordering key of an order | `lane.rs` |
//! | which rule a kind has, and how a value is written | `encoder.rs` |
//! | the form of the payload and its maximum size | `payload.rs` |
//! | fields that are given as JSON text | `json/` |
//! | fields that are left out with `invalid = "drop"` | `findings.rs` |
//!
//! A module uses only modules to its right:
//! `check → checked, lane, records → encoder → findings, payload, key, rules → fields, problem, value`;
//! `json` uses `value`.

mod check;
mod checked;
mod encoder;
pub mod fields;
mod findings;
mod json;
mod key;
mod lane;
mod payload;
mod problem;
mod records;
mod rules;
mod value;

pub use check::{Call, MAX_KEYS};
pub use checked::Checked;
pub use fields::Stage;
pub use json::{JsonError, JsonErrorKind, fields_from_json};
pub use problem::{Code, Problem, Severity};
pub use rules::text::visible;
pub use value::{Fields, Value};

pub(crate) use check::{Context, check};
pub(crate) use findings::Invalid;
