//! Sends the rows: several in flight, never two of one order; what is settled is recorded.

use super::mailbox::{Completion, Mailbox};
use super::progress::Progress;
use super::refused::Refused;
use super::sort::Order;
use super::state::{Place, Saver, State, StateFile};
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

/// Twice as many as a client has threads that send, so that one that is done finds the next row
/// ready and need not be woken for it.
const MOST_IN_FLIGHT: usize = 64;
/// With an outbox, updates share its transactions.
const MOST_IN_FLIGHT_TO_OUTBOX: usize = 256;
/// How far sending may get ahead of a row that is not settled.
const MOST_AHEAD: usize = 4096;
const SAVE_EVERY: Duration = Duration::from_millis(25);
const LOOK_UP: Duration = Duration::from_millis(50);
const SHORT_WAIT: Duration = Duration::from_millis(2);
/// Before a full outbox is asked again.
const OUTBOX_PAUSE: Duration = Duration::from_millis(100);

/// How a run ended.
pub enum Outcome {
    Complete,
    Interrupted,
    Failed(Error),
}

pub struct Ended {
    pub outcome: Outcome,
    pub state: State,
    /// What still waits in the outbox, if there is one.
    pub in_outbox: Option<u64>,
}

pub struct Feed<'f> {
    arguments: &'f Arguments,
    client: &'f Client,
    source: Source,
    refused: Refused,
    state: State,
    interrupt: &'f Interrupt,
    progress: &'f Progress,
    has_outbox: bool,
    /// Settled by an earlier run.
    settled_before: HashSet<u64>,
    /// Every row from the first unsettled one on that was taken up, by its place.
    window: VecDeque<(Place, bool)>,
    in_flight: HashMap<u64, Flight>,
    lanes: HashSet<u64>,
    mailbox: Arc<Mailbox>,
    /// The number of the row to take up next, and where that is in the file.
    next: Place,
    rest: Order,
    /// A row that waits for an earlier one of its order.
    waiting: Option<Flight>,
    is_read: bool,
    stop: Option<Outcome>,
    last_success: Instant,
    saved: Instant,
    pace: Pace,
}

/// A row in flight.
struct Flight {
    place: Place,
    raw: Vec<u8>,
    checked: Checked,
    submission: Option<Submission>,
}

