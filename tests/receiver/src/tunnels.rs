//! The open tunnels of the proxy listeners.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;

/// By local port, to detect requests that come through a tunnel.
#[derive(Default)]
pub struct Tunnels {
    by_local_port: Mutex<HashMap<u16, &'static str>>,
}

impl Tunnels {
    /// The proxy listener whose tunnel a connection from `peer` uses.
    pub fn via(&self, peer: SocketAddr) -> Option<&'static str> {
        self.by_local_port
            .lock()
            .expect("no holder panics")
            .get(&peer.port())
            .copied()
    }

    pub fn open(&self, port: u16, listener: &'static str) {
        self.by_local_port
            .lock()
            .expect("no holder panics")
            .insert(port, listener);
    }

    pub fn close(&self, port: u16) {
        self.by_local_port
            .lock()
            .expect("no holder panics")
            .remove(&port);
    }
}
