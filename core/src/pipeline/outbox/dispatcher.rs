//! Delivery: one thread that claims and settles in batches, and those that send.
//!
//! The first starts with the first use, the others as there is more to send than they can take.
//! Lock order: `state` is never held while the store is asked or written.

use super::intake::Arrival;
use crate::delivery::{ExchangeOutcome, LONGEST_RETRY_AFTER};
use crate::error::{Error, ErrorCode};
use crate::pipeline::attempt::code_of_answer;
use crate::pipeline::breaker::Health;
use crate::pipeline::events::{self, Events};
use crate::pipeline::workers::Engine;
use crate::queue::clock::{Millis, millis, since_boot};
use crate::queue::group::Group;
use crate::queue::sqlite::FileWatch;
use crate::queue::store::{
    Cause, Claim, ClaimOrder, Died, Effect, LaneId, Outlook, Owner, Settlement, Store, UpdateId,
    Upkeep, Verdict, Work,
};
use crate::results::{Event, EventKind, OUTBOX_LOG};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A process that says nothing for this long is taken for dead.
const LEASE: Duration = Duration::from_secs(15);
/// How soon another process's updates are noticed while something is pending.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// The same while nothing is: a process that is idle shall cost nothing.
pub(super) const IDLE_POLL: Duration = Duration::from_secs(5);
/// Everything is checkpointed once nothing has happened for this long.
const QUIET: Duration = Duration::from_secs(1);
/// With steady traffic, what was delivered stays in the log for no longer than this.
const LONGEST_TRACE: Duration = Duration::from_secs(10);
/// A failure of the store that lasts is told again after this.
const TOLD_AGAIN: Duration = Duration::from_secs(60);
/// Nothing is sent that would be leased for less.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_IDLE: Duration = Duration::from_secs(10);
/// After the store failed.
const STORE_RETRY: Duration = Duration::from_millis(500);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = LONGEST_RETRY_AFTER;
/// A checkpoint is due after this many transactions of the dispatcher.
const MANY_CHANGES: usize = 4_000;
/// The same where nobody delivers, and every caller has a transaction of its own: a log that begins
/// anew is written faster than one that grows.
const MANY_APPENDS: usize = 1_000;
/// How often to try to clear the log, ten milliseconds apart.
const ERASING: u32 = 100;

/// How this client delivers.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub owner: Owner,
    pub workers: usize,
    pub timeout: Duration,
    pub hold: bool,
    pub max_age: Option<Duration>,
    /// How soon another process's updates are noticed while nothing is pending.
    pub idle_poll: Duration,
}

/// What a sender is made of.
pub(super) struct Parts {
    pub watch: Option<FileWatch>,
    pub store: Box<dyn Store>,
    pub upkeep: Box<dyn Upkeep>,
    pub engine: Arc<Engine>,
    pub events: Arc<Events>,
    pub manner: Manner,
}

pub(super) struct Sender {
    watch: Option<FileWatch>,
    pub group: Group<Box<dyn Store>>,
    upkeep: Mutex<Box<dyn Upkeep>>,
    engine: Arc<Engine>,
    pub events: Arc<Events>,
    manner: Manner,
    state: Mutex<State>,
    appended: AtomicUsize,
    /// For the thread that claims and settles.
    news: Condvar,
    /// For those that send.
    work: Condvar,
    /// For callers that wait for settlements, and for the thread that takes updates in.
    settled: Condvar,
}

/// Until when a lease holds, in milliseconds since boot.
#[derive(Clone, Copy)]
pub(super) struct Lease(Millis);

impl Lease {
    fn left(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - since_boot()).unwrap_or(0))
    }
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a matter of its own")]
struct State {
    has_dispatcher: bool,
    has_news: bool,
    is_closing: bool,
    ready: VecDeque<Claim>,
    finished: Vec<Finished>,
    /// Every lane that is leased to this process, and until when.
    held: HashMap<LaneId, Lease>,
    /// For the thread that takes updates in.
    arrivals: VecDeque<Arrival>,
    has_intake: bool,
    threads: usize,
    idle: usize,
    health: Health,
    settlements: u64,
    /// The file was not in its place at the last look.
    is_astray: bool,
    /// The store fails since then.
    failure: Option<Failure>,
    /// Updates that a caller waits for, and what came of them: attempts, or an error.
    awaited: HashMap<UpdateId, Option<Result<u32, Error>>>,
}

