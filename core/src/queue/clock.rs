//! The clock of an outbox: milliseconds that continue across processes and restarts of the machine,
//! independently of the wall clock.
//!
//! Within one boot it is the system's time since boot, which all processes share. The file stores the
//! boot and the last known time, from which the next boot continues.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time of the clock, in milliseconds.
pub(crate) type Millis = i64;

/// Converts the time since boot to the time of the outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset: Millis,
}

/// The state of the clock in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Era {
    /// The boot in which `offset` holds.
    pub boot: String,
    /// The time of the outbox minus the time since that boot.
    pub offset: Millis,
    /// The time of the outbox at the last change.
    pub seen: Millis,
    /// The wall clock at the last change, only to estimate how long the machine was off.
    pub seen_wall: Millis,
}

impl Clock {
    /// Continues the clock from the state in the file; returns whether this is another boot.
    pub(crate) fn resume(era: &Era) -> (Self, bool) {
        if era.boot == boot_id() {
            let offset = era.offset;
            return (Self { offset }, false);
        }
        let off = (wall() - era.seen_wall).max(0);
        let offset = era.seen + off - since_boot();
        (Self { offset }, true)
    }

    pub(crate) fn now(self) -> Millis {
        since_boot() + self.offset
    }

    /// The state to store in the file.
    pub(crate) fn era(self) -> Era {
        let (boot, offset) = (boot_id(), self.offset);
        Era {
            boot,
            offset,
            seen: self.now(),
            seen_wall: wall(),
        }
    }
}

/// Converts to milliseconds; a longer duration is shortened.
pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 4)
}

/// The wall clock in Unix milliseconds, for display.
pub(crate) fn wall() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

/// Milliseconds since boot, independent of the wall clock, including the time the machine sleeps.
#[cfg(target_os = "linux")]
pub(crate) fn since_boot() -> Millis {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

#[cfg(target_os = "linux")]
fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

/// On other systems safe code cannot read a time since boot that processes share, so the wall clock is
/// used.
#[cfg(not(target_os = "linux"))]
pub(crate) fn since_boot() -> Millis {
    wall()
}

#[cfg(not(target_os = "linux"))]
fn boot_id() -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn era(boot: &str, seen: Millis, seen_wall: Millis) -> Era {
        let (boot, offset) = (boot.to_owned(), 7_000_000);
        Era {
            boot,
            offset,
            seen,
            seen_wall,
        }
    }

    #[test]
    fn within_one_boot_the_wall_clock_is_not_used() {
        let (clock, is_new) = Clock::resume(&era(&boot_id(), 1, Millis::MAX / 8));
        assert!(!is_new);
        assert!((clock.now() - since_boot() - 7_000_000).abs() < 1000);
    }

    #[test]
    fn after_another_boot_the_clock_continues_and_never_goes_back() {
        let hour = 3_600_000;
        let (clock, is_new) = Clock::resume(&era("another", 5_000, wall() - hour));
        assert!(is_new);
        assert!((clock.now() - 5_000 - hour).abs() < 1000);
        let (clock, _) = Clock::resume(&era("another", 5_000, wall() + hour));
        assert!(
            (clock.now() - 5_000).abs() < 1000,
            "the wall clock jumped back"
        );
    }
}
