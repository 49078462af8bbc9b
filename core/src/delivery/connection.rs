//! A TCP connection for ureq's connectors that costs few system calls and keeps deadlines.
//!
//! What is written is held back until an answer is awaited, so that a request is one packet, in
//! whatever pieces it comes. Socket limits are set once and changed only when they must be; time
//! is checked on every wake-up, so that a peer that trickles bytes gains nothing. Health is asked
//! with one peek.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::answer::{Stage, Unreached};
use super::resolver::Addresses;

/// Room for a usual update, and for any answer's head.
pub(crate) const BUFFER_SIZE: usize = 16 * 1024;

/// Opens sockets to one host: the endpoint, or its proxy.
pub(crate) struct SocketConnector {
    addresses: Addresses,
}

impl SocketConnector {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self { addresses }
    }

    pub(crate) fn open(&self, timeout: NextTimeout) -> Result<Socket, Error> {
        let until = Until::after(timeout);
        let addresses = self
            .look_up(until)
            .map_err(Unreached::at(Stage::LookingUp))?;
        let stream = first_to_connect(&addresses, until)
            .inspect_err(|_| self.addresses.expire())
            .map_err(Unreached::at(Stage::Connecting))?;
        stream.set_nodelay(true)?;
        Ok(Socket::new(stream, until.end))
    }

    fn look_up(&self, until: Until) -> Result<Vec<SocketAddr>, Error> {
        self.addresses.current(until.end).map_err(|error| {
            if error.kind() == ErrorKind::TimedOut {
                Error::Timeout(until.reason)
            } else {
                Error::Io(error)
            }
        })
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

/// The end of what ureq allows for an operation.
#[derive(Clone, Copy)]
struct Until {
    end: Instant,
    reason: Timeout,
}

impl Until {
    fn after(timeout: NextTimeout) -> Self {
        Self {
            end: Instant::now() + (*timeout.after).min(UNLIMITED),
            reason: timeout.reason,
        }
    }

    /// The time that is left, which is never zero.
    fn left(self) -> Result<Duration, Error> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Error::Timeout(self.reason)),
            left => Ok(left),
        }
    }
}

/// Stands for "no limit", since the end of time cannot be calculated with.
pub(crate) const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

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
            _ => self.change_to(left / 4 * 3),
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
    buffers: HoldingBuffers,
    reading: Patience,
    writing: Patience,
    /// When tunnel and TLS have to be agreed on. ureq allows its limit for each read anew.
    ready_by: Instant,
    /// The peer closed it, or it failed.
    ended: bool,
}

impl Socket {
    fn new(stream: TcpStream, ready_by: Instant) -> Self {
        Self {
            stream,
            buffers: HoldingBuffers {
                lazy: LazyBuffers::new(BUFFER_SIZE, BUFFER_SIZE),
                held: 0,
            },
            reading: Patience::default(),
            writing: Patience::default(),
            ready_by,
            ended: false,
        }
    }

    fn until(&self, timeout: NextTimeout) -> Until {
        let mut until = Until::after(timeout);
        if timeout.reason == Timeout::Connect {
            until.end = until.end.min(self.ready_by);
        }
        until
    }

