//! Notifies systemd of the service's state (`sd_notify`).

use std::ffi::OsString;

/// The service manager's socket, if there is one.
pub struct ServiceManager(Option<OsString>);

impl ServiceManager {
    pub fn from_environment() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()))
    }

    /// Sends a notification, if there is a service manager; errors are ignored.
    #[cfg(target_os = "linux")]
    pub fn notify(&self, state: &str) {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let Some(name) = &self.0 else { return };
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
            _ => SocketAddr::from_pathname(name),
        };
        if let (Ok(socket), Ok(address)) = (UnixDatagram::unbound(), address) {
            let _ = socket.send_to_addr(state.as_bytes(), &address);
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn notify(&self, _state: &str) {
        debug_assert!(self.0.is_none());
    }
}
