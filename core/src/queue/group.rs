//! Group commit: callers that arrive while a transaction is being written share the next one, and
//! its fsync. The first caller becomes the leader and commits for all waiting followers; there is no
//! thread for it.

use super::store::{Effect, Store, UpdateId, Work};
use crate::error::Error;
use crate::interrupt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::Duration;

/// A store shared by the threads of one process.
pub(crate) struct Group<S> {
    store: Mutex<S>,
    line: Mutex<Line>,
}

/// Called when an update is accepted, before any other transaction can change the update. The store
/// is locked during the call, so an implementation must not use it.
pub(crate) trait OnAccepted: Send + Sync {
    fn accepted(&self, id: UpdateId);
}

/// The work of one caller.
#[derive(Default)]
pub(crate) struct Batch {
    pub work: Vec<Work>,
    /// Called when the appends are accepted: one for each, in the order of `work`, which they
    /// begin.
    pub on_accepted: Vec<Arc<dyn OnAccepted>>,
}

/// Maximum number of pieces of work in a transaction, so that no caller waits long for the work of
/// others.
const MAX_WORK: usize = 512;

#[derive(Default)]
struct Line {
    waiting: Vec<Arc<Caller>>,
    has_leader: bool,
}

struct Caller {
    thread: Thread,
    turn: Mutex<Turn>,
}

enum Turn {
    Waiting(Batch),
    /// A leader has taken the work and is committing it.
    Taken,
    /// The caller is the next leader: it has to commit for all waiting callers.
    Leading(Batch),
    Done(Result<Vec<Effect>, Error>),
}

impl<S: Store> Group<S> {
    pub(crate) fn new(store: S) -> Self {
        let (store, line) = (Mutex::new(store), Mutex::default());
        Self { store, line }
    }

    /// Does the work in one transaction, possibly with the work of other callers.
    pub(crate) fn commit(&self, batch: Batch) -> Result<Vec<Effect>, Error> {
        let caller = {
            let mut line = lock(&self.line);
            if !line.has_leader {
                line.has_leader = true;
                drop(line);
                return self.lead(batch);
            }
            let caller = Arc::new(Caller {
                thread: thread::current(),
                turn: Mutex::new(Turn::Waiting(batch)),
            });
            line.waiting.push(Arc::clone(&caller));
            caller
        };
        loop {
            let is_taken = match caller.take_turn() {
                Some(Turn::Done(result)) => return result,
                Some(Turn::Leading(batch)) => return self.lead(batch),
                turn => turn.is_some(),
            };
            if !interrupt::is_watched() {
                thread::park();
                continue;
            }
            thread::park_timeout(interrupt::SLICE);
            if interrupt::is_over() && (is_taken || self.withdraw(&caller)) {
                return Err(Error::internal("the call was abandoned"));
            }
        }
    }

    /// Removes the work of a caller that gives up; false if it may become the leader.
    fn withdraw(&self, caller: &Arc<Caller>) -> bool {
        let mut line = lock(&self.line);
        let place = line
            .waiting
            .iter()
            .position(|other| Arc::ptr_eq(other, caller));
        place.map(|place| line.waiting.remove(place)).is_some()
    }

    /// Commits the work of this caller and of its followers, then hands over to the next leader.
    fn lead(&self, batch: Batch) -> Result<Vec<Effect>, Error> {
        let handover = Handover(self);
        let mut store = lock(&self.store);
        let own = batch.work.len();
        let followers = self.take_followers(own);
        let mut all = batch;
        let mut shares = Vec::with_capacity(followers.len());
        let mut observers = all.take_observers(0);
        for follower in &followers {
            let Some(mut batch) = follower.take_batch() else {
                shares.push(0);
                continue;
            };
            observers.extend(batch.take_observers(all.work.len()));
            shares.push(batch.work.len());
            all.work.append(&mut batch.work);
        }
        let result = store.commit(&all.work);
        if let Ok(effects) = &result {
            report_accepted(&observers, effects);
        }
        drop(store);
        drop(handover);
        let mut effects = result.map(Vec::into_iter);
        let mut take = |count: usize| match &mut effects {
            Ok(effects) => Ok(effects.by_ref().take(count).collect()),
            Err(error) => Err(error.clone()),
        };
        let mine = take(own);
        for (follower, share) in followers.iter().zip(shares) {
            follower.wake_with(Turn::Done(take(share)));
        }
        mine
    }

