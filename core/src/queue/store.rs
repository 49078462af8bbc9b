//! The interface of a durable store for the outbox: batches of work, each in one transaction, and a
//! few queries. `SQLite` is the implementation.

use super::clock::Millis;
use crate::error::Error;
use crate::order::{Stage, Value, fields_from_json};
use crate::results::{DeadLetter, PendingUpdate, Stats};
use std::time::Duration;

/// Identifies the process that holds a lease: a random number per client and process.
pub(crate) type Owner = i64;
/// The number of an accepted update; numbers rise in the order of acceptance.
pub(crate) type UpdateId = i64;
/// The lane of an order: the bits of [`Checked::lane`](crate::order::Checked) as a signed number.
pub(crate) type LaneId = i64;

/// Durable lanes. Every change goes through `commit`.
pub(crate) trait Store: Send {
    /// Does all of the work, in this order, in one durable transaction, or none of it. Returns
    /// one effect per piece of work.
    fn commit(&mut self, work: &[Work]) -> Result<Vec<Effect>, Error>;

    /// Whether the store is still the one that was opened.
    fn check(&mut self) -> Result<(), Error>;

    /// The pending updates, in numbers.
    fn backlog(&mut self) -> Result<Backlog, Error>;

    /// The counters.
    fn stats(&mut self) -> Result<Stats, Error>;

    /// The state of an update.
    fn state(&mut self, id: UpdateId) -> Result<UpdateState, Error>;

    /// Up to `limit` dead letters from number `from` on, in order.
    fn dead_letters(&mut self, from: UpdateId, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Up to `limit` pending updates from number `from` on, in order.
    fn pending(&mut self, from: UpdateId, limit: usize) -> Result<Vec<PendingUpdate>, Error>;

    /// The counters, with rows counted one by one, for tests.
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

    fn backlog(&mut self) -> Result<Backlog, Error> {
        (**self).backlog()
    }

    fn stats(&mut self) -> Result<Stats, Error> {
        (**self).stats()
    }

    fn state(&mut self, id: UpdateId) -> Result<UpdateState, Error> {
        (**self).state(id)
    }

    fn dead_letters(&mut self, from: UpdateId, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        (**self).dead_letters(from, limit)
    }

    fn pending(&mut self, from: UpdateId, limit: usize) -> Result<Vec<PendingUpdate>, Error> {
        (**self).pending(from, limit)
    }

    #[cfg(test)]
    fn audit(&mut self) -> Result<Stats, Error> {
        (**self).audit()
    }
}

/// Makes checkpoints of a store over a connection of its own: they may take long and must not delay
/// callers.
pub(crate) trait Checkpointer: Send {
    /// Checkpoints a part of the log; cheap if there is little.
    fn checkpoint(&mut self) -> Result<(), Error>;

    /// Checkpoints all of the log, so that no removed update remains in it; false if another process
    /// prevented it.
    fn checkpoint_all(&mut self) -> Result<bool, Error>;
}

/// One change.
#[derive(Clone)]
pub(crate) enum Work {
    Append(Append),
    Claim(ClaimOrder),
    Settle(Settlement),
    /// Renews the leases on these lanes for this long.
    Renew {
        owner: Owner,
        lanes: Vec<LaneId>,
        lease: Duration,
    },
    /// Puts a dead letter back into its lane, at its old place.
    Replay(UpdateId),
    /// Removes a dead letter for good.
    Discard(UpdateId),
    /// Makes every update due that waits for its next attempt.
    MakeDue,
    /// Replaces the payload of a dead letter.
    Edit {
        id: UpdateId,
        payload: Vec<u8>,
        stage: StageNumber,
    },
}

/// The number under which a store keeps a [`Stage`].
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

/// A request for updates to send.
#[derive(Clone, Debug)]
pub(crate) struct ClaimOrder {
    pub owner: Owner,
    pub most: usize,
    /// Claims one due update, searched from this lane on, instead of those that have been due
    /// longest.
    pub any_from: Option<LaneId>,
    pub lease: Duration,
    /// Updates older than this become dead letters instead.
    pub max_age: Option<Duration>,
    /// Whether an update that becomes a dead letter by this claim stops its lane.
    pub hold: bool,
}

/// The result of an attempt to deliver a claimed update.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub lane: LaneId,
    pub id: UpdateId,
    pub owner: Owner,
    pub verdict: Verdict,
}

#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The endpoint has received the update.
    Delivered,
    /// The attempt failed; another one follows after this wait.
    Retry(Duration),
    /// No attempt was made.
    Released,
    /// The endpoint refused it for good; `hold` stops the lane.
    Rejected { cause: Cause, hold: bool },
}

/// Why an update is a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// `rejected`, `interrupted` or `expired`.
    pub code: &'static str,
    pub status: Option<u16>,
    /// A description for users, without customer data.
    pub reason: String,
}

impl Work {
    /// Whether the work needs disk space for a new update.
    pub(crate) fn is_append(&self) -> bool {
        matches!(self, Self::Append(_))
    }

    /// Whether a caller waits for the result. Such work is refused if the file is no longer at its
    /// path.
    pub(crate) fn has_caller(&self) -> bool {
        matches!(
            self,
            Self::Append(_) | Self::Replay(_) | Self::Discard(_) | Self::Edit { .. }
        )
    }
}

/// The result of one piece of work.
#[derive(Clone)]
pub(crate) enum Effect {
    /// Accepted; `stale` if a later state of the order is pending before it. `discarded` counts the
    /// dead letters discarded until then.
    Appended {
        id: UpdateId,
        stale: bool,
        discarded: u64,
    },
    /// Not added, since it equals this update, the last one of its lane.
    Collapsed { id: UpdateId, discarded: u64 },
    /// Not accepted: the outbox has reached its capacity.
    Full { rows: u64, bytes: u64 },
    /// Updates that are leased to the owner, and updates that became dead letters instead.
    Claimed {
        claims: Vec<Claim>,
        dead: Vec<DeadUpdate>,
    },
    /// Whether the owner still had the lease.
    Settled(bool),
    /// Whether there was such a dead letter.
    Found(bool),
    /// A dead letter of this lane, with this payload, was removed.
    Discarded(Discarded),
    /// Renewed, apart from these leases: another process has taken over the lane.
    Renewed { lost: Vec<LaneId> },
    /// Every waiting update is due.
    MadeDue,
    /// This piece of work was refused; the rest of the transaction was done.
    Refused(Error),
}

/// An update that became a dead letter before it was sent.
#[derive(Clone)]
pub(crate) struct DeadUpdate {
    pub lane: LaneId,
    pub id: UpdateId,
    pub payload: Vec<u8>,
    pub cause: Cause,
}

/// A dead letter that was discarded.
#[derive(Clone)]
pub(crate) struct Discarded {
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

/// The state of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateState {
    Pending,
    Dead,
    /// Delivered, or discarded; `discarded` counts the dead letters discarded so far.
    Gone {
        discarded: u64,
    },
}

/// The pending updates, in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    pub pending: u64,
    /// Time until the next lane is due; zero if one is.
    pub next_due: Option<Duration>,
}

/// Converts a count to the type in which it is reported; a negative one becomes 0.
pub(crate) fn count(number: Millis) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The text of a field in a payload; empty if there is none.
pub(crate) fn text_of(payload: &[u8], key: &str) -> String {
    let fields = fields_from_json(payload).unwrap_or_default();
    let found = fields.into_iter().find(|(name, _)| name == key);
    match found {
        Some((_, Value::Text(text))) => text.into_owned(),
        _ => String::new(),
    }
}
