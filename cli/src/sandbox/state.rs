//! The state of the server.

use super::faults::Faults;
use super::store::Store;
use tokio::sync::watch;

/// What all parts of the server share.
pub struct App {
    pub store: Store,
    pub faults: Faults,
    /// The endpoint's URL, for clients.
    pub endpoint: String,
    /// True as soon as the sandbox shuts down.
    pub closing: watch::Receiver<bool>,
}
