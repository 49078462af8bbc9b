//! The addresses of the one host that a route connects to, resolved when a connection is opened and
//! cached for a short time.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::interrupt;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::thread;

/// How long addresses are used before the name is resolved again.
const TTL: Duration = Duration::from_secs(30);

/// How long stale addresses are used after resolving failed.
const TTL_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// How long to wait for a look-up if there are stale addresses to fall back on.
const MAX_WAIT_WITH_STALE: Duration = Duration::from_secs(1);

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// A host and its addresses. Look-ups run on a separate thread, one at a time, since the system's
/// function cannot be interrupted.
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
    /// Counts finished look-ups, so that a waiting thread distinguishes its own from an earlier one.
    rounds: u64,
    failure: Option<String>,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.fresh_until.is_some_and(|end| Instant::now() < end)
    }

    fn record(&mut self, result: io::Result<Vec<SocketAddr>>) {
        self.looking = false;
        self.rounds += 1;
        match result {
            Ok(addresses) if !addresses.is_empty() => {
                self.addresses = addresses;
                self.failure = None;
                self.fresh_until = Some(Instant::now() + TTL);
            }
            Ok(_) => self.keep_stale("the name has no addresses".to_owned()),
            Err(error) => self.keep_stale(error.to_string()),
        }
    }

    fn keep_stale(&mut self, failure: String) {
        self.failure = Some(failure);
        self.fresh_until = Some(Instant::now() + TTL_AFTER_FAILURE);
    }
}

impl Addresses {
    /// The addresses of `host`: a name, or an address with or without brackets, which is never looked up.
    pub(crate) fn of(host: &str, port: u16) -> Self {
        Self::with_look_up(host, port, |host, port| {
            Ok((host, port).to_socket_addrs()?.collect())
        })
    }

    fn with_look_up(
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

    /// The addresses to try; waits for a look-up until `until` at the latest.
    pub(crate) fn current(&self, until: Instant) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.literal() {
            return Ok(vec![address]);
        }
        let mut known = self.shared.lock();
        let has_stale = !known.addresses.is_empty();
        if has_stale && (known.looking || known.is_fresh()) {
            return Ok(known.addresses.clone());
        }
        let round = known.rounds;
        self.start_look_up(&mut known)?;
        let until = if has_stale {
            until.min(Instant::now() + MAX_WAIT_WITH_STALE)
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

    /// Makes the next connection resolve the name again, since none of the addresses could be connected
    /// to.
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
        self.lock().record(result);
        self.finished.notify_all();
    }

    fn wait_for_round_after<'a>(
        &'a self,
        round: u64,
        known: MutexGuard<'a, Known>,
        until: Instant,
    ) -> MutexGuard<'a, Known> {
        let mut known = known;
        loop {
            let limit = interrupt::slice_of(until.saturating_duration_since(Instant::now()));
            let waited = self
                .finished
                .wait_timeout_while(known, limit, |known| known.rounds == round);
            known = waited.unwrap_or_else(PoisonError::into_inner).0;
            if known.rounds != round || Instant::now() >= until {
                return known;
            }
            drop(known);
            let is_over = interrupt::is_over();
            known = self.lock();
            if is_over {
                return known;
            }
        }
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses")
            .field("host", &self.shared.host)
            .finish_non_exhaustive()
    }
}

/// A resolver for ureq without addresses: the socket connector takes them from [`Addresses`].
#[derive(Debug)]
pub(crate) struct NoAddresses;

impl NoAddresses {
    pub(crate) fn none() -> ResolvedSocketAddrs {
        Self.empty()
    }
}

impl Resolver for NoAddresses {
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

    /// A host whose look-ups wait for the test, and return what it sends.
    fn resolved_by_test() -> (Addresses, mpsc::Sender<io::Result<Vec<SocketAddr>>>) {
        let (sender, answers) = mpsc::channel();
        let answers = Mutex::new(answers);
        let addresses = Addresses::with_look_up("db.example.com", PORT, move |host, port| {
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
            let addresses = Addresses::with_look_up(host, PORT, |_, _| panic!("looked up"));
            assert_eq!(addresses.current(soon()).unwrap(), [expected]);
        }
    }

    #[test]
    fn a_look_up_is_cached_until_connecting_fails() {
        let (addresses, answers) = resolved_by_test();
        answers.send(Ok(vec![address(1)])).unwrap();
        for _ in 0..3 {
            assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
        }
        answers.send(Ok(vec![address(2)])).unwrap();
        addresses.expire();
        assert_eq!(addresses.current(soon()).unwrap(), [address(2)]);
    }

    #[test]
    fn stale_addresses_are_used_if_resolving_fails() {
        let (addresses, answers) = resolved_by_test();
        answers.send(Ok(vec![address(1)])).unwrap();
        assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
        for failure in [Err(io::Error::other("no server")), Ok(Vec::new())] {
            answers.send(failure).unwrap();
            addresses.expire();
            assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
            // If the name server does not answer, not every connection queries it.
            assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
        }
    }

    #[test]
    fn a_failed_look_up_is_reported_and_tried_again() {
        let (addresses, answers) = resolved_by_test();
        answers.send(Err(io::Error::other("no such name"))).unwrap();
        let error = addresses.current(soon()).unwrap_err();
        assert_eq!(error.to_string(), "no such name");
        answers.send(Ok(vec![address(1)])).unwrap();
        assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
    }

    #[test]
    fn a_look_up_that_hangs_ends_at_the_deadline() {
        let (addresses, answers) = resolved_by_test();
        for _ in 0..2 {
            let started = Instant::now();
            let end = started + Duration::from_millis(50);
            let error = addresses.current(end).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(started.elapsed() < Duration::from_secs(2));
        }
        // Both waited for the same look-up, whose result is still used.
        answers.send(Ok(vec![address(1)])).unwrap();
        assert_eq!(addresses.current(soon()).unwrap(), [address(1)]);
    }
}
