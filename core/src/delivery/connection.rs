//! A TCP connection for ureq's connectors that needs few system calls and keeps deadlines.
//!
//! Output is held back until an answer is awaited, so that a request is one packet even if it is
//! written in pieces. The timeouts of a socket are changed only when necessary. The deadline is checked
//! on every wake-up, so that a peer that sends single bytes cannot extend it. One peek shows whether
//! the connection is still usable.

use crate::thread;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use super::failure::{ConnectError, Phase};
use super::resolver::Addresses;
use crate::interrupt;

/// A connection to the endpoint or a proxy, with or without TLS.
pub(crate) type Connection = Box<dyn Transport>;

/// Holds a typical update, and the head of any answer.
pub(crate) const BUFFER_SIZE: usize = 16 * 1024;

/// Opens sockets to one host: the endpoint or the proxy.
pub(crate) struct SocketConnector {
    addresses: Addresses,
}

impl SocketConnector {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self { addresses }
    }

    pub(crate) fn open(&self, timeout: NextTimeout) -> Result<Socket, Error> {
        let deadline = Deadline::after(timeout);
        let addresses = self
            .look_up(deadline)
            .map_err(ConnectError::in_phase(Phase::Resolving))?;
        let stream = first_to_connect(&addresses, deadline)
            .inspect_err(|_| self.addresses.expire())
            .map_err(ConnectError::in_phase(Phase::Connecting))?;
        stream.set_nodelay(true)?;
        Ok(Socket::new(stream, deadline.end))
    }

    fn look_up(&self, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
        self.addresses.current(deadline.end).map_err(|error| {
            if error.kind() == ErrorKind::TimedOut {
                Error::Timeout(deadline.reason)
            } else {
                Error::Io(error)
            }
        })
    }
}

/// Tries the addresses one after the other; each gets an equal share of the time that is left.
fn first_to_connect(addresses: &[SocketAddr], deadline: Deadline) -> Result<TcpStream, Error> {
    let mut last = Error::Io(ErrorKind::AddrNotAvailable.into());
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = deadline.left()? / untried.max(1);
        match connect(*address, share.max(MIN_TIMEOUT)) {
            Ok(stream) => return Ok(stream),
            Err(error) if is_timeout(&error) => last = Error::Timeout(Timeout::Connect),
            Err(error) => last = Error::Io(error),
        }
        untried -= 1;
    }
    Err(last)
}

/// Connects. A connecting thread cannot be interrupted, so a watched caller connects on another thread.
/// An address of this machine answers at once or never, so short attempts one after the other suffice.
fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    if !interrupt::is_watched() {
        return TcpStream::connect_timeout(&address, limit);
    }
    if address.ip().is_loopback() {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let result =
                TcpStream::connect_timeout(&address, interrupt::slice_of(left).max(MIN_TIMEOUT));
            match result {
                Err(error) if is_timeout(&error) && !left.is_zero() && !interrupt::is_over() => {}
                result => return result,
            }
        }
    }
    let (connected, result) = mpsc::channel();
    let connect = move || drop(connected.send(TcpStream::connect_timeout(&address, limit)));
    thread::spawn("katalys-connect", connect)?;
    loop {
        match result.recv_timeout(interrupt::SLICE) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(ErrorKind::ConnectionAborted.into()),
            Err(RecvTimeoutError::Timeout) if interrupt::is_over() => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The shortest timeout of a socket: zero would mean none.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// The deadline that ureq sets for an operation.
#[derive(Clone, Copy)]
struct Deadline {
    end: Instant,
    reason: Timeout,
}

impl Deadline {
    fn after(timeout: NextTimeout) -> Self {
        Self {
            end: Instant::now() + (*timeout.after).min(UNLIMITED),
            reason: timeout.reason,
        }
    }

    /// Fails if the caller gave up.
    fn check_interrupt(self) -> Result<(), Error> {
        if interrupt::is_over() {
            return Err(Error::Timeout(self.reason));
        }
        Ok(())
    }

    /// The time that is left; never zero.
    fn left(self) -> Result<Duration, Error> {
        match self.end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Error::Timeout(self.reason)),
            left => Ok(left),
        }
    }
}

/// Used instead of "no limit" to calculate a deadline.
pub(crate) const UNLIMITED: Duration = Duration::from_secs(24 * 60 * 60);

/// The current timeout of a socket, kept so that it is set only when it has to change.
#[derive(Default)]
struct SocketTimeout(Option<Duration>);

impl SocketTimeout {
    /// The timeout to set before the first wait, if it has to change. One that is shorter than the time
    /// left only causes an early wake-up; it is set to three quarters, so that the next requests, which
    /// have slightly less time, can keep it.
    fn before_waiting(&mut self, left: Duration) -> Option<Duration> {
        match self.0 {
            Some(set) if set <= interrupt::slice_of(left) => None,
            _ => self.change_to(interrupt::slice_of(left / 4 * 3)),
        }
    }

    /// The timeout to set after an early wake-up: exactly the time left.
    fn after_waking(&mut self, left: Duration) -> Option<Duration> {
        let limit = interrupt::slice_of(left);
        (self.0 != Some(limit)).then(|| self.change_to(limit))?
    }

