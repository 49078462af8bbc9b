//! One module per command, apart from the sandbox.

pub mod backfill;
pub mod doctor;
pub mod generated;
pub mod outbox;
pub mod relay;
pub mod send;
pub mod validate;
