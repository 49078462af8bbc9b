//! The thread that owns the records: it records requests in groups, one transaction each, and runs
//! commands between them.

use super::counters::Counters;
use super::records::Records;
use super::request::ReceivedRequest;
use super::schema;
use std::path::Path;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot, watch};

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
}
