//! Tells systemd how the service is (`sd_notify`), where there is one.

use std::ffi::OsString;

/// The service manager's socket.
pub struct Manager(Option<OsString>);

impl Manager {
    pub fn from_environment() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()))
    }

    /// Sends a notification; a manager that does not listen misses it.
    #[cfg(target_os = "linux")]
    pub fn tell(&self, what: &str) {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let Some(name) = &self.0 else { return };
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
            _ => SocketAddr::from_pathname(name),
        };
        if let (Ok(socket), Ok(address)) = (UnixDatagram::unbound(), address) {
            let _ = socket.send_to_addr(what.as_bytes(), &address);
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn tell(&self, _what: &str) {
        debug_assert!(self.0.is_none());
    }
}
