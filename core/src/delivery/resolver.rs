//! The addresses of the one host a route connects to, looked up when a connection is opened and
//! remembered for a while.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::thread;

/// How long addresses are used without asking again, so that a host that moved is found.
const LIFE: Duration = Duration::from_secs(30);

/// How long old addresses are used after asking again came to nothing.
const LIFE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// How long a new look-up is waited for when there are old addresses to fall back on.
const PATIENCE_WITH_OLD: Duration = Duration::from_secs(1);

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// A host and its addresses. Look-ups run on a thread of their own, since the system's cannot be
/// interrupted; never more than one at a time.
pub(crate) struct Addresses {
    shared: Arc<Shared>,
}

struct Shared {
    host: String,
    port: u16,
    look_up: Box<LookUp>,
    known: Mutex<Known>,
    finished: Condvar,
}

#[derive(Default)]
struct Known {
    addresses: Vec<SocketAddr>,
    fresh_until: Option<Instant>,
    looking: bool,
    /// Counts finished look-ups, so that one who waits can tell his from an earlier one.
    rounds: u64,
    failure: Option<String>,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.fresh_until.is_some_and(|end| Instant::now() < end)
    }

    fn learn(&mut self, result: io::Result<Vec<SocketAddr>>) {
        self.looking = false;
        self.rounds += 1;
        match result {
            Ok(addresses) if !addresses.is_empty() => {
                self.addresses = addresses;
                self.failure = None;
                self.fresh_until = Some(Instant::now() + LIFE);
            }
            Ok(_) => self.keep_old("the name has no addresses".to_owned()),
            Err(error) => self.keep_old(error.to_string()),
        }
    }

    fn keep_old(&mut self, failure: String) {
        self.failure = Some(failure);
        self.fresh_until = Some(Instant::now() + LIFE_AFTER_FAILURE);
    }
}

impl Addresses {
    /// The addresses of `host`: a name, or an address with or without brackets. A literal address
    /// is never looked up.
    pub(crate) fn of(host: &str, port: u16) -> Self {
        Self::found_by(host, port, |host, port| {
            Ok((host, port).to_socket_addrs()?.collect())
        })
    }

    fn found_by(
        host: &str,
        port: u16,
        look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                host: host.to_owned(),
                port,
                look_up: Box::new(look_up),
                known: Mutex::default(),
                finished: Condvar::new(),
            }),
        }
    }

    /// The addresses to try, waiting for a look-up until `until` at most.
    pub(crate) fn current(&self, until: Instant) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.literal() {
            return Ok(vec![address]);
        }
        let mut known = self.shared.lock();
        let has_old = !known.addresses.is_empty();
        if has_old && (known.looking || known.is_fresh()) {
            return Ok(known.addresses.clone());
        }
        let round = known.rounds;
        self.start_look_up(&mut known)?;
        let until = if has_old {
            until.min(Instant::now() + PATIENCE_WITH_OLD)
        } else {
            until
        };
        let known = self.shared.wait_for_round_after(round, known, until);
        if !known.addresses.is_empty() {
            Ok(known.addresses.clone())
        } else if known.rounds == round {
            Err(ErrorKind::TimedOut.into())
        } else {
            Err(io::Error::other(known.failure.clone().unwrap_or_default()))
        }
    }

    /// Makes the next connection ask again: none of the addresses could be connected to.
    pub(crate) fn expire(&self) {
        self.shared.lock().fresh_until = None;
    }

    fn literal(&self) -> Option<SocketAddr> {
        let host = self.shared.host.as_str();
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        let address: IpAddr = bare.parse().ok()?;
        Some(SocketAddr::new(address, self.shared.port))
    }

    fn start_look_up(&self, known: &mut Known) -> io::Result<()> {
        if known.looking {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        thread::spawn_with_large_stack("katalys-dns", move || shared.run_look_up())?;
        known.looking = true;
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_look_up(&self) {
        let result = (self.look_up)(&self.host, self.port);
        self.lock().learn(result);
        self.finished.notify_all();
    }

    fn wait_for_round_after<'a>(
        &self,
        round: u64,
        known: MutexGuard<'a, Known>,
        until: Instant,
    ) -> MutexGuard<'a, Known> {
        let limit = until.saturating_duration_since(Instant::now());
        self.finished
            .wait_timeout_while(known, limit, |known| known.rounds == round)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("host", &self.shared.host)
            .finish_non_exhaustive()
    }
}

/// Answers ureq's question for addresses with none: the socket connector asks [`Addresses`].
#[derive(Debug)]
pub(crate) struct AddressesComeLater;

impl AddressesComeLater {
    pub(crate) fn none() -> ResolvedSocketAddrs {
        Self.empty()
    }
}

impl Resolver for AddressesComeLater {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(Self::none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const PORT: u16 = 443;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], PORT))
    }

    /// A host whose look-ups answer with what the test sends, and wait for it if need be.
    fn answered_by_test() -> (Addresses, mpsc::Sender<io::Result<Vec<SocketAddr>>>) {
        let (sender, answers) = mpsc::channel();
        let answers = Mutex::new(answers);
        let addresses = Addresses::found_by("db.example.com", PORT, move |host, port| {
            assert_eq!((host, port), ("db.example.com", PORT));
            answers.lock().unwrap().recv().unwrap()
        });
        (addresses, sender)
    }

    #[test]
    fn literal_addresses_are_never_looked_up() {
        for (host, expected) in [
            ("192.0.2.7", address(7)),
            ("[::1]", SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], PORT))),
        ] {
            let addresses = Addresses::found_by(host, PORT, |_, _| panic!("looked up"));
            assert_eq!(addresses.current(soon()).unwrap(), [expected]);
        }
    }

    #[test]
    fn a_look_up_is_remembered_until_connecting_fails() {
        let (addresses, answers) = answered_by_test();
        answers.send(Ok(vec![address(1)])).unwrap();
        for _ in 0..3 {
            assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
        }
        answers.send(Ok(vec![address(2)])).unwrap();
        addresses.expire();
        assert_eq!(addresses.current(soon()).unwrap(), [address(2)]);
    }

    #[test]
    fn old_addresses_serve_when_asking_again_fails() {
        let (addresses, answers) = answered_by_test();
        answers.send(Ok(vec![address(1)])).unwrap();
        assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
        for failure in [Err(io::Error::other("no server")), Ok(Vec::new())] {
            answers.send(failure).unwrap();
            addresses.expire();
            assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
            // Nor is a dead name server asked by every connection.
            assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
        }
    }

    #[test]
    fn a_failed_look_up_is_told_and_tried_again() {
        let (addresses, answers) = answered_by_test();
        answers.send(Err(io::Error::other("no such name"))).unwrap();
        let error = addresses.current(soon()).unwrap_err();
        assert_eq!(error.to_string(), "no such name");
        answers.send(Ok(vec![address(1)])).unwrap();
        assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
    }

    #[test]
    fn a_look_up_that_hangs_holds_nobody_past_the_deadline() {
        let (addresses, answers) = answered_by_test();
        for _ in 0..2 {
            let started = Instant::now();
            let end = started + Duration::from_millis(50);
            let error = addresses.current(end).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(started.elapsed() < Duration::from_secs(2));
        }
        // One look-up was made for both, and its answer still counts.
        answers.send(Ok(vec![address(1)])).unwrap();
        assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
    }
}