    fn take_followers(&self, own: usize) -> Vec<Arc<Caller>> {
        let mut line = lock(&self.line);
        let mut space = MAX_WORK.saturating_sub(own);
        let fits = line.waiting.iter().take_while(|caller| {
            let Turn::Waiting(batch) = &*lock(&caller.turn) else {
                return false;
            };
            let fits = batch.work.len() <= space;
            space = space.saturating_sub(batch.work.len());
            fits
        });
        let count = fits.count();
        line.waiting.drain(..count).collect()
    }

    /// Runs `query` on the store between two transactions.
    pub(crate) fn ask<T>(&self, query: impl FnOnce(&mut S) -> T) -> T {
        query(&mut lock(&self.store))
    }

    /// As `ask`; `None` if a watched caller (see `interrupt`) gives up while other threads use the
    /// store.
    pub(crate) fn ask_in_time<T>(&self, query: impl FnOnce(&mut S) -> T) -> Option<T> {
        while interrupt::is_watched() {
            match self.store.try_lock() {
                Ok(mut store) => return Some(query(&mut store)),
                Err(TryLockError::WouldBlock) if !interrupt::sleep(Duration::from_millis(1)) => {
                    return None;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(_)) => break,
            }
        }
        Some(self.ask(query))
    }
}

impl From<Vec<Work>> for Batch {
    fn from(work: Vec<Work>) -> Self {
        let on_accepted = Vec::new();
        Self { work, on_accepted }
    }
}

impl Batch {
    /// Takes the observers, each with the index of its work in a transaction in which `before`
    /// pieces of work come first.
    fn take_observers(&mut self, before: usize) -> Vec<(usize, Arc<dyn OnAccepted>)> {
        let observers = std::mem::take(&mut self.on_accepted).into_iter();
        observers
            .enumerate()
            .map(|(place, observer)| (before + place, observer))
            .collect()
    }
}

/// Reports accepted updates. Called while the store is still locked, so that no other transaction
/// comes first.
fn report_accepted(observers: &[(usize, Arc<dyn OnAccepted>)], effects: &[Effect]) {
    for (place, observer) in observers {
        if let Some(Effect::Appended { id, .. } | Effect::Collapsed { id, .. }) =
            effects.get(*place)
        {
            observer.accepted(*id);
        }
    }
}

/// When dropped, makes the next waiting caller the leader, even if this leader panics.
struct Handover<'g, S>(&'g Group<S>);

impl<S> Drop for Handover<'_, S> {
    fn drop(&mut self) {
        let mut line = lock(&self.0.line);
        if line.waiting.is_empty() {
            line.has_leader = false;
            return;
        }
        let next = line.waiting.remove(0);
        drop(line);
        next.lead_next();
    }
}

impl Caller {
    /// What the caller has to do; `None` while it waits for a leader.
    fn take_turn(&self) -> Option<Turn> {
        let mut turn = lock(&self.turn);
        match &*turn {
            Turn::Waiting(_) => None,
            _ => Some(std::mem::replace(&mut *turn, Turn::Taken)),
        }
    }

    fn take_batch(&self) -> Option<Batch> {
        let mut turn = lock(&self.turn);
        match std::mem::replace(&mut *turn, Turn::Taken) {
            Turn::Waiting(batch) => Some(batch),
            other => {
                *turn = other;
                None
            }
        }
    }

    /// Makes the caller the leader. Under one lock: in between, it could take itself for a follower.
    fn lead_next(&self) {
        let mut turn = lock(&self.turn);
        let batch = match std::mem::replace(&mut *turn, Turn::Taken) {
            Turn::Waiting(batch) => batch,
            _ => Batch::default(),
        };
        *turn = Turn::Leading(batch);
        drop(turn);
        self.thread.unpark();
    }

    fn wake_with(&self, turn: Turn) {
        *lock(&self.turn) = turn;
        self.thread.unpark();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
