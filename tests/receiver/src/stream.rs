//! One accepted connection, plain or TLS, with the ways of ending it that the faults need.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// How long a graceful shutdown waits until the client has read the answer.
const LINGER: Duration = Duration::from_millis(500);

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Completes the TLS handshake, to distinguish a failed handshake from a failed request.
    pub fn accept_tls(mut socket: TcpStream, config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut session = ServerConnection::new(config).map_err(io::Error::other)?;
        while session.is_handshaking() {
            let (read, written) = session.complete_io(&mut socket)?;
            if read == 0 && written == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.sock,
        }
    }

    /// Ends with RST: discards all unread and unsent bytes.
    pub fn reset(self) {
        // If this fails, the client receives FIN instead of RST, and the test fails.
        let _ = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }

    /// Ends with FIN after the written bytes, without a TLS `close_notify`: a server that disappears.
    pub fn close(self) {
        drop(self);
    }

    /// Ends as a healthy server does: TLS `close_notify`, FIN, then waits until the client has read.
    pub fn finish(mut self) {
        if let Self::Tls(tls) = &mut self {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        let socket = self.socket();
        if socket.shutdown(Shutdown::Write).is_ok() && socket.set_read_timeout(Some(LINGER)).is_ok()
        {
            self.discard_until_end();
        }
    }

    /// Reads and discards input until the client closes the connection, or it breaks.
    pub fn discard_until_end(&mut self) {
        let mut discarded = [0; 4096];
        while self.read(&mut discarded).is_ok_and(|length| length > 0) {}
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
