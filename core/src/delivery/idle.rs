//! Open connections that are not in use.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;

/// Connections are closed after this long without use; most servers and middleboxes keep theirs for a
/// minute or more.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// The unused connections of one route; the most recently used one is taken first.
pub(crate) struct IdleConnections {
    limit: usize,
    connections: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl IdleConnections {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            connections: Mutex::default(),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes a connection that is still open; closes those that are not.
    pub(crate) fn take(&self) -> Option<Connection> {
        loop {
            let Idle {
                mut connection,
                since,
            } = self.lock().pop()?;
            if since.elapsed() >= MAX_IDLE {
                // All others are older. Closing takes time, so it happens without the lock.
                let outdated = std::mem::take(&mut *self.lock());
                drop(outdated);
                return None;
            }
            if connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for later use; closes the oldest one if there are too many.
    pub(crate) fn put(&self, connection: Connection) {
        let idle = Idle {
            connection,
            since: Instant::now(),
        };
        let mut connections = self.lock();
        connections.push(idle);
        let surplus = (connections.len() > self.limit).then(|| connections.remove(0));
        drop(connections);
        drop(surplus);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
