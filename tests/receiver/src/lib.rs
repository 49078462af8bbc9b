//! The loopback server for the scenarios of every language and for the examples.
//!
//! It listens on 127.0.0.1 (plain, TLS with a good and with several bad certificates, proxies),
//! records each request, and answers as the path of the endpoint says, faults included.
//! Threads and raw sockets make every fault exact to the byte.
//!
//! `server` accepts connections and hands each to `connection`, which uses `proxy`, `control` and
//! `answer`; all of them use `shared`, and `shared` uses the records, scripts, counters and tunnels.

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
mod shared;
mod stats;
mod stream;
mod tunnels;

pub use server::{Options, Receiver};
