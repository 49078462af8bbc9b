//! The loopback server for the scenarios of every language and for the examples.
//!
//! It listens on 127.0.0.1 (plain, TLS with a good and with several bad certificates, proxies),
//! records each request, and answers as the path of the endpoint says, faults included.
//! Threads and raw sockets make every fault exact to the byte.

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
