//! What the sandbox has received, in `SQLite`. One thread owns the database; it records requests in
//! groups, one transaction each, and runs commands between them.
//!
//! `schema` opens the database, `record` writes to it; `list`, `order` and `stream` read from it.

mod counters;
mod id_index;
mod list;
mod order;
mod record;
mod schema;
mod sql;
mod stored_order;
mod stream;

pub use counters::Counters;
pub use list::Filter;
pub use order::Lookup;
pub use record::{Content, ReceivedRequest};

use id_index::IdIndex;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot, watch};

/// The database, and data derived from it in memory; owned by the store's thread.
pub struct Records {
    connection: Connection,
    counters: Counters,
    next_seq: i64,
    /// The number of orders per status and per site.
    statuses: HashMap<String, u64>,
    sites: HashMap<String, u64>,
    /// The result of the latest filter, with the revision it is valid for.
    listed: Option<(u64, Filter, Vec<i64>)>,
    /// Every id, for searching; built on first use, and again after orders were merged.
    id_index: Option<IdIndex>,
}

type Command = Box<dyn FnOnce(&mut Records) + Send>;

enum Job {
    Record(Box<ReceivedRequest>, oneshot::Sender<Result<(), String>>),
    Run(Command),
}

/// A handle to the store's thread.
pub struct Store {
    jobs: mpsc::Sender<Job>,
    pub counters: watch::Receiver<Counters>,
}

/// Maximum number of queued jobs; further callers wait.
const MAX_QUEUED: usize = 4096;
/// Maximum number of jobs per group, so that no command waits long.
const MAX_GROUP: usize = 512;

impl Store {
    /// Opens the file, or a database in memory, and starts the thread.
    pub fn open(file: Option<&Path>) -> Result<(Self, JoinHandle<()>), String> {
        let connection = schema::open(file)?;
        let records = Records::load(connection).map_err(|error| error.to_string())?;
        let (publish, counters) = watch::channel(records.counters);
        let (jobs, queue) = mpsc::channel(MAX_QUEUED);
        let thread = thread::Builder::new()
            .name("sandbox-store".into())
            .spawn(move || work(records, queue, &publish))
            .map_err(|error| error.to_string())?;
        Ok((Self { jobs, counters }, thread))
    }

    /// Returns when the request is recorded.
    pub async fn record(&self, request: ReceivedRequest) -> Result<(), String> {
        let (done, reply) = oneshot::channel();
        let job = Job::Record(Box::new(request), done);
        self.jobs.send(job).await.map_err(|_| closed())?;
        reply.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Runs a command on the thread, after all requests that arrived before it.
    pub async fn run<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Records) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (done, reply) = oneshot::channel();
        let job = Job::Run(Box::new(move |records| {
            let _ = done.send(command(records).map_err(|error| error.to_string()));
        }));
        self.jobs.send(job).await.map_err(|_| closed())?;
        reply.await.unwrap_or_else(|_| Err(closed()))
    }
}

fn closed() -> String {
    "the sandbox is shutting down".into()
}

fn work(mut records: Records, mut jobs: mpsc::Receiver<Job>, publish: &watch::Sender<Counters>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < MAX_GROUP
            && let Ok(next) = jobs.try_recv()
        {
            group.push(next);
        }
        records.process(group);
        let counters = records.counters;
        publish.send_if_modified(|last| std::mem::replace(last, counters) != counters);
    }
}

impl Records {
    fn load(connection: Connection) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(48);
        let mut records = Self {
            connection,
            counters: Counters::default(),
            next_seq: 1,
            statuses: HashMap::new(),
            sites: HashMap::new(),
            listed: None,
            id_index: None,
        };
        records.recount()?;
        Ok(records)
    }

    /// Records all requests of a group in one transaction, and runs its commands in between, each
    /// at its position.
    fn process(&mut self, group: Vec<Job>) {
        let mut recorded = Vec::with_capacity(group.len());
        for job in group {
            match job {
                Job::Run(command) => command(self),
                Job::Record(request, done) => {
                    let result = self
                        .begin(recorded.is_empty())
                        .and_then(|()| self.record(&request));
                    recorded.push((done, result));
                }
            }
        }
        if recorded.is_empty() {
            return;
        }
        let mut failure = recorded
            .iter()
            .find_map(|(_, result)| result.as_ref().err().map(ToString::to_string));
        if failure.is_none() {
            failure = self
                .connection
                .execute_batch("COMMIT")
                .err()
                .map(|error| error.to_string());
        }
        if failure.is_some() && !self.connection.is_autocommit() {
            // A group succeeds or fails as a whole: its senders get the error and may send again.
            let _ = self.connection.execute_batch("ROLLBACK");
            let _ = self.recount();
        }
        for (done, _) in recorded {
            let _ = done.send(failure.clone().map_or(Ok(()), Err));
        }
    }

    fn begin(&self, is_first: bool) -> rusqlite::Result<()> {
        if is_first {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// Publishes a change that is not in the database, such as a new fault.
    pub fn touch(&mut self) {
        self.counters.revision += 1;
    }

    /// Deletes everything. Sequence numbers continue, so that an old cursor returns nothing older.
    pub fn clear(&mut self) -> rusqlite::Result<()> {
        let is_open = !self.connection.is_autocommit();
        let (begin, commit) = if is_open {
            ("", "")
        } else {
            ("BEGIN IMMEDIATE;", "COMMIT;")
        };
        self.connection.execute_batch(&format!(
            "{begin} DELETE FROM updates; DELETE FROM ids; DELETE FROM orders; {commit}"
        ))?;
        self.statuses.clear();
        self.sites.clear();
        self.listed = None;
        self.id_index = None;
        self.counters = Counters {
            revision: self.counters.revision + 1,
            ..Counters::default()
        };
        Ok(())
    }
}
