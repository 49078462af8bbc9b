//! The C interface of [`katalys_core`]: opaque handles, stable numbers, and no panic that
//! crosses it. `include/katalys.h` is generated from these files and contains their documentation.
//!
//! Modules use only those to their left: `guard, input, value, codes, bounded, gate → outcome → result
//! → fields, handle, stats, dead_letters, event → exit → shared → client, outbox, observe, logging →
//! php`; `*_fields` are generated accessors of the module they are named after.

#![allow(non_camel_case_types, reason = "the names C sees")]

pub mod client;
#[allow(
    clippy::match_same_arms,
    reason = "a code that is new to the table is internal, too"
)]
pub mod codes;
pub mod dead_letters;
pub mod dead_letters_fields;
pub mod event;
pub mod event_fields;
pub mod fields;
pub mod handle;
pub mod logging;
pub mod observe;
pub mod outbox;
pub mod php;
pub mod result;
pub mod result_fields;
pub mod stats;
pub mod stats_fields;
pub mod version;

mod bounded;
mod exit;
mod gate;
mod guard;
mod input;
mod outcome;
mod shared;
mod value;
