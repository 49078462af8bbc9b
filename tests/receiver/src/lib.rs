//! The loopback server for the scenarios of every language, the demo and the benches.
//!
//! It listens on 127.0.0.1 (plain, TLS with a valid and several invalid certificates, proxies), records
//! each request, and responds as the path of the endpoint says, faults included. It uses threads and
//! raw sockets, so that every fault is exact to the byte.
//!
//! `server` accepts connections and hands each to `connection`, which uses `proxy`, `control` and
//! `response`; all of them use `shared`, and `shared` uses the records, scripts, counters and tunnels.

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
mod shared;
mod stats;
mod stream;
mod tunnels;

pub use server::{Options, Receiver};
