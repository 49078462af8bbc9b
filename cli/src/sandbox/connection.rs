//! Resets a connection for a fault.

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Allows a handler to reset its connection.
#[derive(Default)]
pub struct Connection {
    reset: Notify,
}

impl Connection {
    pub fn reset(&self) {
        self.reset.notify_one();
    }

    /// Completes when a handler resets the connection.
    pub fn on_reset(&self) -> Notified<'_> {
        self.reset.notified()
    }
}
