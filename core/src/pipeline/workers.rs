//! The threads that send in the background: started as they are needed, gone when they are idle.

use super::attempt::{Attempts, Jitter, Step};
use crate::delivery::Transport;
use crate::error::Error;
use crate::order::Checked;
use crate::queue::Lanes;
use crate::results::Receipt;
use crate::thread;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Takes the result of a job, on one of the pool's threads.
pub(crate) type Completion = Box<dyn FnOnce(Result<Receipt, Error>) + Send>;

/// One update on its way in the background.
pub(crate) struct Job {
    pub update: Checked,
    pub attempts: Attempts,
    pub cancelled: Arc<AtomicBool>,
    pub complete: Completion,
}

/// What waiting and background calls of one client share within one process.
pub(crate) struct Engine {
    pub transport: Transport,
    pub lanes: Lanes<Job>,
    pub jitter: Jitter,
}

/// A thread that found nothing to do for this long ends.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// Background threads of one client. Dropping it lets them finish what was handed in.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    most_threads: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Job>,
    later: BinaryHeap<Reverse<Later>>,
    delayed: u64,
    threads: usize,
    idle: usize,
    /// A thread was called and has not come yet; it will call the next one if there is need.
    called: bool,
    closing: bool,
}

/// A job that waits for its next attempt; equal times keep their order.
struct Later {
    at: Instant,
    sequence: u64,
    job: Job,
}

impl Pool {
    pub(crate) fn new(engine: Arc<Engine>, most_threads: usize) -> Self {
        let (state, work) = (Mutex::default(), Condvar::new());
        Self {
            shared: Arc::new(Shared {
                engine,
                most_threads,
                state,
                work,
            }),
        }
    }

    /// Takes over a job whose turn in its lane has come.
    pub(crate) fn run(&self, job: Job) {
        Shared::run(&self.shared, job);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn run(shared: &Arc<Self>, job: Job) {
        let mut state = shared.lock();
        state.ready.push_back(job);
        Self::call_thread(shared, state);
    }

    /// Threads are called one at a time, and each calls the next one: meanwhile those that are
    /// awake may have done the work, which spares the rest the wake-up.
    fn call_thread(shared: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.called {
            return;
        }
        if state.idle > 0 {
            state.called = true;
            drop(state);
            return shared.work.notify_one();
        }
        // With as many threads as allowed, a busy one takes the job when it is done.
        if state.threads >= shared.most_threads {
            return;
        }
        state.called = true;
        state.threads += 1;
        drop(state);
        if let Err(refused) = Self::start_thread(shared) {
            shared.without_thread(&refused);
        }
    }

    fn start_thread(shared: &Arc<Self>) -> std::io::Result<()> {
        let shared = Arc::clone(shared);
        thread::spawn("katalys-send", move || Self::work(&shared))
    }

    /// The system gives no thread: with others running the job waits for them, otherwise it fails.
    fn without_thread(&self, refused: &std::io::Error) {
        let mut state = self.lock();
        state.called = false;
        state.threads -= 1;
        if state.threads > 0 {
            return;
        }
        let mut stranded = std::mem::take(&mut state.ready);
        drop(state);
        while let Some(job) = stranded.pop_front() {
            let error = Error::internal(format!("no thread can be started: {refused}"));
            stranded.extend(self.settle(job, Err(error)));
        }
    }

    fn work(shared: &Arc<Self>) {
        shared.lock().called = false;
        while let Some(mut job) = Self::next(shared) {
            let step = catch_unwind(AssertUnwindSafe(|| shared.step(&mut job)));
            let result = match step {
                Ok(Step::Again(wait)) => {
                    shared.postpone(job, wait);
                    continue;
                }
                Ok(Step::Received) => Ok(()),
                Ok(Step::Failed(error)) => Err(error),
                Err(_) => Err(Error::internal("a background thread panicked")),
            };
            if let Some(behind) = shared.settle(job, result) {
                shared.lock().ready.push_front(behind);
            }
        }
    }

    fn step(&self, job: &mut Job) -> Step {
        if job.cancelled.load(Ordering::Relaxed) {
            return Step::Failed(Error::internal("the call was cancelled"));
        }
        let engine = &self.engine;
        job.attempts
            .attempt(&engine.transport, &job.update.payload, &engine.jitter)
    }

    /// Leaves the lane first, so that a completion which sends again is not behind itself.
    fn settle(&self, job: Job, result: Result<(), Error>) -> Option<Job> {
        let behind = self.engine.lanes.leave(job.update.lane);
        let Job {
            update,
            attempts,
            complete,
            ..
        } = job;
        let result = result.map(|()| attempts.receipt(update.warnings));
        // A completion that panics takes its own result with it, and nothing else.
        let _ = catch_unwind(AssertUnwindSafe(|| complete(result)));
        behind
    }

    fn postpone(&self, job: Job, wait: Duration) {
        let mut state = self.lock();
        state.delayed += 1;
        let later = Later {
            at: Instant::now() + wait,
            sequence: state.delayed,
            job,
        };
        state.later.push(Reverse(later));
    }

    /// The next job to run; `None` ends the thread.
    fn next(shared: &Arc<Self>) -> Option<Job> {
        let mut state = shared.lock();
        loop {
            let now = Instant::now();
            if let Some(job) = state.next_due(now) {
                // Somebody has to be there for what is ready, and for what falls due meanwhile.
                if !state.ready.is_empty() || !state.later.is_empty() {
                    Self::call_thread(shared, state);
                }
                return Some(job);
            }
            let due = state.later.peek().map(|Reverse(later)| later.at);
            if due.is_none() && state.closing {
                break;
            }
            let wait = due.map_or(LONGEST_IDLE, |at| at - now);
            state.idle += 1;
            let (woken, timeout) = shared
                .work
                .wait_timeout(state, wait)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            state.called = false;
            if timeout.timed_out()
                && due.is_none()
                && state.ready.is_empty()
                && state.later.is_empty()
            {
                break;
            }
        }
        state.threads -= 1;
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What has waited long enough for its next attempt goes before what is new.
    fn next_due(&mut self, now: Instant) -> Option<Job> {
        if self
            .later
            .peek()
            .is_some_and(|Reverse(later)| later.at <= now)
        {
            return self.later.pop().map(|Reverse(later)| later.job);
        }
        self.ready.pop_front()
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Later {}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