impl<'f> Feed<'f> {
    pub fn new(
        arguments: &'f Arguments,
        client: &'f Client,
        source: Source,
        mut refused: Refused,
        state: State,
        interrupt: &'f Interrupt,
        progress: &'f Progress,
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
            mailbox: Arc::default(),
            rest: Order::OfFile,
            waiting: None,
            is_read: false,
            stop: None,
            last_success: now,
            saved: now,
            pace: Pace::new(arguments.rate, now),
        }
    }

    pub fn run(mut self, order: Order, states: &StateFile) -> Result<Ended, Failure> {
        self.start(order)?;
        let saver = Saver::start(states.path()).map_err(|error| unsaved(states, &error))?;
        while !self.is_over() {
            if self.interrupt.came() && self.stop.is_none() {
                self.halt(Outcome::Interrupted);
            }
            if self.may_take() {
                self.take_up()?;
            } else {
                let (wanted, wait) = self.patience();
                for completion in self.mailbox.collect(wanted, wait) {
                    self.complete(completion)?;
                }
            }
            if self.saved.elapsed() >= SAVE_EVERY {
                self.save(&saver).map_err(|error| unsaved(states, &error))?;
            }
        }
        self.state.finished = self.stop.is_none();
        self.save(&saver).map_err(|error| unsaved(states, &error))?;
        saver.finish().map_err(|error| unsaved(states, &error))?;
        let in_outbox = if self.has_outbox {
            Some(self.client.close(EXIT_WAIT)?)
        } else {
            None
        };
        Ok(Ended {
            outcome: self.stop.unwrap_or(Outcome::Complete),
            state: self.state,
            in_outbox,
        })
    }

    /// Goes to the first row that is not settled.
    fn start(&mut self, order: Order) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::file(&self.arguments.file, &error);
        self.rest = order;
        match &mut self.rest {
            Order::OfFile if self.next.row > 0 => {
                self.source
                    .go_to(self.next.offset, self.next.line)
                    .map_err(failed)?;
            }
            Order::OfFile => {}
            Order::Sorted(sorted) => {
                for _ in 0..self.next.row {
                    sorted.next().map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let has_more = self.stop.is_none() && (!self.is_read || self.waiting.is_some());
        self.in_flight.is_empty() && !has_more
    }

    fn most_in_flight(&self) -> usize {
        if self.has_outbox {
            MOST_IN_FLIGHT_TO_OUTBOX
        } else {
            MOST_IN_FLIGHT
        }
    }

    /// How many completions to wait for, and for how long. Of a full load, half is worth a
    /// wake-up, unless the endpoint is slow.
    fn patience(&self) -> (usize, Duration) {
        let pause = self.pace.wait();
        if self.in_flight.len() >= self.most_in_flight() {
            (self.most_in_flight() / 2, SHORT_WAIT)
        } else if pause.is_zero() {
            (1, LOOK_UP)
        } else {
            (usize::MAX, pause.min(LOOK_UP))
        }
    }

    fn may_take(&self) -> bool {
        let has_more = match &self.waiting {
            Some(flight) => !self.lanes.contains(&flight.checked.lane()),
            None => !self.is_read,
        };
        has_more
            && self.stop.is_none()
            && self.in_flight.len() < self.most_in_flight()
            && self.window.len() < MOST_AHEAD
            && self.pace.wait().is_zero()
    }

    /// Sends the row that waits, or the next one.
    fn take_up(&mut self) -> Result<(), Failure> {
        let flight = match self.waiting.take() {
            Some(flight) => flight,
            None => match self.read()? {
                Some(flight) => flight,
                None => return Ok(()),
            },
        };
        let lane = flight.checked.lane();
        if self.lanes.contains(&lane) {
            self.waiting = Some(flight);
            return Ok(());
        }
        self.pace.take();
        self.lanes.insert(lane);
        self.submit(flight)
    }

    /// The next row that can be sent; refuses those that cannot. None at the end, or to let others
    /// have a turn.
    fn read(&mut self) -> Result<Option<Flight>, Failure> {
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
        let place = Place {
            row: number,
            offset: row.offset,
            line: row.line,
        };
        self.next.row += 1;
        if self.settled_before.remove(&number) {
            self.window.push_back((place, true));
            self.advance();
            return Ok(None);
        }
        match check(self.client, self.arguments.call(), &row) {
            Ok(checked) => {
                self.window.push_back((place, false));
                let raw = row.raw.to_vec();
                Ok(Some(Flight {
                    place,
                    raw,
                    checked,
                    submission: None,
                }))
            }
            Err(refusal) => {
                say(
                    self.progress,
                    &self.arguments.file,
                    place.line,
                    &refusal,
                    self.state.refused,
                );
                self.refused.add(&row, &refusal)?;
                self.state.refused += 1;
                self.window.push_back((place, true));
                self.advance();
                Ok(None)
            }
        }
    }

    fn submit(&mut self, mut flight: Flight) -> Result<(), Failure> {
        let (row, done) = (flight.place.row, Arc::clone(&self.mailbox));
        let update = flight.checked.clone();
        if self.has_outbox {
            self.client.enqueue_async(update, move |result| {
                done.put((row, result.map(drop)));
            })?;
        } else {
            flight.submission = Some(self.client.submit(update, move |result| {
                done.put((row, result.map(drop)));
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
                let (place, raw) = (flight.place, &flight.raw);
                say(
                    self.progress,
                    &self.arguments.file,
                    place.line,
                    &refusal,
                    self.state.refused,
                );
                self.refused.add_raw(raw, true, place.line, &refusal)?;
                self.state.refused += 1;
            }
            Err(error) => return self.try_again(flight, error),
        }
        self.lanes.remove(&flight.checked.lane());
        self.settle(row);
        Ok(())
    }

    /// A failure that is not the row's: the same again, unless it has lasted too long.
    fn try_again(&mut self, flight: Flight, error: Error) -> Result<(), Failure> {
        let patience = Duration::from_secs(self.arguments.patience);
        let is_lost = !error.is_retryable() || self.last_success.elapsed() >= patience;
        if self.stop.is_none() && is_lost {
            self.halt(Outcome::Failed(error));
        } else if self.stop.is_none() {
            self.progress.note(format!("waiting: {error}"));
            if error.kind() == ErrorKind::OutboxFull || error.kind() == ErrorKind::Outbox {
                std::thread::sleep(OUTBOX_PAUSE);
            }
            return self.submit(flight);
        }
        self.lanes.remove(&flight.checked.lane());
        Ok(())
    }

    /// Takes up nothing more, and lets go of what has not left yet.
    fn halt(&mut self, outcome: Outcome) {
        self.stop = Some(outcome);
        self.waiting = None;
        for flight in self.in_flight.values() {
            if let Some(submission) = &flight.submission {
                submission.cancel();
            }
        }
    }

    fn settle(&mut self, row: u64) {
        let first = self.window.front().map_or(row, |(place, _)| place.row);
        let index = usize::try_from(row - first).unwrap_or(usize::MAX);
        if let Some((_, is_settled)) = self.window.get_mut(index) {
            *is_settled = true;
        }
        self.advance();
    }

    /// Moves on over what is settled.
    fn advance(&mut self) {
        while self
            .window
            .front()
            .is_some_and(|(_, is_settled)| *is_settled)
        {
            self.window.pop_front();
        }
        if self.next.row.is_multiple_of(64) {
            self.progress.at(self.state.sent + self.state.refused);
        }
    }

    /// The state as it is now: rows that are in flight, or wait, are not settled.
    fn save(&mut self, saver: &Saver) -> io::Result<()> {
        self.saved = Instant::now();
        self.progress.at(self.state.sent + self.state.refused);
        self.state.next = match self.window.front() {
            Some((place, _)) => *place,
            None => Place {
                row: self.next.row,
                offset: self.source.position(),
                line: self.source.line(),
            },
        };
        let beyond = self.window.iter().filter(|(_, is_settled)| *is_settled);
        self.state.settled_beyond = beyond.map(|(place, _)| place.row).collect();
        let earlier = self.settled_before.iter().copied();
        self.state.settled_beyond.extend(earlier);
        let file = self
            .refused
            .settle()
            .map_err(|_| io::Error::from(io::ErrorKind::Other))?;
        self.state.refused_bytes = self.refused.bytes();
        saver.offer(self.state.clone(), file)
    }
}

/// The first refusals are shown; the file has them all.
fn say(progress: &Progress, file: &std::path::Path, line: u64, refusal: &Refusal, earlier: u64) {
    const MOST_SHOWN: u64 = 20;
    if earlier < MOST_SHOWN {
        progress.say(&format!("{}:{line}: {refusal}", file.display()));
    }
}

fn unsaved(states: &StateFile, error: &io::Error) -> Failure {
    Failure::file(states.path(), error)
}

/// Holds to a rate.
struct Pace {
    interval: Option<Duration>,
    next: Instant,
}

impl Pace {
    fn new(rate: Option<f64>, now: Instant) -> Self {
        let interval = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        Self {
            interval,
            next: now,
        }
    }

    fn wait(&self) -> Duration {
        match self.interval {
            None => Duration::ZERO,
            Some(_) => self.next.saturating_duration_since(Instant::now()),
        }
    }

    /// What was missed lately is made up for, though for a tenth of a second at most.
    fn take(&mut self) {
        const MOST_MISSED: Duration = Duration::from_millis(100);
        if let Some(interval) = self.interval {
            let earliest = Instant::now().checked_sub(MOST_MISSED).unwrap_or(self.next);
            self.next = self.next.max(earliest) + interval;
        }
    }
}
