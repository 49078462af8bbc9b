//! Order status reporting for Katalys (an affiliate network, formerly RevOffers): tells it from
//! a shop's server what became of an order.
//!
//! An update flows through three rooms: what it says ([`order`]), where it waits (`queue`), how
//! it gets there (`delivery`). [`Client`] is the door; the packages for Python, Node, PHP and C
//! are thin doors in front of it.

pub mod config;
pub mod order;
pub mod testing;

mod client;
mod delivery;
mod error;
mod queue;
mod thread;

pub use client::Ticket;
pub use client::{Client, Receipt, Submission, Validation};
pub use config::{Language, WorkingFolder};
pub use delivery::{Answer, ProxyChoice, RouteChoice};
pub use error::{Error, ErrorCode, ErrorKind};
pub use order::{Call, Checked, Code, Fields, Problem, Severity, Value};
pub use queue::outbox::{
    DeadLetter, Event, EventKind, OutboxReader, OutboxReport, PendingUpdate, Stats,
    inspect as inspect_outbox,
};
pub use thread::spawn_with_large_stack as spawn_thread;

/// The version of this library, as in the User-Agent.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
