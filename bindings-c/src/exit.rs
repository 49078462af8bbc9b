//! Finishes the requests in flight of clients with an outbox when the process ends.

use crate::guard::guarded;
use crate::handle::katalys_client;
use arc_swap::ArcSwap;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::EXIT_WAIT;
use katalys_core::spawn_thread;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock, Weak};
use std::time::{Duration, Instant};

/// Added to the wait for the endpoint, for a file that another process has locked.
const SLACK: Duration = Duration::from_millis(500);

/// Swapped as a whole and never locked, so that a fork cannot leave it locked.
static CLIENTS: LazyLock<ArcSwap<Vec<Weak<katalys_client>>>> = LazyLock::new(ArcSwap::default);
static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// As in C.
    safe fn atexit(function: extern "C" fn()) -> c_int;
}

/// Adds a client with an outbox. The first one registers the exit handler; a forked child inherits
/// both.
pub fn watch(client: &Arc<katalys_client>) {
    CLIENTS.rcu(|clients| {
        let mut clients = Vec::clone(clients);
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(client));
        clients
    });
    if !IS_REGISTERED.swap(true, Ordering::Relaxed) {
        // If it cannot be registered, nothing is lost: the next process sends updates in flight
        // again.
        let _ = atexit(at_exit);
    }
}

/// The exit handler. It closes the clients on a thread of its own, so that a lock that an outbox
/// waits for cannot block the exit.
extern "C" fn at_exit() {
    guarded((), || {
        let deadline = Instant::now() + EXIT_WAIT;
        let (done, is_done) = channel();
        let finish = move || {
            guarded((), || finish(deadline));
            let _ = done.send(()); // The exit may have stopped waiting.
        };
        if spawn_thread("katalys-exit", finish).is_ok() {
            let _ = is_done.recv_timeout(EXIT_WAIT + SLACK); // Late or not, the process ends.
        }
    });
}

fn finish(deadline: Instant) {
    let clients: Vec<_> = CLIENTS.load().iter().filter_map(Weak::upgrade).collect();
    let left = || deadline.saturating_duration_since(Instant::now());
    // All of them are stopped before the first wait, so that the waits overlap.
    for client in &clients {
        client.core.shut_down(Duration::ZERO);
    }
    for client in &clients {
        client.core.shut_down(left());
    }
    for client in &clients {
        client.gate.close(Some(left()));
    }
}
