//! Sends the rows: many in flight, never two of one order; records which rows are settled.

use super::completions::{Completion, CompletionQueue};
use super::progress::Progress;
use super::rate::RateLimiter;
use super::refused::RefusedFile;
use super::sort::Order;
use super::state::{RowPosition, State, StateFile, StateWriter};
use super::{Arguments, Refusal, check};
use crate::failure::Failure;
use crate::input::Source;
use crate::signals::Interrupt;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::EXIT_WAIT;
use katalys_core::{Checked, Client, Error, ErrorKind, Submission};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Twice the number of a client's sending threads, so that a thread that becomes free finds the next
/// row without a wake-up.
const MAX_IN_FLIGHT: usize = 64;
/// In an outbox, many updates share a transaction.
const MAX_IN_FLIGHT_TO_OUTBOX: usize = 256;
/// How many rows may be sent beyond the first unsettled one.
const MAX_AHEAD: usize = 4096;
const SAVE_INTERVAL: Duration = Duration::from_millis(25);
/// How often to check for a stop request.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const FULL_LOAD_WAIT: Duration = Duration::from_millis(2);
/// The pause before an update is offered to a full outbox again.
const OUTBOX_PAUSE: Duration = Duration::from_millis(100);

/// How a run ended.
pub enum RunEnd {
    Complete,
    Interrupted,
    Failed(Error),
}

/// The result of a run.
pub struct RunResult {
    pub end: RunEnd,
    pub state: State,
    /// Pending updates of the outbox, if there is one.
    pub in_outbox: Option<u64>,
}

pub struct Dispatcher<'d> {
    arguments: &'d Arguments,
    client: &'d Client,
    source: Source,
    refused: RefusedFile,
    state: State,
    interrupt: &'d Interrupt,
    progress: &'d Progress,
    has_outbox: bool,
    /// Rows that an earlier run settled.
    settled_before: HashSet<u64>,
    /// The rows that were started, from the first unsettled one on, each with whether it is settled.
    window: VecDeque<(RowPosition, bool)>,
    in_flight: HashMap<u64, InFlight>,
    lanes: HashSet<u64>,
    completions: Arc<CompletionQueue>,
    /// The position of the next row to read.
    next: RowPosition,
    rest: Order,
    /// The next row, while an earlier row of its order is in flight.
    blocked: Option<InFlight>,
    is_read: bool,
    /// Set when the run stops early.
    end: Option<RunEnd>,
    last_success: Instant,
    saved: Instant,
    limiter: RateLimiter,
}

/// A row in flight.
struct InFlight {
    position: RowPosition,
    raw: Vec<u8>,
    checked: Checked,
    submission: Option<Submission>,
}

impl<'d> Dispatcher<'d> {
    pub fn new(
        arguments: &'d Arguments,
        client: &'d Client,
        source: Source,
        mut refused: RefusedFile,
        state: State,
        interrupt: &'d Interrupt,
        progress: &'d Progress,
    ) -> Self {
        refused.set_header(source.header());
        let now = Instant::now();
        Self {
            arguments,
            client,
            source,
            refused,
            settled_before: state.settled_beyond.iter().copied().collect(),
            next: state.next,
            state,
            interrupt,
            progress,
            has_outbox: arguments.settings.text("outbox").is_some(),
            window: VecDeque::new(),
            in_flight: HashMap::new(),
            lanes: HashSet::new(),
            completions: Arc::default(),
            rest: Order::AsInFile,
            blocked: None,
            is_read: false,
            end: None,
            last_success: now,
            saved: now,
            limiter: RateLimiter::new(arguments.rate, now),
        }
    }

    pub fn run(mut self, order: Order, states: &StateFile) -> Result<RunResult, Failure> {
        self.start(order)?;
        let writer =
            StateWriter::start(states.path()).map_err(|error| not_saved(states, &error))?;
        while !self.is_finished() {
            if self.interrupt.is_set() && self.end.is_none() {
                self.stop(RunEnd::Interrupted);
            }
            if self.may_start() {
                self.start_next()?;
            } else {
                let (threshold, timeout) = self.wait_limits();
                for completion in self.completions.drain(threshold, timeout) {
                    self.complete(completion)?;
                }
            }
            if self.saved.elapsed() >= SAVE_INTERVAL {
                self.save(&writer)
                    .map_err(|error| not_saved(states, &error))?;
            }
        }
        self.state.finished = self.end.is_none();
        self.save(&writer)
            .map_err(|error| not_saved(states, &error))?;
        writer.finish().map_err(|error| not_saved(states, &error))?;
        let in_outbox = if self.has_outbox {
            Some(self.client.close(EXIT_WAIT)?)
        } else {
            None
        };
        Ok(RunResult {
            end: self.end.unwrap_or(RunEnd::Complete),
            state: self.state,
            in_outbox,
        })
    }