    fn change_to(&mut self, limit: Duration) -> Option<Duration> {
        self.0 = Some(limit.max(MIN_TIMEOUT));
        self.0
    }
}

/// A connected socket with its buffers.
pub(crate) struct Socket {
    stream: TcpStream,
    buffers: HoldingBuffers,
    reading: SocketTimeout,
    writing: SocketTimeout,
    /// The deadline for tunnel and TLS: ureq applies its limit to each read separately.
    ready_by: Instant,
    /// Whether the peer closed it or it failed.
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
            reading: SocketTimeout::default(),
            writing: SocketTimeout::default(),
            ready_by,
            ended: false,
        }
    }

    fn deadline(&self, timeout: NextTimeout) -> Deadline {
        let mut deadline = Deadline::after(timeout);
        if timeout.reason == Timeout::Connect {
            deadline.end = deadline.end.min(self.ready_by);
        }
        deadline
    }

    fn send_held(&mut self, deadline: Deadline) -> Result<(), Error> {
        let amount = std::mem::take(&mut self.buffers.held);
        if amount == 0 {
            return Ok(());
        }
        let mut limit = self.writing.before_waiting(deadline.left()?);
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
                Err(error) if is_wake_up(&error) => {
                    deadline.check_interrupt()?;
                    limit = self.writing.after_waking(deadline.left()?);
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(())
    }

    fn read_some(&mut self, deadline: Deadline) -> Result<usize, Error> {
        let mut limit = self.reading.before_waiting(deadline.left()?);
        loop {
            if limit.is_some() {
                self.stream.set_read_timeout(limit)?;
            }
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(count) => return Ok(count),
                Err(error) if is_wake_up(&error) => {
                    deadline.check_interrupt()?;
                    limit = self.reading.after_waking(deadline.left()?);
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    fn exchange(&mut self, deadline: Deadline) -> Result<usize, Error> {
        self.send_held(deadline)?;
        self.read_some(deadline)
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.buffers.held += amount;
        if self.buffers.can_hold_more() {
            return Ok(());
        }
        self.send_held(self.deadline(timeout))
            .inspect_err(|_| self.ended = true)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let count = self
            .exchange(self.deadline(timeout))
            .inspect_err(|_| self.ended = true)?;
        self.buffers.input_appended(count);
        self.ended |= count == 0;
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        !self.ended && self.buffers.input().is_empty() && is_quiet(&self.stream)
    }
}

/// Buffers whose output starts behind the bytes that are held back.
struct HoldingBuffers {
    lazy: LazyBuffers,
    held: usize,
}

impl HoldingBuffers {
    /// Whether another piece can be held back. ureq never writes more at a time than the buffer offers,
    /// so a small rest is enough.
    fn can_hold_more(&mut self) -> bool {
        const SMALL_REST: usize = 2 * 1024;
        self.output().len() >= SMALL_REST
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

/// Whether the wait ended because of a signal or the timeout of the socket, which may be before the
/// deadline.
fn is_wake_up(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Interrupted || is_timeout(error)
}

/// Unix reports `WouldBlock`, Windows `TimedOut`.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether the peer has neither closed the connection nor sent unexpected input.
#[cfg(unix)]
fn is_quiet(stream: &TcpStream) -> bool {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};

    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(recv(stream, &mut [0_u8; 1], flags), Err(Errno::AGAIN))
}

/// Whether the peer has neither closed the connection nor sent unexpected input.
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
        let stream = first_to_connect(&[refused(), good], Deadline::after(limit(1000))).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[test]
    fn the_last_error_is_reported_if_all_addresses_fail() {
        let error = first_to_connect(&[refused(), refused()], Deadline::after(limit(1000)));
        let Err(Error::Io(error)) = error else {
            panic!("connected to a closed port");
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn pieces_are_sent_together_once_an_answer_is_awaited() {
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
    fn a_closed_connection_or_unexpected_input_is_seen_without_reading() {
        let (mut socket, far) = pair();
        assert!(socket.is_open());
        drop(far);
        assert!(!socket.is_open());
        let (mut socket, mut far) = pair();
        far.write_all(b"unexpected").unwrap();
        // The byte is there once it can be peeked at.
        socket.stream.peek(&mut [0]).unwrap();
        assert!(!socket.is_open());
    }

    #[test]
    fn a_socket_timeout_is_set_only_when_it_has_to_change() {
        let mut timeout = SocketTimeout::default();
        let second = Duration::from_secs(1);
        assert_eq!(timeout.before_waiting(8 * second), Some(6 * second));
        assert_eq!(timeout.before_waiting(8 * second), None);
        assert_eq!(timeout.before_waiting(7 * second), None);
        assert_eq!(timeout.before_waiting(4 * second), Some(3 * second));
        assert_eq!(timeout.after_waking(second), Some(second));
        assert_eq!(timeout.before_waiting(9 * second), None);
        assert_eq!(timeout.after_waking(Duration::ZERO), Some(MIN_TIMEOUT));
    }
}