    fn send_held(&mut self, until: Until) -> Result<(), Error> {
        let amount = std::mem::take(&mut self.buffers.held);
        if amount == 0 {
            return Ok(());
        }
        let mut limit = self.writing.before_waiting(until.left()?);
        let mut written = 0;
        while written < amount {
            if limit.is_some() {
                self.stream.set_write_timeout(limit)?;
            }
            match (&self.stream).write(&self.buffers.lazy.output()[written..amount]) {
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

    fn exchange(&mut self, until: Until) -> Result<usize, Error> {
        self.send_held(until)?;
        self.read_some(until)
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.buffers.held += amount;
        if self.buffers.has_room() {
            return Ok(());
        }
        self.send_held(self.until(timeout))
            .inspect_err(|_| self.ended = true)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let count = self
            .exchange(self.until(timeout))
            .inspect_err(|_| self.ended = true)?;
        self.buffers.input_appended(count);
        self.ended |= count == 0;
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        !self.ended && self.buffers.input().is_empty() && is_quiet(&self.stream)
    }
}

/// Buffers whose output starts after what is held back.
struct HoldingBuffers {
    lazy: LazyBuffers,
    held: usize,
}

impl HoldingBuffers {
    /// Whether another piece can be held. What ureq writes in one go is never larger than what
    /// it is offered, so a little room is enough.
    fn has_room(&mut self) -> bool {
        const LITTLE: usize = 2 * 1024;
        self.output().len() >= LITTLE
    }
}

impl Buffers for HoldingBuffers {
    fn output(&mut self) -> &mut [u8] {
        &mut self.lazy.output()[self.held..]
    }

    fn input(&self) -> &[u8] {
        self.lazy.input()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.lazy.input_append_buf()
    }

    fn input_appended(&mut self, amount: usize) {
        self.lazy.input_appended(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.lazy.input_consume(amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let (scratch, output) = self.lazy.tmp_and_output();
        (scratch, &mut output[self.held..])
    }

    fn can_use_input(&self) -> bool {
        self.lazy.can_use_input()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn limit(milliseconds: u64) -> NextTimeout {
        NextTimeout {
            after: Duration::from_millis(milliseconds).into(),
            reason: Timeout::Connect,
            ..NextTimeout::default()
        }
    }

    fn refused() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    /// A connected socket and its other end.
    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ready_by = Instant::now() + UNLIMITED;
        (Socket::new(near, ready_by), listener.accept().unwrap().0)
    }

    fn write(socket: &mut Socket, piece: &[u8]) {
        socket.buffers().output()[..piece.len()].copy_from_slice(piece);
        socket.transmit_output(piece.len(), limit(1000)).unwrap();
    }

    #[test]
    fn the_second_address_is_tried_when_the_first_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let stream = first_to_connect(&[refused(), good], Until::after(limit(1000))).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[test]
    fn all_addresses_that_fail_leave_the_last_error() {
        let error = first_to_connect(&[refused(), refused()], Until::after(limit(1000)));
        let Err(Error::Io(error)) = error else {
            panic!("connected to nobody");
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn what_is_written_in_pieces_leaves_at_once_when_an_answer_is_awaited() {
        let (mut socket, mut far) = pair();
        write(&mut socket, b"head ");
        write(&mut socket, b"body");
        far.set_nonblocking(true).unwrap();
        let mut buffer = [0; 64];
        let error = far.read(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        far.set_nonblocking(false).unwrap();
        assert!(matches!(
            socket.await_input(limit(1)),
            Err(Error::Timeout(Timeout::Connect))
        ));
        let count = far.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"head body");
    }

    #[test]
    fn health_is_seen_without_reading() {
        let (mut socket, far) = pair();
        assert!(socket.is_open());
        drop(far);
        assert!(!socket.is_open());
        let (mut socket, mut far) = pair();
        far.write_all(b"unasked").unwrap();
        // The byte is there once it can be peeked at.
        socket.stream.peek(&mut [0]).unwrap();
        assert!(!socket.is_open());
    }

    #[test]
    fn a_socket_limit_is_set_only_when_it_has_to_change() {
        let mut patience = Patience::default();
        let second = Duration::from_secs(1);
        assert_eq!(patience.before_waiting(8 * second), Some(6 * second));
        assert_eq!(patience.before_waiting(8 * second), None);
        assert_eq!(patience.before_waiting(7 * second), None);
        assert_eq!(patience.before_waiting(4 * second), Some(3 * second));
        assert_eq!(patience.after_waking(second), Some(second));
        assert_eq!(patience.before_waiting(9 * second), None);
        assert_eq!(patience.after_waking(Duration::ZERO), Some(SHORTEST));
    }
}
