//! One HTTP exchange with the endpoint: the route, its connections, the request and the answer.

mod answer;
mod connection;
mod contained;
mod idle;
mod message;
mod opener;
mod probe;
mod proxy;
mod resolver;
mod tls;
mod transport;
mod trust;

pub(crate) use answer::{Class, LONGEST_RETRY_AFTER};
pub use probe::{Answer, ProxyChoice, RouteChoice};
pub(crate) use transport::Outcome;
pub(crate) use transport::{Route, RouteError, Transport};
