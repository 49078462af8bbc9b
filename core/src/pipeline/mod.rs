//! Moves updates: attempts and their policies, threads, the circuit breaker, events, the outbox.
//!
//! ```text
//! direct      outbox
//!    \       /      \
//!   workers  breaker  events
//!       \    /
//!        call
//!         |
//!   attempt, link
//!         |
//!       policy
//! ```

mod attempt;
mod breaker;
mod call;
mod direct;
mod events;
mod link;
mod outbox;
mod policy;
mod workers;

pub(crate) use call::CallProgress;
pub(crate) use direct::Direct;
pub(crate) use events::ObserverSlot;
pub(crate) use link::Link;
pub(crate) use outbox::{Completion, Outbox, PendingEnqueue};
pub(crate) use workers::Job;
