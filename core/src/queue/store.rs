//! What a durable store has to do for the outbox: a batch of work in one transaction, and a few
//! questions. `SQLite` is one; another can stand in its place.

use super::clock::Millis;
use crate::error::Error;
use crate::order::Stage;
use crate::results::{DeadLetter, PendingUpdate, Stats};
use std::time::Duration;

/// Who holds a lease: a number drawn by each process.
pub(crate) type Owner = i64;
/// The number of an accepted update; numbers rise in the order of acceptance.
pub(crate) type UpdateId = i64;
/// The lane of an order, as [`Checked`](crate::order::Checked) has it, bit for bit.
pub(crate) type LaneId = i64;

/// Durable lanes. Every change goes through `commit`.
pub(crate) trait Store: Send {
    /// Does all of the work, in this order, in one durable transaction, or none of it. Returns
    /// one effect per piece of work.
    fn commit(&mut self, work: &[Work]) -> Result<Vec<Effect>, Error>;

    /// Whether the store is still the one that was opened.
    fn check(&mut self) -> Result<(), Error>;

    /// How things stand for the one who sends.
    fn outlook(&mut self) -> Result<Outlook, Error>;

    /// The books.
    fn stats(&mut self) -> Result<Stats, Error>;

    /// Where an update is now.
    fn whereabouts(&mut self, id: UpdateId) -> Result<Whereabouts, Error>;

    /// Dead letters from this number on, in order, at most so many.
    fn dead_letters(&mut self, from: UpdateId, most: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Pending updates from this number on, in order, at most so many.
    fn pending(&mut self, from: UpdateId, most: usize) -> Result<Vec<PendingUpdate>, Error>;

    /// Everything counted row by row, for tests of the books.
    #[cfg(test)]
    fn audit(&mut self) -> Result<Stats, Error>;
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn commit(&mut self, work: &[Work]) -> Result<Vec<Effect>, Error> {
        (**self).commit(work)
    }

    fn check(&mut self) -> Result<(), Error> {
        (**self).check()
    }

    fn outlook(&mut self) -> Result<Outlook, Error> {
        (**self).outlook()
    }

    fn stats(&mut self) -> Result<Stats, Error> {
        (**self).stats()
    }

    fn whereabouts(&mut self, id: UpdateId) -> Result<Whereabouts, Error> {
        (**self).whereabouts(id)
    }

    fn dead_letters(&mut self, from: UpdateId, most: usize) -> Result<Vec<DeadLetter>, Error> {
        (**self).dead_letters(from, most)
    }

    fn pending(&mut self, from: UpdateId, most: usize) -> Result<Vec<PendingUpdate>, Error> {
        (**self).pending(from, most)
    }

    #[cfg(test)]
    fn audit(&mut self) -> Result<Stats, Error> {
        (**self).audit()
    }
}

/// Work on a store apart from its commits: what may take long and must hold nobody up.
pub(crate) trait Upkeep: Send {
    /// Checkpoints a part of what has been written; cheap if there is little.
    fn tidy(&mut self) -> Result<(), Error>;

