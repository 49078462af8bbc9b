//! What the sandbox has received, in `SQLite`: one thread owns it, records what arrives in groups
//! and answers questions in between.

mod names;
mod query;
mod record;
mod schema;

use names::Names;
pub use query::{Filter, Found};
pub use record::{Arrival, Content};

use rusqlite::Connection;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot, watch};

/// Where the records stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tick {
    /// Grows with every change.
    pub revision: u64,
    pub orders: u64,
    pub updates: u64,
    pub refused: u64,
    pub faulted: u64,
}

/// The records themselves, on their thread.
pub struct Books {
    connection: Connection,
    tick: Tick,
    next_seq: i64,
    /// How many orders there are per status and per site.
    statuses: HashMap<String, u64>,
    sites: HashMap<String, u64>,
    /// The orders of the filter that was asked for last, with the revision it holds for.
    listed: Option<(u64, Filter, Vec<i64>)>,
    /// Every id, for searching; none until it is asked for, and after orders were merged.
    names: Option<Names>,
}

type Question = Box<dyn FnOnce(&mut Books) + Send>;

enum Job {
    Record(Box<Arrival>, oneshot::Sender<Result<(), String>>),
    Ask(Question),
}

/// A handle to the thread, for the server.
pub struct Store {
    jobs: mpsc::Sender<Job>,
    pub ticks: watch::Receiver<Tick>,
}

/// More waiting requests than this wait for their turn to wait.
const MOST_WAITING: usize = 4096;
/// The most updates in one transaction, so that a query never waits long.
const LARGEST_GROUP: usize = 512;

impl Store {
    /// Opens the file, or records in memory, and starts the thread.
    pub fn open(file: Option<&Path>) -> Result<(Self, JoinHandle<()>), String> {
        let connection = schema::open(file)?;
        let books = Books::read(connection).map_err(|error| error.to_string())?;
        let (tick, ticks) = watch::channel(books.tick);
        let (jobs, waiting) = mpsc::channel(MOST_WAITING);
        let thread = thread::Builder::new()
            .name("sandbox-store".into())
            .spawn(move || work(books, waiting, &tick))
            .map_err(|error| error.to_string())?;
        Ok((Self { jobs, ticks }, thread))
    }

    /// Returns when the arrival is recorded.
    pub async fn record(&self, arrival: Arrival) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let job = Job::Record(Box::new(arrival), done);
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Runs a question on the thread, after everything that arrived before it.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Books) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (done, answer) = oneshot::channel();
        let job = Job::Ask(Box::new(move |books| {
            let _ = done.send(question(books).map_err(|error| error.to_string()));
        }));
        self.jobs.send(job).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> String {
    "the sandbox is ending".into()
}

fn work(mut books: Books, mut jobs: mpsc::Receiver<Job>, ticks: &watch::Sender<Tick>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < LARGEST_GROUP
            && let Ok(next) = jobs.try_recv()
        {
            group.push(next);
        }
        books.settle(group);
        ticks.send_if_modified(|tick| std::mem::replace(tick, books.tick) != books.tick);
    }
}

impl Books {
    fn read(connection: Connection) -> rusqlite::Result<Self> {
        connection.set_prepared_statement_cache_capacity(48);
        let mut books = Self {
            connection,
            tick: Tick::default(),
            next_seq: 1,
            statuses: HashMap::new(),
            sites: HashMap::new(),
            listed: None,
            names: None,
        };
        books.count()?;
        Ok(books)
    }

    /// One transaction for everything that arrived together; questions are asked in between, in
    /// their place.
    fn settle(&mut self, group: Vec<Job>) {
        let mut recorded = Vec::with_capacity(group.len());
        for job in group {
            match job {
                Job::Ask(question) => question(self),
                Job::Record(arrival, done) => {
                    let result = self
                        .begin(recorded.is_empty())
                        .and_then(|()| self.record(&arrival));
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
            // A group succeeds or fails as one: its senders are told, and may send again.
            let _ = self.connection.execute_batch("ROLLBACK");
            let _ = self.count();
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

    /// Notes a change that is not in the records, such as a new fault.
    pub fn touch(&mut self) {
        self.tick.revision += 1;
    }

    /// Forgets everything. Cursors continue, so that an old one finds nothing rather than too much.
    pub fn clear(&mut self) -> rusqlite::Result<()> {
        let open = !self.connection.is_autocommit();
        let (begin, commit) = if open {
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
        self.names = None;
        self.tick = Tick {
            revision: self.tick.revision + 1,
            ..Tick::default()
        };
        Ok(())
    }
}
