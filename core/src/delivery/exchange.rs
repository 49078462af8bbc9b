//! The exchange under way on this thread: until when it may last and how far it has come.
//!
//! ureq hands its transports no state of a single request except time limits that are fixed per
//! agent, and changing those per request is costly. Every request runs on its caller's thread
//! from start to end, so what belongs to one exchange travels beside it in a thread-local.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What an exchange is doing, which decides what a failure is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Turning the host's name into addresses.
    LookingUp,
    /// Opening a socket to one of the addresses.
    Connecting,
    /// Agreeing on TLS, or asking the proxy for a tunnel.
    Negotiating,
    /// Writing the request.
    Sending,
    /// Waiting for the answer, or for the rest of it.
    Waiting,
}

/// Whom the exchange is talking to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Endpoint,
    Proxy,
}

#[derive(Clone, Copy)]
struct Progress {
    deadline: Instant,
    stage: Stage,
    peer: Peer,
}

thread_local! {
    static CURRENT: Cell<Option<Progress>> = const { Cell::new(None) };
}

/// The exchange of this thread, from its start until this value is dropped.
pub(crate) struct Exchange(());

impl Exchange {
    /// Starts an exchange that may last until `deadline`.
    pub(crate) fn begin(deadline: Instant) -> Self {
        CURRENT.set(Some(Progress {
            deadline,
            stage: Stage::Sending,
            peer: Peer::Endpoint,
        }));
        Self(())
    }

    /// Brings the end forward to `limit` from now, for what is worth no longer wait.
    pub(crate) fn shorten(&self, limit: Duration) {
        update(|progress| progress.deadline = progress.deadline.min(Instant::now() + limit));
    }

    /// What was going on last, and with whom.
    pub(crate) fn reached(&self) -> (Stage, Peer) {
        CURRENT
            .get()
            .map_or((Stage::Sending, Peer::Endpoint), |progress| {
                (progress.stage, progress.peer)
            })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// Notes what this thread's exchange is doing from now on.
pub(crate) fn enter(stage: Stage) {
    update(|progress| progress.stage = stage);
}

/// Notes whom this thread's exchange talks to from now on.
pub(crate) fn face(peer: Peer) {
    update(|progress| progress.peer = peer);
}

/// When this thread's exchange has to be over; `None` outside of one.
pub(crate) fn deadline() -> Option<Instant> {
    CURRENT.get().map(|progress| progress.deadline)
}

fn update(change: impl FnOnce(&mut Progress)) {
    if let Some(mut progress) = CURRENT.get() {
        change(&mut progress);
        CURRENT.set(Some(progress));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_ends_with_its_guard() {
        let end = Instant::now() + Duration::from_secs(5);
        let exchange = Exchange::begin(end);
        assert_eq!(deadline(), Some(end));
        enter(Stage::Waiting);
        face(Peer::Proxy);
        assert_eq!(exchange.reached(), (Stage::Waiting, Peer::Proxy));
        drop(exchange);
        assert_eq!(deadline(), None);
    }

    #[test]
    fn shortening_never_lengthens() {
        let end = Instant::now() + Duration::from_millis(10);
        let exchange = Exchange::begin(end);
        exchange.shorten(Duration::from_secs(60));
        assert_eq!(deadline(), Some(end));
        exchange.shorten(Duration::ZERO);
        assert!(deadline().unwrap() < end);
    }
}
