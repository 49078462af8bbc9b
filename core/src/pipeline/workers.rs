//! Background threads that deliver without an outbox: started when needed, ended when idle.

use super::attempt::Attempt;
use super::call::CallProgress;
use super::link::Link;
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

/// Receives the result of a call, on a background thread.
pub(crate) type OnReceipt = Box<dyn FnOnce(Result<Receipt, Error>) + Send>;

/// One update to deliver in the background.
pub(crate) struct Job {
    pub update: Checked,
    pub call: CallProgress,
    pub cancelled: Arc<AtomicBool>,
    pub complete: OnReceipt,
}

/// A thread that is idle for this long ends.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

/// Background threads of one client. They finish every job that was submitted before it is dropped.
pub(crate) struct Workers {
    shared: Arc<Shared>,
}

/// Runs jobs even after [`Workers`] was dropped.
pub(crate) struct Handle(Arc<Shared>);

struct Shared {
    link: Arc<Link>,
    lanes: Arc<Lanes<Job>>,
    max_threads: usize,
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
    /// A thread was woken or started and does not run yet. Once it runs, it wakes the next one if
    /// needed.
    is_waking: bool,
    is_closing: bool,
}

/// A job between two attempts; equal times keep their order.
struct Later {
    at: Instant,
    sequence: u64,
    job: Job,
}

impl Workers {
    pub(crate) fn new(link: Arc<Link>, lanes: Arc<Lanes<Job>>, max_threads: usize) -> Self {
        let (state, work) = (Mutex::default(), Condvar::new());
        Self {
            shared: Arc::new(Shared {
                link,
                lanes,
                max_threads,
                state,
                work,
            }),
        }
    }

    /// Runs a job that is the first in its lane.
    pub(crate) fn run(&self, job: Job) {
        Shared::run(&self.shared, job);
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }
}

impl Handle {
    pub(crate) fn run(&self, job: Job) {
        Shared::run(&self.0, job);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn run(shared: &Arc<Self>, job: Job) {
        let mut state = shared.lock();
        state.ready.push_back(job);
        Self::wake_thread(shared, state);
    }

    /// Wakes or starts one thread for the jobs that are ready. That thread wakes the next one if
    /// jobs are left by then; often the running threads have taken them, which saves the wake-up.
    fn wake_thread(shared: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.is_waking {
            return;
        }
        if state.idle > 0 {
            state.is_waking = true;
            drop(state);
            return shared.work.notify_one();
        }
        // At the limit, a running thread takes the job next.
        if state.threads >= shared.max_threads {
            return;
        }
        state.is_waking = true;
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

    /// Called when the system refuses a thread: a running thread takes the jobs; if there is none,
    /// they fail.
    fn without_thread(&self, refused: &std::io::Error) {
        let mut state = self.lock();
        state.is_waking = false;
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
        shared.lock().is_waking = false;
        while let Some(mut job) = Self::next(shared) {
            let attempt = catch_unwind(AssertUnwindSafe(|| shared.attempt(&mut job)));
            let result = match attempt {
                Ok(Attempt::Retry(wait, _)) => {
                    shared.postpone(job, wait);
                    continue;
                }
                Ok(Attempt::Delivered) => Ok(()),
                Ok(Attempt::Failed(error)) => Err(error),
                Err(_) => Err(Error::internal("a background thread panicked")),
            };
            if let Some(behind) = shared.settle(job, result) {
                shared.lock().ready.push_front(behind);
            }
        }
    }

    fn attempt(&self, job: &mut Job) -> Attempt {
        if job.cancelled.load(Ordering::Relaxed) {
            return Attempt::Failed(Error::internal("the call was cancelled"));
        }
        job.call.attempt(&self.link, &job.update.payload)
    }

    /// Completes a job; returns the next job of its lane. Leaves the lane first, so that a
    /// completion that sends again does not wait for itself.
    fn settle(&self, job: Job, result: Result<(), Error>) -> Option<Job> {
        let behind = self.lanes.leave(job.update.lane);
        let Job {
            update,
            call,
            complete,
            ..
        } = job;
        let result = result.map(|()| call.receipt(update.warnings));
        // If a completion panics, other jobs are not affected.
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
                // A thread has to be awake for jobs that are ready or become due meanwhile.
                if !state.ready.is_empty() || !state.later.is_empty() {
                    Self::wake_thread(shared, state);
                }
                return Some(job);
            }
            let due = state.later.peek().map(|Reverse(later)| later.at);
            if due.is_none() && state.is_closing {
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
            state.is_waking = false;
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
    /// The next job that can run now. A job whose next attempt is due goes before a new one.
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