/// What was changed since the last checkpoint.
#[derive(Default)]
struct Changes {
    transactions: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Changes {
    /// Notes one more transaction.
    fn add(&mut self) {
        let now = Instant::now();
        self.transactions += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    fn are_old(&self) -> bool {
        self.first
            .is_some_and(|first| first.elapsed() > LONGEST_TRACE)
    }

    /// Whether a checkpoint is worth it: many, or old, or nothing else to do.
    fn are_due(&self, is_empty: bool) -> bool {
        let is_quiet = is_empty && self.last.is_some_and(|last| last.elapsed() > QUIET);
        self.transactions > MANY_CHANGES || is_quiet || self.are_old()
    }
}

/// A failure of the store that has not passed.
struct Failure {
    error: Error,
    told: Instant,
}

/// An attempt that is to be settled.
struct Finished {
    settlement: Settlement,
    error: Option<Error>,
    attempts: u32,
    /// The order's name in events.
    order: String,
}

impl Sender {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            watch,
            store,
            upkeep,
            engine,
            events,
            manner,
        } = parts;
        Self {
            watch,
            group: Group::new(store),
            upkeep: Mutex::new(upkeep),
            engine,
            events,
            manner,
            state: Mutex::default(),
            appended: AtomicUsize::new(0),
            news: Condvar::new(),
            work: Condvar::new(),
            settled: Condvar::new(),
        }
    }

    /// There is something to send: starts the threads if there are none.
    pub(super) fn wake(sender: &Arc<Self>) {
        let mut state = sender.lock();
        state.has_news = true;
        if state.is_closing {
            return;
        }
        Self::call_dispatcher(sender, state);
    }

    fn call_dispatcher(sender: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.has_dispatcher {
            drop(state);
            return sender.news.notify_one();
        }
        state.has_dispatcher = true;
        drop(state);
        let dispatcher = Arc::clone(sender);
        if start_thread("katalys-outbox", move || Self::dispatch(&dispatcher)).is_err() {
            // The update is safe; the next call tries again.
            sender.lock().has_dispatcher = false;
            return;
        }
        let watcher = Arc::clone(sender);
        let _ = start_thread("katalys-watch", move || watcher.watch()); // The dispatcher looks, too.
    }

    /// Wakes the dispatcher when something happens to the file.
    fn watch(&self) {
        let Some(watch) = &self.watch else {
            return;
        };
        while watch.wait() {
            self.lock().has_news = true;
            self.news.notify_one();
        }
    }

    /// Tells once that the file is not in its place any more.
    fn look_at_place(&self) {
        let Err(error) = self.group.ask(Store::check) else {
            self.lock().is_astray = false;
            return;
        };
        if std::mem::replace(&mut self.lock().is_astray, true) {
            return;
        }
        log::error!(target: OUTBOX_LOG, "{error}");
        Events::tell(&self.events, Event::of_failure(&error));
    }

    /// The wish for as many updates as can leave at once, if there is nothing else to send.
    pub(super) fn claim_for(&self, most: usize) -> Option<Work> {
        let state = self.lock();
        if state.is_closing
            || state.failure.is_some()
            || state.health.is_in_doubt()
            || !state.ready.is_empty()
        {
            return None;
        }
        let room = state.health.room(state.held.len(), self.manner.workers);
        drop(state);
        (room > 0).then(|| self.claim_order(most.min(room), false))
    }

    /// The lease on what is claimed from now on.
    pub(super) fn lease_from_now(&self) -> Lease {
        Lease(since_boot() + millis(self.lease()))
    }

    fn lease(&self) -> Duration {
        LEASE.max(self.manner.timeout * 2)
    }

