//! A TCP connection for ureq that costs few system calls and keeps an absolute deadline.
//!
//! Against ureq's own: limits are checked against the exchange's deadline on every wake-up, so a
//! peer that trickles bytes gains nothing; socket time limits are set once and only lowered when
//! they must be; a connection's health is asked with one peek, and only when it leaves the pool.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use super::exchange::{self, Peer, Stage};
use super::resolver::Addresses;

/// Opens sockets to the one host of a route: the endpoint's, or its proxy's.
pub(crate) struct SocketConnector {
    addresses: Arc<Addresses>,
    peer: Peer,
}

impl SocketConnector {
    pub(crate) fn new(addresses: Arc<Addresses>, peer: Peer) -> Self {
        Self { addresses, peer }
    }

    fn open(&self, until: Until) -> Result<TcpStream, Error> {
        exchange::face(self.peer);
        exchange::enter(Stage::LookingUp);
        let addresses = self.addresses.current(until.when()).map_err(|error| {
            if error.kind() == ErrorKind::TimedOut {
                Error::Timeout(Timeout::Resolve)
            } else {
                Error::Io(error)
            }
        })?;
        exchange::enter(Stage::Connecting);
        let stream =
            first_to_connect(&addresses, until).inspect_err(|_| self.addresses.expire())?;
        stream.set_nodelay(true)?;
        exchange::enter(Stage::Negotiating);
        Ok(stream)
    }
}

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        tunnel: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(tunnel) = tunnel {
            return Ok(Some(Either::A(tunnel)));
        }
        let stream = self.open(Until::first_of(details.timeout))?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(Socket::new(stream, buffers))))
    }
}

impl fmt::Debug for SocketConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketConnector").finish_non_exhaustive()
    }
}

/// Tries each address in turn, leaving every one after it an equal share of the time.
fn first_to_connect(addresses: &[SocketAddr], until: Until) -> Result<TcpStream, Error> {
    let mut last = Error::Io(ErrorKind::AddrNotAvailable.into());
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = until.left()? / untried.max(1);
        match TcpStream::connect_timeout(address, share.max(SHORTEST)) {
            Ok(stream) => return Ok(stream),
            Err(error) if is_out_of_time(&error) => last = Error::Timeout(Timeout::Connect),
            Err(error) => last = Error::Io(error),
        }
        untried -= 1;
    }
    Err(last)
}

/// The shortest limit that is passed to the system: zero would mean "none".
const SHORTEST: Duration = Duration::from_millis(1);

/// The end of a phase: ureq's own limit or the exchange's deadline, whichever comes first.
#[derive(Clone, Copy)]
struct Until {
    end: Option<Instant>,
    reason: Timeout,
}

impl Until {
    fn first_of(timeout: NextTimeout) -> Self {
        let own = (!timeout.after.is_not_happening()).then(|| Instant::now() + *timeout.after);
        let end = match (own, exchange::deadline()) {
            (Some(own), Some(deadline)) => Some(own.min(deadline)),
            (own, deadline) => own.or(deadline),
        };
        Self {
            end,
            reason: timeout.reason,
        }
    }

    /// The instant itself, far away if there is no limit.
    fn when(self) -> Instant {
        self.end.unwrap_or_else(|| Instant::now() + UNLIMITED)
    }

    /// The time that is left, which is never zero.
    fn left(self) -> Result<Duration, Error> {
        let Some(end) = self.end else {
            return Ok(UNLIMITED);
        };
        match end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Error::Timeout(self.reason)),
            left => Ok(left),
        }
    }
}

/// Stands for "no limit" where the system wants a number.
const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

/// One socket limit as the system knows it, so that it is only set when it has to change.
#[derive(Default)]
struct Patience(Option<Duration>);

impl Patience {
    /// What to set before the first wait, if anything. A limit that is shorter than the time
    /// left does no harm, it only wakes up early; so some slack is left for the requests to
    /// come, whose time will not be the same to the microsecond.
    fn before_waiting(&mut self, left: Duration) -> Option<Duration> {
        match self.0 {
            Some(set) if set <= left => None,
            _ => self.change_to(left - left / 4),
        }
    }

    /// What to set after waking up early: exactly the rest.
    fn after_waking(&mut self, left: Duration) -> Option<Duration> {
        self.change_to(left)
    }

    fn change_to(&mut self, limit: Duration) -> Option<Duration> {
        self.0 = Some(limit.max(SHORTEST));
        self.0
    }
}

/// A connected socket with its buffers.
pub(crate) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
    reading: Patience,
    writing: Patience,
    /// Bytes went over it since its health was last asked for.
    used: bool,
    /// The peer closed it, or it failed.
    ended: bool,
}

impl Socket {
    fn new(stream: TcpStream, buffers: LazyBuffers) -> Self {
        Self {
            stream,
            buffers,
            reading: Patience::default(),
            writing: Patience::default(),
            used: false,
            ended: false,
        }
    }

    fn write_all(&mut self, amount: usize, until: Until) -> Result<(), Error> {
        let mut written = 0;
        let mut limit = self.writing.before_waiting(until.left()?);
        while written < amount {
            if limit.is_some() {
                self.stream.set_write_timeout(limit)?;
            }
            match (&self.stream).write(&self.buffers.output()[written..amount]) {
                Ok(0) => return Err(Error::Io(ErrorKind::WriteZero.into())),
                Ok(count) => {
                    written += count;
                    limit = None;
                }
                Err(error) if is_only_a_wake_up(&error) => {
                    limit = self.writing.after_waking(until.left()?);
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(())
    }

    fn read_some(&mut self, until: Until) -> Result<usize, Error> {
        let mut limit = self.reading.before_waiting(until.left()?);
        loop {
            if limit.is_some() {
                self.stream.set_read_timeout(limit)?;
            }
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(count) => return Ok(count),
                Err(error) if is_only_a_wake_up(&error) => {
                    limit = self.reading.after_waking(until.left()?);
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.used = true;
        self.write_all(amount, Until::first_of(timeout))
            .inspect_err(|_| self.ended = true)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.used = true;
        let count = self
            .read_some(Until::first_of(timeout))
            .inspect_err(|_| self.ended = true)?;
        self.buffers.input_appended(count);
        self.ended |= count == 0;
        Ok(count > 0)
    }

    /// ureq asks when a connection returns to the pool and again when it is taken out. Only the
    /// second question can save a request, so only that one is worth a system call.
    fn is_open(&mut self) -> bool {
        let just_used = mem::take(&mut self.used);
        !self.ended && (just_used || is_quiet(&self.stream))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// Whether the wait ended because of a signal or the socket's own limit, which is not yet the
/// end of the time allowed.
fn is_only_a_wake_up(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Interrupted || is_out_of_time(error)
}

/// Unix says `WouldBlock` where Windows says `TimedOut`.
fn is_out_of_time(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether the peer neither closed the connection nor sent something nobody asked for.
#[cfg(unix)]
fn is_quiet(stream: &TcpStream) -> bool {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};

    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(recv(stream, &mut [0_u8; 1], flags), Err(Errno::AGAIN))
}

/// Whether the peer neither closed the connection nor sent something nobody asked for.
#[cfg(not(unix))]
fn is_quiet(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let quiet = stream
        .peek(&mut [0_u8; 1])
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && quiet
}
