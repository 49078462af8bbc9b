//! Order status reporting for Katalys (an affiliate network, formerly `RevOffers`) from a shop's
//! server.
//!
//! [`order`] checks and encodes an update, `queue` holds it until it can be sent, `delivery` sends it in
//! one HTTP exchange, and `pipeline` moves it from one to the next. [`Client`] is the interface to them;
//! the packages for Python, Node, PHP and C are thin bindings to it.

pub mod config;
pub mod order;
pub mod results;
pub mod testing;

mod address;
mod client;
mod delivery;
mod error;
mod interrupt;
mod language;
mod pipeline;
mod queue;
mod table;
mod thread;

#[doc(hidden)]
pub use client::bridge;
pub use client::{Client, Submission};
pub use config::{Language, WorkingFolder};
pub use delivery::{Answer, ProxyChoice, RouteChoice};
pub use error::{Error, ErrorCode, ErrorKind, ErrorProperty};
pub use interrupt::watched;
pub use order::{Call, Checked, Code, Fields, Problem, Severity, Value};
pub use queue::sqlite::{
    OutboxReader, OutboxReport, RepairReport, inspect as inspect_outbox, repair as repair_outbox,
};
pub use results::{
    DeadLetter, Event, EventKind, PendingUpdate, Receipt, Stats, Ticket, Validation,
};
pub use thread::spawn_with_large_stack as spawn_thread;

/// The version of this library, as in the User-Agent.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