    /// Seeks to the first unsettled row.
    fn start(&mut self, order: Order) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::file(&self.arguments.file, &error);
        self.rest = order;
        match &mut self.rest {
            Order::AsInFile if self.next.row > 0 => {
                self.source
                    .go_to(self.next.offset, self.next.line)
                    .map_err(failed)?;
            }
            Order::AsInFile => {}
            Order::Sorted(sorted) => {
                for _ in 0..self.next.row {
                    sorted.next().map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        let has_more = self.end.is_none() && (!self.is_read || self.blocked.is_some());
        self.in_flight.is_empty() && !has_more
    }

    fn max_in_flight(&self) -> usize {
        if self.has_outbox {
            MAX_IN_FLIGHT_TO_OUTBOX
        } else {
            MAX_IN_FLIGHT
        }
    }

    /// How many completions to wait for, and for how long. At full load, half of the rows in flight
    /// are worth a wake-up, unless the endpoint is slow.
    fn wait_limits(&self) -> (usize, Duration) {
        let pause = self.limiter.wait();
        if self.in_flight.len() >= self.max_in_flight() {
            (self.max_in_flight() / 2, FULL_LOAD_WAIT)
        } else if pause.is_zero() {
            (1, POLL_INTERVAL)
        } else {
            (usize::MAX, pause.min(POLL_INTERVAL))
        }
    }

    fn may_start(&self) -> bool {
        let has_more = match &self.blocked {
            Some(flight) => !self.lanes.contains(&flight.checked.lane()),
            None => !self.is_read,
        };
        has_more
            && self.end.is_none()
            && self.in_flight.len() < self.max_in_flight()
            && self.window.len() < MAX_AHEAD
            && self.limiter.wait().is_zero()
    }

    /// Sends the blocked row, or the next one.
    fn start_next(&mut self) -> Result<(), Failure> {
        let flight = match self.blocked.take() {
            Some(flight) => flight,
            None => match self.read()? {
                Some(flight) => flight,
                None => return Ok(()),
            },
        };
        let lane = flight.checked.lane();
        if self.lanes.contains(&lane) {
            self.blocked = Some(flight);
            return Ok(());
        }
        self.limiter.count();
        self.lanes.insert(lane);
        self.submit(flight)
    }

    /// Reads a row and checks it. `None` at the end, or if the row needs no sending.
    fn read(&mut self) -> Result<Option<InFlight>, Failure> {
        let path = &self.arguments.file;
        let failed = |error: io::Error| Failure::file(path, &error);
        if let Order::Sorted(sorted) = &mut self.rest {
            let Some(entry) = sorted.next().map_err(failed)? else {
                self.is_read = true;
                return Ok(None);
            };
            self.source
                .go_to(entry.offset, entry.line)
                .map_err(failed)?;
        }
        let number = self.next.row;
        let Some(row) = self.source.next_row().map_err(failed)? else {
            self.is_read = true;
            return Ok(None);
        };
        let position = RowPosition {
            row: number,
            offset: row.offset,
            line: row.line,
        };
        self.next.row += 1;
        if self.settled_before.remove(&number) {
            self.window.push_back((position, true));
            self.advance();
            return Ok(None);
        }
        match check(self.client, self.arguments.call(), &row) {
            Ok(checked) => {
                self.window.push_back((position, false));
                let raw = row.raw.to_vec();
                Ok(Some(InFlight {
                    position,
                    raw,
                    checked,
                    submission: None,
                }))
            }
            Err(refusal) => {
                print_refusal(
                    self.progress,
                    &self.arguments.file,
                    position.line,
                    &refusal,
                    self.state.refused,
                );
                self.refused.add(&row, &refusal)?;
                self.state.refused += 1;
                self.window.push_back((position, true));
                self.advance();
                Ok(None)
            }
        }
    }

    fn submit(&mut self, mut flight: InFlight) -> Result<(), Failure> {
        let (row, done) = (flight.position.row, Arc::clone(&self.completions));
        let update = flight.checked.clone();
        if self.has_outbox {
            self.client.enqueue_async(update, move |result| {
                done.push((row, result.map(drop)));
            })?;
        } else {
            flight.submission = Some(self.client.submit(update, move |result| {
                done.push((row, result.map(drop)));
            })?);
        }
        self.in_flight.insert(row, flight);
        Ok(())
    }

    fn complete(&mut self, (row, result): Completion) -> Result<(), Failure> {
        let Some(flight) = self.in_flight.remove(&row) else {
            return Ok(());
        };
        match result {
            Ok(()) => {
                self.last_success = Instant::now();
                self.progress.note(String::new());
                self.state.sent += 1;
            }
            Err(error) if error.kind() == ErrorKind::Rejected && !error.is_retryable() => {
                self.last_success = Instant::now();
                let refusal = format!("{error} [{}]", error.code().as_str());
                let (position, raw) = (flight.position, &flight.raw);
                print_refusal(
                    self.progress,
                    &self.arguments.file,
                    position.line,
                    &refusal,
                    self.state.refused,
                );
                self.refused.add_raw(raw, true, position.line, &refusal)?;
                self.state.refused += 1;
            }
            Err(error) => return self.retry(flight, error),
        }
        self.lanes.remove(&flight.checked.lane());
        self.settle(row);
        Ok(())
    }

    /// Retries a row after a failure that the row did not cause, unless failures have lasted longer than
    /// `--patience`.
    fn retry(&mut self, flight: InFlight, error: Error) -> Result<(), Failure> {
        let must_stop =
            !error.is_retryable() || self.last_success.elapsed() >= self.arguments.patience;
        if self.end.is_none() && must_stop {
            self.stop(RunEnd::Failed(error));
        } else if self.end.is_none() {
            self.progress.note(format!("waiting: {error}"));
            if error.kind() == ErrorKind::OutboxFull || error.kind() == ErrorKind::Outbox {
                std::thread::sleep(OUTBOX_PAUSE);
            }
            return self.submit(flight);
        }
        self.lanes.remove(&flight.checked.lane());
        Ok(())
    }

    /// Starts no more rows, and cancels those that are not being sent yet.
    fn stop(&mut self, end: RunEnd) {
        self.end = Some(end);
        self.blocked = None;
        for flight in self.in_flight.values() {
            if let Some(submission) = &flight.submission {
                submission.cancel();
            }
        }
    }

    fn settle(&mut self, row: u64) {
        let first = self
            .window
            .front()
            .map_or(row, |(position, _)| position.row);
        let index = usize::try_from(row - first).unwrap_or(usize::MAX);
        if let Some((_, is_settled)) = self.window.get_mut(index) {
            *is_settled = true;
        }
        self.advance();
    }

    /// Removes settled rows from the front of the window.
    fn advance(&mut self) {
        while self
            .window
            .front()
            .is_some_and(|(_, is_settled)| *is_settled)
        {
            self.window.pop_front();
        }
        if self.next.row.is_multiple_of(64) {
            self.progress.set(self.state.sent + self.state.refused);
        }
    }

    /// Hands the current state to the writer. Rows in flight are not settled.
    fn save(&mut self, writer: &StateWriter) -> io::Result<()> {
        self.saved = Instant::now();
        self.progress.set(self.state.sent + self.state.refused);
        self.state.next = match self.window.front() {
            Some((position, _)) => *position,
            None => RowPosition {
                row: self.next.row,
                offset: self.source.position(),
                line: self.source.line(),
            },
        };
        let beyond = self.window.iter().filter(|(_, is_settled)| *is_settled);
        self.state.settled_beyond = beyond.map(|(position, _)| position.row).collect();
        let earlier = self.settled_before.iter().copied();
        self.state.settled_beyond.extend(earlier);
        let file = self
            .refused
            .flush()
            .map_err(|_| io::Error::from(io::ErrorKind::Other))?;
        self.state.refused_bytes = self.refused.bytes();
        writer.write_later(self.state.clone(), file)
    }
}

/// Prints the first refusals; the file has all of them.
fn print_refusal(
    progress: &Progress,
    file: &std::path::Path,
    line: u64,
    refusal: &Refusal,
    earlier: u64,
) {
    const MAX_PRINTED: u64 = 20;
    if earlier < MAX_PRINTED {
        progress.print(&format!("{}:{line}: {refusal}", file.display()));
    }
}

fn not_saved(states: &StateFile, error: &io::Error) -> Failure {
    Failure::file(states.path(), error)
}