    /// Sends what was claimed.
    pub(super) fn take_in(sender: &Arc<Self>, claimed: Effect, lease: Lease) {
        let mut state = sender.lock();
        sender.take_claimed(&mut state, claimed, lease);
        if state.is_closing || !state.has_dispatcher {
            state.has_news = true;
            Self::call_dispatcher(sender, state);
            state = sender.lock();
        }
        Self::hand_out(sender, state);
    }

    fn take_claimed(&self, state: &mut State, claimed: Effect, lease: Lease) {
        let Effect::Claimed { claims, died } = claimed else {
            return;
        };
        state
            .held
            .extend(claims.iter().map(|claim| (claim.lane, lease)));
        state.ready.extend(claims);
        for died in died {
            self.died(state, died);
        }
    }

    /// Adds to what is to be taken in; true if there is no thread that does.
    pub(super) fn add_arrivals(&self, arrivals: impl IntoIterator<Item = Arrival>) -> bool {
        let mut state = self.lock();
        state.arrivals.extend(arrivals);
        let is_first = !std::mem::replace(&mut state.has_intake, true);
        drop(state);
        self.settled.notify_all();
        is_first
    }

    /// The system gives no thread; the one who asked for it is told, and nothing was accepted.
    pub(super) fn without_intake(&self, refused: &std::io::Error) -> Error {
        let mut state = self.lock();
        state.has_intake = false;
        state.arrivals.pop_back();
        no_thread(refused)
    }

