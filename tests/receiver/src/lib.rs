//! The loopback server for the scenarios of every language, the demo and the benches.
//!
//! It listens on 127.0.0.1 (plain, TLS with a valid and several invalid certificates, proxies), records
//! each request, and responds as the path of the endpoint says, faults included. It uses threads and
//! raw sockets, so that every fault is exact to the byte.

mod certificates;
mod connection;
mod control;
mod http;
mod print;
mod proxy;
mod record;
mod response;
mod script;
mod server;
mod stats;
mod stream;

pub use server::{Options, Receiver};
