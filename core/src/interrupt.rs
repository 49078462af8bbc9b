//! Waits that end early when the caller asks for it, such as at Ctrl-C.
//!
//! A binding whose runtime handles signals on the calling thread sends within [`watched`]: every
//! wait of that thread is then cut into slices, and between two slices the binding says whether to
//! go on. Other threads, and calls outside of it, wait as they are.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// The longest that a watched thread waits without asking.
pub(crate) const SLICE: Duration = Duration::from_millis(40);

/// What a call left unfinished when it ended early: the answer to a request that was made.
pub(crate) type Rest = Box<dyn FnOnce() + Send>;

struct Watch {
    goes_on: Box<dyn FnMut() -> bool>,
    asked: Instant,
    is_over: bool,
    rest: Option<Rest>,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Runs a call whose waits end soon after `goes_on` said no, which it is asked between the slices
/// of a wait. What the call then returns is of no interest; it may be any error.
pub fn watched<T>(goes_on: impl FnMut() -> bool + 'static, call: impl FnOnce() -> T) -> T {
    struct Reset(Option<Watch>);
    impl Drop for Reset {
        fn drop(&mut self) {
            WATCH.replace(self.0.take());
        }
    }
    let watch = Watch {
        goes_on: Box::new(goes_on),
        asked: Instant::now(),
        is_over: false,
        rest: None,
    };
    let _reset = Reset(WATCH.replace(Some(watch)));
    call()
}

/// Whether this thread's waits are to be cut.
pub(crate) fn is_watched() -> bool {
    WATCH.with_borrow(Option::is_some)
}

/// At most a slice on a watched thread.
pub(crate) fn slice_of(wait: Duration) -> Duration {
    if is_watched() { wait.min(SLICE) } else { wait }
}

/// Asks whether the call is to end, at most once in a slice; once it is, it stays so.
pub(crate) fn is_over() -> bool {
    let due = WATCH.with_borrow_mut(|watch| match watch {
        Some(watch) if !watch.is_over && watch.asked.elapsed() >= SLICE / 2 => {
            watch.asked = Instant::now();
            // Taken out while it runs: it may run any code, a call of this library included.
            Some(std::mem::replace(&mut watch.goes_on, Box::new(|| true)))
        }
        _ => None,
    });
    let Some(mut goes_on) = due else {
        return was_over();
    };
    let ends = !goes_on();
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch {
            watch.goes_on = goes_on;
            watch.is_over |= ends;
        }
    });
    ends
}

/// Whether the call was ended early.
pub(crate) fn was_over() -> bool {
    WATCH.with_borrow(|watch| watch.as_ref().is_some_and(|watch| watch.is_over))
}

/// Sleeps; false if the call is to end.
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

/// Keeps what is left to do of a call that ended early.
pub(crate) fn leave(rest: Rest) {
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch {
            watch.rest = Some(rest);
        }
    });
}

/// What a call that ended early left to do.
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
    fn a_call_within_the_question_is_not_watched_by_the_outer_one() {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let goes_on = move || {
            count.set(count.get() + 1);
            watched(|| true, || sleep(SLICE * 2));
            count.get() < 2
        };
        assert!(!watched(goes_on, || sleep(Duration::from_secs(20))));
        assert_eq!(asked.get(), 2);
    }
}
