//! Keeps panics on this side of the interface.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic in it becomes `fallback`, without an allocation.
///
/// What `body` left half done stays so: everything behind the interface is either owned by the
/// call itself or guarded by locks that survive a panic.
pub fn guarded<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            // Dropping a panic's payload may panic again. Its few bytes are better lost.
            std::mem::forget(payload);
            fallback
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsAgain;

    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn a_panic_becomes_the_fallback_even_if_its_payload_panics_too() {
        assert_eq!(guarded(7, || 1), 1);
        assert_eq!(guarded(7, || panic!("once")), 7);
        let worst = || std::panic::panic_any(PanicsAgain);
        assert_eq!(guarded(7, worst), 7);
    }
}
