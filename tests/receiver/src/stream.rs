//! An accepted connection, plain or TLS, with the ways to close it that faults need.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// How long a proper close waits until the client has read the response.
const LINGER: Duration = Duration::from_millis(500);

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Completes the TLS handshake, so that its failure is distinct from that of a request.
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

    /// Closes with RST; unread and unsent bytes are discarded.
    pub fn reset(self) {
        // On failure the connection ends with FIN, which the test detects.
        let _ = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }

    /// Closes with FIN and without a TLS `close_notify`, like a server that crashed.
    pub fn close(self) {
        drop(self);
    }

    /// Closes properly: TLS `close_notify`, FIN, then waits until the client has read everything.
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

    /// Discards all input until the client closes or the connection breaks.
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
