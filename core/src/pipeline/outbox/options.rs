//! How an outbox delivers: the settings of its client, and the limits that hold for every client.

use crate::config::{Config, Language, OnRejected, OutboxSettings};
use crate::error::Error;
use crate::queue::store::Owner;
use std::time::Duration;

/// A process that does not renew its leases for this long is taken for dead.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Interval for noticing updates and settlements of other processes while something is pending.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// The same while nothing is pending: an idle process must cost nothing.
const IDLE_POLL: Duration = Duration::from_secs(5);
/// The same for the command, which delivers for other processes.
const RELAY_POLL: Duration = Duration::from_millis(200);

/// How a client delivers from its outbox.
#[derive(Clone, Debug)]
pub(super) struct DeliveryOptions {
    /// The identity of this process in leases.
    pub owner: Owner,
    /// Maximum number of sending threads.
    pub workers: usize,
    /// Time limit of an attempt.
    pub timeout: Duration,
    /// What happens to the later updates of an order with a dead letter.
    pub on_rejected: OnRejected,
    /// Older updates become dead letters.
    pub max_age: Option<Duration>,
    /// Interval for noticing updates of other processes while nothing is pending.
    pub idle_poll: Duration,
}

impl DeliveryOptions {
    pub(super) fn new(config: &Config, settings: &OutboxSettings) -> Result<Self, Error> {
        Ok(Self {
            owner: draw_owner()?,
            workers: config.workers,
            timeout: config.timeout,
            on_rejected: settings.on_rejected,
            max_age: settings.max_age,
            idle_poll: match config.language {
                Language::Cli => RELAY_POLL,
                _ => IDLE_POLL,
            },
        })
    }

    /// Whether a dead letter stops its lane.
    pub(super) fn holds(&self) -> bool {
        self.on_rejected == OnRejected::Hold
    }

    /// Duration of a lease: long enough for an attempt and its settlement.
    pub(super) fn lease(&self) -> Duration {
        LEASE.max(self.timeout * 2)
    }
}

/// Drawn by the system: a generator of the process would continue in its forked children, and two of
/// them would draw the same number.
fn draw_owner() -> Result<Owner, Error> {
    let drawn = getrandom::u64();
    let refused = |error| Error::internal(format!("the system returned no random number: {error}"));
    drawn.map(u64::cast_signed).map_err(refused)
}
