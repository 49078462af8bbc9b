//! How an update gets to the endpoint: one attempt over HTTP, the decision to try again, and
//! the threads that do it in the background.

mod answer;
mod attempt;
mod connection;
mod contained;
mod idle;
mod message;
mod opener;
mod pool;
mod probe;
mod proxy;
mod resolver;
mod tls;
mod transport;
mod trust;

pub(crate) use answer::LONGEST_RETRY_AFTER;
pub(crate) use attempt::{Attempts, Jitter, Step};
pub(crate) use attempt::{code_of_answer, code_of_failure};
pub(crate) use pool::{Completion, Engine, Job, Pool};
pub use probe::{Answer, ProxyChoice, RouteChoice};
pub(crate) use proxy::{has_usable_port, is_loopback};
pub(crate) use transport::Outcome;
pub(crate) use transport::{Route, RouteError, Transport};
