//! Waits that the caller can end early, such as with Ctrl-C.
//!
//! A binding whose runtime handles signals on the calling thread makes its calls within
//! [`watched`]. Such a watched thread waits in short slices, and between two slices the binding
//! decides whether the call continues. Other threads and other calls wait as usual.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// The longest time that a watched thread waits before the binding is asked whether to continue.
pub(crate) const SLICE: Duration = Duration::from_millis(40);

/// Work left by a call that ended early: reading the answer to a request that was sent.
pub(crate) type Rest = Box<dyn FnOnce() + Send>;

struct Watch {
    continues: Box<dyn FnMut() -> bool>,
    asked: Instant,
    is_over: bool,
    rest: Option<Rest>,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Runs a call whose waits end soon after `continues` returns false; it is called between the slices of a
/// wait. The result of a call that ended early has no meaning; it may be any error.
pub fn watched<T>(continues: impl FnMut() -> bool + 'static, call: impl FnOnce() -> T) -> T {
    struct Reset(Option<Watch>);
    impl Drop for Reset {
        fn drop(&mut self) {
            WATCH.replace(self.0.take());
        }
    }
    let watch = Watch {
        continues: Box::new(continues),
        asked: Instant::now(),
        is_over: false,
        rest: None,
    };
    let _reset = Reset(WATCH.replace(Some(watch)));
    call()
}

/// Whether the waits of this thread are divided into slices.
pub(crate) fn is_watched() -> bool {
    WATCH.with_borrow(Option::is_some)
}

/// How long to wait before the next check: the whole wait, or one slice of it on a watched thread.
pub(crate) fn slice_of(wait: Duration) -> Duration {
    if is_watched() { wait.min(SLICE) } else { wait }
}

/// Whether the call has to end. Asks the binding at most once per slice; once the answer is yes, it
/// stays so.
pub(crate) fn is_over() -> bool {
    let due = WATCH.with_borrow_mut(|watch| match watch {
        Some(watch) if !watch.is_over && watch.asked.elapsed() >= SLICE / 2 => {
            watch.asked = Instant::now();
            // Removed while it runs, since it may call this library.
            Some(std::mem::replace(&mut watch.continues, Box::new(|| true)))
        }
        _ => None,
    });
    let Some(mut continues) = due else {
        return was_over();
    };
    let ends = !continues();
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch {
            watch.continues = continues;
            watch.is_over |= ends;
        }
    });
    ends
}

/// Whether the call has ended early.
pub(crate) fn was_over() -> bool {
    WATCH.with_borrow(|watch| watch.as_ref().is_some_and(|watch| watch.is_over))
}

/// Sleeps; returns false as soon as the call has to end.
pub(crate) fn sleep(wait: Duration) -> bool {
    let end = Instant::now() + wait;
    while !was_over() {
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(slice_of(left));
        if !is_over() && Instant::now() >= end {
            return true;
        }
    }
    false
}

/// Keeps the rest of a call that ended early.
pub(crate) fn leave(rest: Rest) {
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch {
            watch.rest = Some(rest);
        }
    });
}

/// Removes and returns the rest of a call that ended early.
pub(crate) fn take_rest() -> Option<Rest> {
    WATCH.with_borrow_mut(|watch| watch.as_mut()?.rest.take())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_watched_wait_ends_early_and_others_do_not() {
        let started = Instant::now();
        assert!(!watched(|| false, || sleep(Duration::from_secs(20))));
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(!is_watched());
        assert!(sleep(SLICE * 3));
        assert!(started.elapsed() >= SLICE * 3);
    }

    #[test]
    fn a_call_within_the_callback_is_watched_separately() {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let continues = move || {
            count.set(count.get() + 1);
            watched(|| true, || sleep(SLICE * 2));
            count.get() < 2
        };
        assert!(!watched(continues, || sleep(Duration::from_secs(20))));
        assert_eq!(asked.get(), 2);
    }
}
