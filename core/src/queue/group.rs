//! Group commit: callers that come while a transaction is being written share the next one, and
//! its fsync. Whoever finds nobody writing writes for all that wait; no thread of its own.

use super::store::{Effect, Store, Work};
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

/// A transaction takes in no more than this, so that nobody waits for too much of others.
const MOST_WORK: usize = 512;

#[derive(Default)]
struct Line {
    waiting: Vec<Arc<Caller>>,
    is_written: bool,
}

struct Caller {
    thread: Thread,
    turn: Mutex<Turn>,
}

enum Turn {
    Waits(Vec<Work>),
    /// Has to write for all that wait.
    Leads(Vec<Work>),
    Done(Result<Vec<Effect>, Error>),
    Over,
}

impl<S: Store> Group<S> {
    pub(crate) fn new(store: S) -> Self {
        let (store, line) = (Mutex::new(store), Mutex::default());
        Self { store, line }
    }

    /// Does the work in one transaction, perhaps together with that of others.
    pub(crate) fn commit(&self, work: Vec<Work>) -> Result<Vec<Effect>, Error> {
        let caller = {
            let mut line = lock(&self.line);
            if !line.is_written {
                line.is_written = true;
                drop(line);
                return self.lead(work);
            }
            let caller = Arc::new(Caller {
                thread: thread::current(),
                turn: Mutex::new(Turn::Waits(work)),
            });
            line.waiting.push(Arc::clone(&caller));
            caller
        };
        loop {
            let mut turn = lock(&caller.turn);
            match std::mem::replace(&mut *turn, Turn::Over) {
                Turn::Done(result) => return result,
                Turn::Leads(work) => {
                    drop(turn);
                    return self.lead(work);
                }
                waits => *turn = waits,
            }
            let is_taken = matches!(&*turn, Turn::Waits(work) if work.is_empty());
            drop(turn);
            if !interrupt::is_watched() {
                thread::park();
                continue;
            }
            thread::park_timeout(interrupt::SLICE);
            if interrupt::is_over() && (is_taken || self.withdraw(&caller)) {
                return Err(Error::internal("the call was given up"));
            }
        }
    }

    /// Takes back the work of a caller that gives up; false if it may be called to lead.
    fn withdraw(&self, caller: &Arc<Caller>) -> bool {
        let mut line = lock(&self.line);
        let place = line
            .waiting
            .iter()
            .position(|other| Arc::ptr_eq(other, caller));
        place.map(|place| line.waiting.remove(place)).is_some()
    }

    /// Writes one's own work and that of those who wait, then leaves the lead to the next.
    fn lead(&self, mut work: Vec<Work>) -> Result<Vec<Effect>, Error> {
        let handover = Handover(self);
        let mut store = lock(&self.store);
        let own = work.len();
        let followers = self.take_followers(own);
        let mut shares = Vec::with_capacity(followers.len());
        for follower in &followers {
            let mut turn = lock(&follower.turn);
            if let Turn::Waits(share) = &mut *turn {
                shares.push(share.len());
                work.append(share);
            }
        }
        let result = store.commit(&work);
        drop(store);
        drop(handover);
        let mut effects = result.map(Vec::into_iter);
        let mut take = |count: usize| match &mut effects {
            Ok(effects) => Ok(effects.by_ref().take(count).collect()),
            Err(error) => Err(error.clone()),
        };
        let mine = take(own);
        for (follower, share) in followers.iter().zip(shares) {
            follower.call(Turn::Done(take(share)));
        }
        mine
    }

    fn take_followers(&self, own: usize) -> Vec<Arc<Caller>> {
        let mut line = lock(&self.line);
        let mut room = MOST_WORK.saturating_sub(own);
        let fits = line.waiting.iter().take_while(|caller| {
            let Turn::Waits(work) = &*lock(&caller.turn) else {
                return false;
            };
            let fits = work.len() <= room;
            room = room.saturating_sub(work.len());
            fits
        });
        let count = fits.count();
        line.waiting.drain(..count).collect()
    }

    /// Asks the store something, between two transactions.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut S) -> T) -> T {
        question(&mut lock(&self.store))
    }

    /// As `ask`, unless a watched caller gives up while others use the store.
    pub(crate) fn ask_in_time<T>(&self, question: impl FnOnce(&mut S) -> T) -> Option<T> {
        while interrupt::is_watched() {
            match self.store.try_lock() {
                Ok(mut store) => return Some(question(&mut store)),
                Err(TryLockError::WouldBlock) if !interrupt::sleep(Duration::from_millis(1)) => {
                    return None;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(_)) => break,
            }
        }
        Some(self.ask(question))
    }
}

/// Whatever happens to a leader, the next one takes over.
struct Handover<'g, S>(&'g Group<S>);

impl<S> Drop for Handover<'_, S> {
    fn drop(&mut self) {
        let mut line = lock(&self.0.line);
        if line.waiting.is_empty() {
            line.is_written = false;
            return;
        }
        let next = line.waiting.remove(0);
        drop(line);
        let work = match std::mem::replace(&mut *lock(&next.turn), Turn::Over) {
            Turn::Waits(work) => work,
            _ => Vec::new(),
        };
        next.call(Turn::Leads(work));
    }
}

impl Caller {
    fn call(&self, turn: Turn) {
        *lock(&self.turn) = turn;
        self.thread.unpark();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
