//! One HTTP exchange with the endpoint: the route, its connections, the request and the answer.
//!
//! A module uses only modules to its right: `probe → transport → exchange, idle, opener →
//! containment, message, proxy, tls → connection, trust → answer, failure, resolver, route`.

mod answer;
mod connection;
mod containment;
mod exchange;
mod failure;
mod idle;
mod message;
mod opener;
mod probe;
mod proxy;
mod resolver;
mod route;
mod tls;
mod transport;
mod trust;

pub(crate) use answer::{AnswerClass, LONGEST_RETRY_AFTER};
pub(crate) use exchange::ExchangeOutcome;
pub use probe::{Answer, ProxyChoice, RouteChoice};
pub(crate) use route::{Route, RouteError};
pub(crate) use transport::Transport;
