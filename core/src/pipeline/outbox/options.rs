//! How an outbox delivers: the settings of its client, and the limits that hold for every client.

use crate::config::{Config, Language, OnRejected, OutboxSettings};
use crate::error::Error;
use crate::queue::store::Owner;
use std::time::Duration;

/// Minimum duration of a lease. Once a lease runs out, other processes assume that its owner has
/// died.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// Interval for noticing updates and settlements of other processes while something is pending.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// `POLL` while nothing is pending: an idle process should use next to no CPU time.
const IDLE_POLL: Duration = Duration::from_secs(5);
/// `IDLE_POLL` for the `katalys` command, which delivers what other processes append.
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
    /// Updates older than this become dead letters.
    pub max_age: Option<Duration>,
    /// Interval for noticing updates of other processes while nothing is pending.
    pub idle_poll: Duration,
}

impl DeliveryOptions {
    pub(super) fn new(config: &Config, settings: &OutboxSettings) -> Result<Self, Error> {
        Ok(Self {
            owner: random_owner()?,
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

/// A random number from the operating system: forked children inherit the state of a generator in
/// the process, and two of them would choose the same owner.
fn random_owner() -> Result<Owner, Error> {
    let number = getrandom::u64();
    let failed = |error| Error::internal(format!("the system returned no random number: {error}"));
    number.map(u64::cast_signed).map_err(failed)
}
