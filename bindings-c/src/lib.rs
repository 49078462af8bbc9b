//! The C interface of [`katalys_core`]: opaque handles, stable numbers, and no panic that
//! crosses it. `include/katalys.h` is generated from these files and holds their documentation.

#![allow(non_camel_case_types, reason = "the names C sees")]

pub mod client;
#[allow(
    clippy::match_same_arms,
    reason = "a code that is new to the table is internal, too"
)]
pub mod codes;
pub mod events;
pub mod fields;
pub mod letters;
pub mod logging;
pub mod outbox;
pub mod php;
pub mod result;
pub mod version;

mod exit;
mod guard;
mod input;
mod kept;
mod shared;
