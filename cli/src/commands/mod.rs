//! One module per command; the sandbox has its own module.

pub mod backfill;
pub mod doctor;
pub mod generated;
pub mod outbox;
pub mod relay;
pub mod send;
pub mod validate;
