//! The outbox's own time: milliseconds that go on across processes and restarts of the machine,
//! and that no change of the wall clock touches.
//!
//! Within one boot it is the system's time since boot, which all processes share. The file
//! remembers the boot and the last time seen, so that another boot goes on from there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in the outbox's time, in milliseconds.
pub(crate) type Millis = i64;

/// Turns the time since boot into the outbox's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset: Millis,
}

/// What the file remembers of the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Era {
    /// The boot in which `offset` holds.
    pub boot: String,
    /// The outbox's time minus the time since that boot.
    pub offset: Millis,
    /// The outbox's time at the last change.
    pub seen: Millis,
    /// The wall clock at the last change: only to estimate how long the machine was off.
    pub seen_wall: Millis,
}

impl Clock {
    /// The clock that goes on from what the file remembers, and whether that is another boot.
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

    /// What the file has to remember now.
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

/// Milliseconds, as far as they fit.
pub(crate) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX / 4)
}

/// The wall clock in Unix milliseconds, for people to read.
pub(crate) fn wall() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

/// Milliseconds that no change of the wall clock touches, and that go on while the machine sleeps.
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

/// Elsewhere there is no time since boot that processes share and safe code can read, so the
/// wall clock has to do.
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
    fn within_one_boot_the_wall_clock_does_not_matter() {
        let (clock, is_new) = Clock::resume(&era(&boot_id(), 1, Millis::MAX / 8));
        assert!(!is_new);
        assert!((clock.now() - since_boot() - 7_000_000).abs() < 1000);
    }

    #[test]
    fn after_another_boot_time_goes_on_and_never_back() {
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