    /// Checkpoints everything, so that nothing of what was removed remains; false if another
    /// process was in the way.
    fn tidy_all(&mut self) -> Result<bool, Error>;
}

/// One change.
#[derive(Clone)]
pub(crate) enum Work {
    Append(Append),
    Claim(ClaimOrder),
    Settle(Settlement),
    /// Keeps the leases on these lanes for so much longer.
    Renew {
        owner: Owner,
        lanes: Vec<LaneId>,
        lease: Duration,
    },
    /// Puts a dead letter back into its lane, at its old place.
    Replay(UpdateId),
    /// Removes a dead letter for good.
    Discard(UpdateId),
    /// Makes every update due that waits for its next try.
    Hasten,
    /// Changes what a dead letter says.
    Edit {
        id: UpdateId,
        payload: Vec<u8>,
        stage: StageNumber,
    },
}

/// [`Stage`] as a store keeps it.
pub(crate) type StageNumber = i64;
pub(crate) const PENDING: StageNumber = Stage::Pending as i64;
pub(crate) const PAID: StageNumber = Stage::Paid as i64;
pub(crate) const CLOSED: StageNumber = Stage::Closed as i64;

/// An update to accept.
#[derive(Clone)]
pub(crate) struct Append {
    pub lane: LaneId,
    pub payload: Vec<u8>,
    pub stage: StageNumber,
}

/// A wish for updates to send.
#[derive(Clone, Debug)]
pub(crate) struct ClaimOrder {
    pub owner: Owner,
    pub most: usize,
    /// Any one update that is due, from this lane on, instead of those that waited longest.
    pub any_from: Option<LaneId>,
    pub lease: Duration,
    /// Older updates become dead letters instead.
    pub max_age: Option<Duration>,
    /// Whether such a dead letter stops its lane.
    pub hold: bool,
}

/// What came of an update that was claimed.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub lane: LaneId,
    pub id: UpdateId,
    pub owner: Owner,
    pub verdict: Verdict,
}

#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The endpoint has it.
    Delivered,
    /// Another attempt after this wait.
    Retry(Duration),
    /// Was not tried after all.
    Released,
    /// The endpoint does not want it; `hold` stops the lane.
    Rejected { cause: Cause, hold: bool },
}

/// Why an update is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// `rejected`, `interrupted` or `expired`.
    pub code: &'static str,
    pub status: Option<u16>,
    /// For people; holds no customer data.
    pub reason: String,
}

impl Work {
    /// Whether it needs room for a new update.
    pub(crate) fn takes_in(&self) -> bool {
        matches!(self, Self::Append(_))
    }

    /// Whether a caller is told that it is done: not so in a file that is no longer in its place.
    pub(crate) fn is_of_a_caller(&self) -> bool {
        matches!(
            self,
            Self::Append(_) | Self::Replay(_) | Self::Discard(_) | Self::Edit { .. }
        )
    }
}

/// What one piece of work led to.
#[derive(Clone)]
pub(crate) enum Effect {
    /// Accepted; `stale` if a later state of the order waits before it.
    Appended {
        id: UpdateId,
        stale: bool,
    },
    /// The same as this one, which waits as the last of its lane.
    Collapsed {
        id: UpdateId,
    },
    /// Not accepted: no room.
    Full {
        rows: u64,
        bytes: u64,
    },
    /// Leased to the one who asked; and what became a dead letter instead.
    Claimed {
        claims: Vec<Claim>,
        died: Vec<Died>,
    },
    /// Whether it was still the settler's to settle.
    Settled(bool),
    /// Whether there was such a dead letter.
    Found(bool),
    /// A dead letter of this lane, with this payload, is gone.
    Discarded(Remains),
    Renewed,
    /// This piece alone was not done, or is of no use to its caller.
    Refused(Error),
}

/// An update that became a dead letter before it was sent.
#[derive(Clone)]
pub(crate) struct Died {
    pub lane: LaneId,
    pub id: UpdateId,
    pub payload: Vec<u8>,
    pub cause: Cause,
}

/// What is left of a dead letter that was discarded.
#[derive(Clone)]
pub(crate) struct Remains {
    pub lane: LaneId,
    pub payload: Vec<u8>,
}

/// An update to send, leased.
#[derive(Clone)]
pub(crate) struct Claim {
    pub lane: LaneId,
    pub id: UpdateId,
    pub payload: Vec<u8>,
    /// Failed attempts so far.
    pub failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    Pending,
    Dead,
    Gone,
}

/// How things stand for the one who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    pub pending: u64,
    /// Until the next lane falls due; zero if one is.
    pub next_due: Option<Duration>,
}

/// Saturating, since a count never is negative.
pub(crate) fn count(number: Millis) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A text of a payload; empty if there is none.
pub(crate) fn text_of(payload: &[u8], key: &str) -> String {
    let fields = serde_json::from_slice::<serde_json::Value>(payload).unwrap_or_default();
    fields[key].as_str().unwrap_or_default().to_owned()
}
