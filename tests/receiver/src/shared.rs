//! The state that the listeners and their connections share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustls::ServerConfig;

use crate::print::Printer;
use crate::record::Records;
use crate::script::Scripts;
use crate::stats::Stats;
use crate::tunnels::Tunnels;

/// A name of this machine that only the proxies resolve.
pub const PROXIED_NAME: &str = "endpoint.test";

/// How a listener handles its connections.
pub enum Role {
    Origin,
    Proxy {
        authorization: Option<&'static str>,
    },
    /// Accepts and reads, but sends nothing: a handshake that hangs.
    Mute,
}

/// One listening port.
pub struct Listener {
    pub name: &'static str,
    pub role: Role,
    pub tls: Option<Arc<ServerConfig>>,
    pub stats: Stats,
    pub port: u16,
}

/// What all connections share.
pub struct Shared {
    pub listeners: Vec<Arc<Listener>>,
    pub records: Option<Records>,
    pub printer: Option<Printer>,
    pub scripts: Scripts,
    pub tunnels: Tunnels,
    pub connections: AtomicU64,
}
