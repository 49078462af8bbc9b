//! The end of the process: a client with an outbox finishes what is on its way, and no more.

use crate::client::katalys_client;
use crate::guard::guarded;
use arc_swap::ArcSwap;
use katalys_core::bridge::Bridge as _;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How long the end may take for an endpoint that is slow.
pub const GRACE: Duration = Duration::from_secs(3);
/// And, beyond that, for a file that another process has locked.
const SLACK: Duration = Duration::from_millis(500);

/// Swapped as a whole and never locked, so that a fork cannot leave it locked for ever.
static CLIENTS: LazyLock<ArcSwap<Vec<Weak<katalys_client>>>> = LazyLock::new(ArcSwap::default);
static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// As in C.
    safe fn atexit(function: extern "C" fn()) -> c_int;
}

/// Adds a client with an outbox. The first one registers what happens at exit(); a forked child
/// inherits both.
pub fn watch(client: &Arc<katalys_client>) {
    CLIENTS.rcu(|clients| {
        let mut clients = Vec::clone(clients);
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(client));
        clients
    });
    if !IS_REGISTERED.swap(true, Ordering::Relaxed) {
        // Without it nothing is lost: what is on its way is sent again by the next process.
        let _ = atexit(at_exit);
    }
}

/// On a thread of its own, so that nothing the outbox may wait for can hold up the exit.
extern "C" fn at_exit() {
    guarded((), || {
        let deadline = Instant::now() + GRACE;
        let (done, is_done) = channel();
        let finish = move || {
            guarded((), || finish(deadline));
            let _ = done.send(()); // Nobody waits any more.
        };
        let builder = thread::Builder::new().name("katalys-exit".into());
        if builder.spawn(finish).is_ok() {
            let _ = is_done.recv_timeout(GRACE + SLACK); // Late or not, the process ends.
        }
    });
}

fn finish(deadline: Instant) {
    let clients: Vec<_> = CLIENTS.load().iter().filter_map(Weak::upgrade).collect();
    let left = || deadline.saturating_duration_since(Instant::now());
    // All stop before the first is waited for.
    for client in &clients {
        client.client.shut_down(Duration::ZERO);
    }
    for client in &clients {
        client.client.shut_down(left());
    }
    for client in &clients {
        client.gate.close(Some(left()));
    }
}