    /// What has come, after a settlement or so long at most; `None` ends the thread, if it may.
    pub(super) fn next_arrivals(&self, most: Duration, may_end: bool) -> Option<VecDeque<Arrival>> {
        let mut state = self.lock();
        let deadline = Instant::now() + most;
        if !may_end && state.arrivals.is_empty() {
            state = wait(&self.settled, state, most);
        }
        while may_end && state.arrivals.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.has_intake = false;
                return None;
            }
            state = wait(&self.settled, state, left);
        }
        Some(std::mem::take(&mut state.arrivals))
    }

    /// Stops claiming; what is under way comes to its end.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        state.has_news = true; // Or the thread that claims might sleep on.
        drop(state);
        self.news.notify_one();
        self.work.notify_all();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    /// Takes back `stop`. Threads start with the next update, as after the client was made.
    pub(super) fn resume(&self) {
        self.lock().is_closing = false;
        self.settled.notify_all();
    }

    /// Waits until nothing is under way in this process, or until delivery is resumed.
    pub(super) fn wait_until_stopped(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.is_closing && (state.has_dispatcher || !state.arrivals.is_empty()) {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return;
            };
            state = wait(&self.settled, state, left);
        }
    }

    /// How often this process has settled something; for `wait_for_settlement`.
    pub(super) fn settlements(&self) -> u64 {
        self.lock().settlements
    }

    /// Waits for a settlement of this process behind so many, or until it is time to look for
    /// another's.
    pub(super) fn wait_for_settlement(&self, seen: u64, deadline: Instant) {
        let state = self.lock();
        let left = deadline.saturating_duration_since(Instant::now()).min(POLL);
        if state.settlements == seen {
            drop(wait(&self.settled, state, left));
        }
    }

    pub(super) fn await_update(&self, id: UpdateId) {
        self.lock().awaited.entry(id).or_default();
    }

    /// What came of an awaited update by this process's doing; takes it off the list.
    pub(super) fn result_of(&self, id: UpdateId) -> Option<Result<u32, Error>> {
        self.lock().take_result(id)
    }

    /// As `result_of`, but waits until then.
    pub(super) fn result_within(&self, id: UpdateId, until: Instant) -> Option<Result<u32, Error>> {
        let mut state = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match state.take_result(id) {
                None if !left.is_zero() => state = wait(&self.settled, state, left),
                result => return result,
            }
        }
    }

    pub(super) fn forget(&self, id: UpdateId) {
        self.lock().awaited.remove(&id);
    }

    fn dispatch(sender: &Arc<Self>) {
        let mut renewed = Instant::now();
        let mut upkeep = Changes::default();
        loop {
            sender.look_at_place();
            let outlook = match sender.group.ask(Store::outlook) {
                Ok(outlook) => outlook,
                Err(error) => {
                    if sender.gives_up(&error) {
                        break;
                    }
                    sender.pause(STORE_RETRY);
                    continue;
                }
            };
            let (finished, mut work) = sender.plan(outlook, &mut renewed);
            if finished.is_empty() && work.is_empty() {
                if sender.ends() {
                    break;
                }
                Self::store_works(&mut sender.lock());
                sender.tidy(&mut upkeep, outlook.pending == 0);
                sender.pause(sender.idle_wait(outlook, &upkeep));
                continue;
            }
            upkeep.add();
            let settlements = finished.iter().map(|finished| finished.settlement.clone());
            let mut all: Vec<Work> = settlements.map(Work::Settle).collect();
            all.append(&mut work);
            let lease = sender.lease_from_now();
            match sender.group.commit(all) {
                Ok(effects) => Self::distribute(sender, finished, effects, lease),
                Err(error) => sender.give_back(finished, &error),
            }
            sender.tidy(&mut upkeep, false);
        }
        if let Some(watch) = &sender.watch {
            watch.end();
        }
        let _ = lock(&sender.upkeep).tidy_all();
    }

    /// Takes what is finished, and says what else belongs into the same transaction.
    fn plan(&self, outlook: Outlook, renewed: &mut Instant) -> (Vec<Finished>, Vec<Work>) {
        let mut state = self.lock();
        state.has_news = false;
        // What was sent while the store fails could not be settled, and would go out again.
        let fails = state.failure.is_some();
        let stop = state.is_closing || fails || state.health.pause().is_some();
        if stop {
            state.release_ready(self.manner.owner);
        }
        let finished = std::mem::take(&mut state.finished);
        // Now, not once they are settled: by then a caller may hold a lane for its next update.
        for finished in &finished {
            state.held.remove(&finished.settlement.lane);
        }
        let mut work = Vec::new();
        if renewed.elapsed() > LEASE / 3 {
            *renewed = Instant::now();
            work.extend(self.renewal(&state));
        }
        let most = self.manner.workers * 2 + 32;
        let room = if state.is_closing || state.health.pause().is_some() {
            0
        } else if fails {
            usize::from(finished.is_empty()) // One claim finds out whether it is over.
        } else {
            state.health.room(state.held.len(), most)
        };
        let is_due = outlook.next_due == Some(Duration::ZERO) || !finished.is_empty();
        let is_worth_it = room > most / 2 || state.ready.is_empty();
        if room > 0 && is_due && is_worth_it {
            work.push(self.claim_order(room, state.health.is_in_doubt()));
        }
        (finished, work)
    }

    fn claim_order(&self, most: usize, is_probe: bool) -> Work {
        Work::Claim(ClaimOrder {
            owner: self.manner.owner,
            most,
            any_from: is_probe.then(|| fastrand::i64(..)),
            lease: self.lease(),
            max_age: self.manner.max_age,
            hold: self.manner.hold,
        })
    }

    fn renewal(&self, state: &State) -> Option<Work> {
        let lanes: Vec<LaneId> = state.held.keys().copied().collect();
        (!lanes.is_empty()).then_some(Work::Renew {
            owner: self.manner.owner,
            lanes,
            lease: self.lease(),
        })
    }

    fn distribute(sender: &Arc<Self>, finished: Vec<Finished>, effects: Vec<Effect>, lease: Lease) {
        let mut state = sender.lock();
        let mut finished = finished.into_iter();
        for effect in effects {
            match effect {
                Effect::Settled(is_mine) => {
                    if let Some(finished) = finished.next() {
                        sender.settled(&mut state, finished, is_mine);
                    }
                }
                Effect::Renewed => state.held.values_mut().for_each(|held| *held = lease),
                claimed => sender.take_claimed(&mut state, claimed, lease),
            }
        }
        state.settlements += 1;
        Self::store_works(&mut state);
        Self::hand_out(sender, state);
        sender.settled.notify_all();
    }

    /// Calls as many threads as there is to send.
    fn hand_out(sender: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let wanted = state.ready.len();
        let (idle, room) = (state.idle, sender.manner.workers - state.threads);
        let more = wanted.saturating_sub(idle).min(room);
        state.threads += more;
        drop(state);
        for _ in 0..wanted.min(idle) {
            sender.work.notify_one();
        }
        for _ in 0..more {
            let worker = Arc::clone(sender);
            if start_thread("katalys-send", move || worker.send_all()).is_err() {
                sender.lock().threads -= 1;
            }
        }
    }

    /// The store failed: nothing of it happened, so it is to be done again.
    fn give_back(&self, finished: Vec<Finished>, error: &Error) {
        self.store_failed(error);
        let mut state = self.lock();
        let since = std::mem::replace(&mut state.finished, finished);
        state.finished.extend(since);
        drop(state);
        thread::sleep(STORE_RETRY);
    }

    /// Tells of a failure when it begins, and then now and then.
    fn store_failed(&self, error: &Error) {
        let mut state = self.lock();
        let is_known = state.failure.as_ref().is_some_and(|failure| {
            failure.error.code() == error.code() && failure.told.elapsed() < TOLD_AGAIN
        });
        if is_known {
            return;
        }
        let (error, told) = (error.clone(), Instant::now());
        log::error!(target: OUTBOX_LOG, "{error}; nothing is delivered until this has passed");
        Events::tell(&self.events, Event::of_failure(&error));
        state.failure = Some(Failure { error, told });
    }

    fn store_works(state: &mut State) {
        if state.failure.take().is_some() {
            log::warn!(target: OUTBOX_LOG, "the outbox can be used again");
        }
    }

    /// The error of a store that turned out to be damaged: nothing more is taken into it.
    pub(super) fn damage(&self) -> Option<Error> {
        let state = self.lock();
        let failure = state.failure.as_ref()?;
        let is_damage = failure.error.code() == ErrorCode::OutboxCorrupt;
        is_damage.then(|| failure.error.clone())
    }

    /// After a failed look at the store: a process that ends does not wait until it works again.
    fn gives_up(&self, error: &Error) -> bool {
        if error.code() != ErrorCode::OutboxMoved {
            self.store_failed(error);
        }
        let mut state = self.lock();
        let gives_up = state.is_closing;
        if gives_up {
            state.has_dispatcher = false;
            drop(state);
            self.settled.notify_all();
        }
        gives_up
    }

    /// What was removed must not stay readable in the log.
    pub(super) fn erase(&self) {
        for _ in 0..ERASING {
            let mut upkeep = lock(&self.upkeep);
            if self.group.ask(|_| upkeep.tidy_all()).is_ok_and(|done| done) {
                return;
            }
            drop(upkeep);
            thread::sleep(POLL / 10); // A reader of another process is in the way.
        }
        log::warn!(target: OUTBOX_LOG, "what was removed is still in the log of the outbox, which another process reads");
    }

    /// A pause of the endpoint's ends, so that the next request finds out whether it is back.
    pub(super) fn end_pause(&self) {
        self.lock().health.reset();
    }

    fn ends(&self) -> bool {
        let mut state = self.lock();
        let ends = state.is_closing && state.held.is_empty();
        if ends {
            state.has_dispatcher = false;
            drop(state);
            self.settled.notify_all();
        }
        ends
    }

    fn idle_wait(&self, outlook: Outlook, changes: &Changes) -> Duration {
        let state = self.lock();
        if let Some(pause) = state.health.pause() {
            return pause.min(LEASE / 3);
        }
        match outlook.next_due {
            _ if outlook.pending == 0 && changes.transactions == 0 => self.manner.idle_poll,
            _ if outlook.pending == 0 => QUIET.min(self.manner.idle_poll),
            Some(due) if !due.is_zero() => due.min(POLL),
            _ => POLL,
        }
    }

    fn pause(&self, most: Duration) {
        let state = self.lock();
        if !state.has_news && state.finished.is_empty() {
            drop(wait(&self.news, state, most));
        }
    }

    /// Counts what was appended in a process that does not deliver, and tidies up now and then.
    pub(super) fn appended(sender: &Arc<Self>, count: usize) {
        let appended = sender.appended.fetch_add(count, Ordering::Relaxed) + count;
        if appended < MANY_APPENDS || sender.appended.swap(0, Ordering::Relaxed) < MANY_APPENDS {
            return;
        }
        let own = Arc::clone(sender);
        let checkpoint = move || own.checkpoint(false);
        let _ = start_thread("katalys-log", checkpoint); // Without a thread, the next call tries again.
    }

    fn tidy(&self, changes: &mut Changes, is_empty: bool) {
        if changes.are_due(is_empty) {
            self.checkpoint(is_empty || changes.are_old());
            *changes = Changes::default();
        }
    }

    /// The long part goes beside the callers, the short rest while none of them writes, so that
    /// the log can begin anew. With `is_complete`, nothing that was removed stays in the log.
    fn checkpoint(&self, is_complete: bool) {
        let mut upkeep = lock(&self.upkeep);
        let beside = upkeep.tidy();
        let done = beside.and_then(|()| {
            self.group.ask(|_| {
                if is_complete {
                    upkeep.tidy_all().map(drop)
                } else {
                    upkeep.tidy()
                }
            })
        });
        if let Err(error) = done {
            log::debug!(target: "katalys", "no checkpoint of the outbox: {error}");
        }
    }

    fn send_all(&self) {
        while let Some((claim, leased)) = self.next() {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let deadline = Instant::now() + self.manner.timeout.min(leased);
                self.engine.transport.post(&claim.payload, deadline)
            }));
            let judged = outcome.map(|outcome| self.judge(&claim, outcome));
            let failed = || Error::internal("a background thread panicked");
            let (verdict, error) =
                judged.unwrap_or_else(|_| (Verdict::Retry(LONGEST_BACKOFF), Some(failed())));
            let (lane, id, owner) = (claim.lane, claim.id, self.manner.owner);
            let kind = events::kind_of(&verdict);
            let settlement = Settlement {
                lane,
                id,
                owner,
                verdict,
            };
            let finished = Finished {
                settlement,
                error,
                attempts: claim.failures + 1,
                order: self.events.label(kind, lane, &claim.payload),
            };
            self.lock().finished.push(finished);
            self.news.notify_one();
        }
    }

    /// What to send next, and how long it is leased. A process that was stopped for long may have
    /// lost its leases: then another one sends, and this one must not.
    fn next(&self) -> Option<(Claim, Duration)> {
        let mut state = self.lock();
        let deadline = Instant::now() + LONGEST_IDLE;
        loop {
            if let Some(claim) = state.ready.pop_front() {
                let lease = state.held.get(&claim.lane);
                let leased = lease.map_or(Duration::ZERO, |lease| lease.left());
                if leased > SHORTEST_LEASE {
                    return Some((claim, leased));
                }
                state.release(self.manner.owner, &claim);
                self.news.notify_one();
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.is_closing || left.is_zero() {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            state = wait(&self.work, state, left);
            state.idle -= 1;
        }
    }

    fn judge(&self, claim: &Claim, outcome: ExchangeOutcome) -> (Verdict, Option<Error>) {
        let (code, error, asked) = match outcome {
            ExchangeOutcome::Received => {
                self.lock().health.succeeded();
                return (Verdict::Delivered, None);
            }
            ExchangeOutcome::Answered {
                status,
                retry_after,
            } => {
                let code = code_of_answer(status);
                (
                    code,
                    Error::answered(code, status, retry_after),
                    retry_after,
                )
            }
            ExchangeOutcome::Failed(failure) => {
                let code = failure.code;
                (code, Error::new(code, failure.reason), None)
            }
        };
        let share = self.engine.jitter.below(FIRST_BACKOFF).as_secs_f64();
        if code == ErrorCode::Rejected {
            let is_kept = self
                .lock()
                .health
                .rejected(claim.lane, error.status(), share);
            if !is_kept {
                return (self.rejected(&error), Some(error.after(claim.failures + 1)));
            }
        } else {
            self.lock().health.failed(claim.lane, code, asked, share);
        }
        let longest = FIRST_BACKOFF * 2_u32.pow(claim.failures.min(9));
        let wait = self.engine.jitter.below(longest.min(LONGEST_BACKOFF));
        (
            Verdict::Retry(wait.max(asked.unwrap_or_default())),
            Some(error),
        )
    }

    fn rejected(&self, error: &Error) -> Verdict {
        let cause = Cause {
            code: "rejected",
            status: error.status(),
            reason: error.message().to_owned(),
        };
        let hold = self.manner.hold;
        Verdict::Rejected { cause, hold }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Sender {
    fn settled(&self, state: &mut State, finished: Finished, is_mine: bool) {
        let Finished {
            settlement,
            error,
            attempts,
            order,
        } = finished;
        let Settlement { id, verdict, .. } = settlement;
        match (&verdict, &error) {
            (Verdict::Rejected { .. }, Some(error)) if is_mine => {
                log::error!(target: OUTBOX_LOG, "update {id} is now a dead letter: {error}");
            }
            (_, Some(error)) => log::info!(target: OUTBOX_LOG, "update {id}: {error}"),
            (_, None) => {}
        }
        if !is_mine {
            return;
        }
        let (event, result) = match (verdict, error) {
            (Verdict::Delivered, _) => {
                let event = Event::new(EventKind::Delivered, id, order, attempts);
                (event, Some(Ok(attempts)))
            }
            (Verdict::Rejected { .. }, Some(error)) => {
                let event =
                    Event::new(EventKind::DeadLettered, id, order, attempts).caused_by(&error);
                (event, Some(Err(error)))
            }
            (Verdict::Retry(_), Some(error)) => {
                let event = Event::new(EventKind::Retried, id, order, attempts).caused_by(&error);
                (event, None)
            }
            _ => return,
        };
        Events::tell(&self.events, event);
        if let (Some(result), Some(awaited)) = (result, state.awaited.get_mut(&id)) {
            *awaited = Some(result);
        }
    }

    fn died(&self, state: &mut State, died: Died) {
        let Died {
            lane,
            id,
            payload,
            cause,
        } = died;
        log::error!(target: OUTBOX_LOG, "update {id} is now a dead letter: {}", cause.reason);
        let order = self.events.label(EventKind::DeadLettered, lane, &payload);
        let mut event = Event::new(EventKind::DeadLettered, id, order, 0);
        event.code = Some(cause.code);
        Events::tell(&self.events, event);
        if let Some(awaited) = state.awaited.get_mut(&id) {
            *awaited = Some(Err(Error::new(ErrorCode::OutboxFailed, cause.reason)));
        }
    }
}

impl State {
    fn take_result(&mut self, id: UpdateId) -> Option<Result<u32, Error>> {
        let result = self.awaited.get_mut(&id)?.take()?;
        self.awaited.remove(&id);
        Some(result)
    }

    fn release_ready(&mut self, owner: Owner) {
        for claim in std::mem::take(&mut self.ready) {
            self.release(owner, &claim);
        }
    }

    /// Gives back what was not tried after all.
    fn release(&mut self, owner: Owner, claim: &Claim) {
        let settlement = Settlement {
            lane: claim.lane,
            id: claim.id,
            owner,
            verdict: Verdict::Released,
        };
        self.finished.push(Finished {
            settlement,
            error: None,
            attempts: 0,
            order: String::new(),
        });
    }
}

pub(super) fn no_thread(refused: &std::io::Error) -> Error {
    Error::internal(format!("no thread can be started: {refused}"))
}

pub(super) fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    crate::thread::spawn(name, run)
}

fn wait<'s>(
    condition: &Condvar,
    state: MutexGuard<'s, State>,
    most: Duration,
) -> MutexGuard<'s, State> {
    let waited = condition.wait_timeout(state, most);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drawn by the system: a generator of the process's own would go on in its forked children where
/// it stood, and two of them would draw the same.
pub(super) fn draw_owner() -> Result<Owner, Error> {
    let drawn = getrandom::u64();
    let refused = |error| Error::internal(format!("the system gives no random number: {error}"));
    drawn.map(u64::cast_signed).map_err(refused)
}
