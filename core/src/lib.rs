//! Order status reporting for Katalys (an affiliate network, formerly RevOffers): tells it from
//! a shop's server what became of an order.
//!
//! An update passes through three modules: [`order`] checks and encodes it, `queue` keeps it until
//! its turn, `delivery` sends it. [`Client`] is the interface to them; the packages for Python, Node,
//! PHP and C are thin bindings to it.

pub mod config;
pub mod order;
pub mod testing;

mod client;
mod delivery;
mod error;
mod interrupt;
mod queue;
mod thread;

pub use client::Ticket;
pub use client::{Client, Receipt, Submission, Validation};
pub use config::{Language, WorkingFolder};
pub use delivery::{Answer, ProxyChoice, RouteChoice};
pub use error::{Error, ErrorCode, ErrorKind};
pub use interrupt::watched;
pub use order::{Call, Checked, Code, Fields, Problem, Severity, Value};
pub use queue::outbox::{
    DeadLetter, Event, EventKind, OutboxReader, OutboxReport, PendingUpdate, RepairReport, Stats,
    inspect as inspect_outbox, repair as repair_outbox,
};
pub use thread::spawn_with_large_stack as spawn_thread;

/// The version of this library, as in the User-Agent.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
