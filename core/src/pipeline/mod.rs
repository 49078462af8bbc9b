//! Moves updates: attempts and their policy, threads, the circuit breaker, events, the outbox.

mod attempt;
mod breaker;
mod events;
pub(crate) mod outbox;
mod route;
mod workers;

pub(crate) use attempt::{Attempts, Jitter, Step};
pub(crate) use events::ObserverPlace;
pub(crate) use route::{open_route, problems_of_route};
pub(crate) use workers::{Engine, Job, Pool};
