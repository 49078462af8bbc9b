//! Connections that are open but not in use.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::opener::Connection;

/// Connections are closed after this long without use; most servers, and the boxes in between,
/// keep theirs for a minute or more.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// The connections of one route, the one used last on top.
pub(crate) struct IdleConnections {
    most: usize,
    waiting: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl IdleConnections {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// A connection that is still good. Those that are not are closed on the way.
    pub(crate) fn take(&self) -> Option<Connection> {
        loop {
            let Idle {
                mut connection,
                since,
            } = self.lock().pop()?;
            if since.elapsed() >= LONGEST_IDLE {
                // All below have waited even longer. Closing takes time, so not under the lock.
                let outdated = std::mem::take(&mut *self.lock());
                drop(outdated);
                return None;
            }
            if connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for later, in place of the oldest if there are too many.
    pub(crate) fn put(&self, connection: Connection) {
        let idle = Idle {
            connection,
            since: Instant::now(),
        };
        let mut waiting = self.lock();
        waiting.push(idle);
        let surplus = (waiting.len() > self.most).then(|| waiting.remove(0));
        drop(waiting);
        drop(surplus);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
