//! The loopback server that every language's scenarios, the demo and the benches send to.
//!
//! It listens on 127.0.0.1 (plain, TLS with a good and with several bad certificates, proxies),
//! records each request, and answers as the path of the endpoint tells it to, faults included.
//! Threads and raw sockets keep every fault exact to the byte.

mod answer;
mod certificates;
mod connection;
mod control;
mod http;
mod print;
mod proxy;
mod record;
mod script;
mod server;
mod stats;
mod stream;

pub use server::{Options, Receiver};
