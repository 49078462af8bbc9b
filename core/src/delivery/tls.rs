//! TLS over an open connection. rustls gets one record at a time, so that unread input is always
//! visible: what is not decrypted yet is still in the buffer of the connection below.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ALL_VERSIONS, ClientConfig, ClientConnection, IoState};
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::connection::{BUFFER_SIZE, Connection, UNLIMITED};
use super::trust::Trust;
use crate::address::bare;

/// Sets up TLS connections that trust the authorities of one route.
pub(crate) struct TlsConnector {
    trust: Arc<Trust>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl TlsConnector {
    pub(crate) fn new(trust: Arc<Trust>) -> Self {
        let config = OnceLock::new();
        Self { trust, config }
    }

    /// Performs the handshake with `host` over a connection to it.
    pub(crate) fn secure(
        &self,
        host: &str,
        below: Connection,
        timeout: NextTimeout,
    ) -> Result<TlsConnection, Error> {
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| Error::Tls("the host is not a name that a certificate can have"))?;
        let mut tls = ClientConnection::new(self.config()?, name).map_err(Error::Rustls)?;
        let mut records = Records::over(below, timeout);
        tls.complete_io(&mut records)?;
        Ok(TlsConnection {
            buffers: LazyBuffers::new(BUFFER_SIZE, BUFFER_SIZE),
            tls,
            records,
        })
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(ALL_VERSIONS)
            .map_err(Error::Rustls)?
            .with_root_certificates(self.trust.roots())
            .with_no_client_auth();
        Ok(Arc::clone(self.config.get_or_init(|| Arc::new(config))))
    }
}

/// A connection over TLS.
pub(crate) struct TlsConnection {
    buffers: LazyBuffers,
    tls: ClientConnection,
    records: Records,
}

/// How long to wait for the rest of a record that arrived in part between two requests.
pub(crate) const REST_OF_RECORD: Duration = Duration::from_millis(20);

/// A connection with more records than this between two requests is closed.
const MAX_UNEXPECTED_RECORDS: usize = 16;

impl TlsConnection {
    /// Passes one record, or the part that has arrived, to rustls.
    fn receive(&mut self) -> Result<IoState, Error> {
        self.write_records()?;
        self.tls.read_tls(&mut self.records)?;
        self.tls.process_new_packets().map_err(Error::Rustls)
    }

    fn write_records(&mut self) -> Result<(), Error> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.records)? == 0 {
                return Err(Error::Io(ErrorKind::WriteZero.into()));
            }
        }
        Ok(())
    }

    /// Whether all input is decrypted and read, up to the end of a record.
    fn is_drained(&mut self) -> bool {
        self.buffers.input().is_empty() && self.tls.wants_read() && self.records.is_between()
    }

    /// Processes one message of the TLS protocol, such as a session ticket; false if application data or
    /// the end of the connection arrives instead.
    fn absorb(&mut self) -> bool {
        self.records.allow(NextTimeout {
            after: REST_OF_RECORD.into(),
            reason: Timeout::RecvResponse,
            ..NextTimeout::default()
        });
        let Ok(state) = self.receive() else {
            return false;
        };
        state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() && !self.records.has_ended
    }
}

impl Transport for TlsConnection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.records.allow(timeout);
        let mut written = 0;
        while written < amount {
            let rest = &self.buffers.output()[written..amount];
            written += self.tls.writer().write(rest)?;
            self.write_records()?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.records.allow(timeout);
        loop {
            match self.tls.reader().read(self.buffers.input_append_buf()) {
                Ok(count) => {
                    self.buffers.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Error::Io(error)),
            }
            self.receive()?;
        }
    }

    fn is_open(&mut self) -> bool {
        for _ in 0..MAX_UNEXPECTED_RECORDS {
            if self.is_drained() && self.records.below.is_open() {
                return true;
            }
            if !self.buffers.input().is_empty() || !self.absorb() {
                return false;
            }
        }
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection").finish_non_exhaustive()
    }
}

/// The records of a connection. A read never goes beyond the end of one.
struct Records {
    below: Connection,
    /// The number of bytes of the current record that are still to be read.
    rest: usize,
    until: Instant,
    reason: Timeout,
    has_ended: bool,
}

impl Records {
    fn over(below: Connection, timeout: NextTimeout) -> Self {
        let mut records = Self {
            below,
            rest: 0,
            until: Instant::now(),
            reason: timeout.reason,
            has_ended: false,
        };
        records.allow(timeout);
        records
    }

    /// Sets the deadline of the reads and writes that follow.
    fn allow(&mut self, timeout: NextTimeout) {
        self.until = Instant::now() + (*timeout.after).min(UNLIMITED);
        self.reason = timeout.reason;
    }

    fn left(&self) -> NextTimeout {
        let left = self.until.saturating_duration_since(Instant::now());
        NextTimeout {
            after: left.into(),
            reason: self.reason,
            ..NextTimeout::default()
        }
    }

    /// Whether the last read ended with a record, and no byte of the next one has arrived.
    fn is_between(&mut self) -> bool {
        self.rest == 0 && self.below.buffers().input().is_empty()
    }

    fn await_more(&mut self) -> io::Result<bool> {
        let left = self.left();
        let has_more = self.below.await_input(left).map_err(Error::into_io)?;
        self.has_ended |= !has_more;
        Ok(has_more)
    }

    /// Reads the header of the next record. rustls reports a connection that ends within one.
    fn begin(&mut self) -> io::Result<()> {
        const HEADER: usize = 5;
        loop {
            let input = self.below.buffers().input();
            if let [_, _, _, high, low, ..] = *input {
                self.rest = HEADER + usize::from(u16::from_be_bytes([high, low]));
                return Ok(());
            }
            let begun = input.len();
            if !self.await_more()? {
                self.rest = begun;
                return Ok(());
            }
        }
    }
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest == 0 {
            self.begin()?;
        }
        if self.rest > 0 && self.below.buffers().input().is_empty() && !self.await_more()? {
            return Ok(0);
        }
        let input = self.below.buffers().input();
        let count = self.rest.min(input.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&input[..count]);
        self.below.buffers().input_consume(count);
        self.rest -= count;
        Ok(count)
    }
}

impl Write for Records {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let left = self.left();
        let output = self.below.buffers().output();
        let count = piece.len().min(output.len());
        output[..count].copy_from_slice(&piece[..count]);
        self.below
            .transmit_output(count, left)
            .map_err(Error::into_io)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
