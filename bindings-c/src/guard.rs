//! Stops panics at the interface, and frees what callers own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// Runs `body`; a panic in it becomes `fallback`, without an allocation.
///
/// State that `body` leaves half changed is safe to use: everything behind the interface is owned
/// by the call itself, or guarded by locks that survive a panic.
pub fn guarded<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            // Dropping a panic's payload may panic again; leaking its few bytes is safe.
            std::mem::forget(payload);
            fallback
        }
    }
}

/// Takes the pointer out of a caller's variable and leaves NULL there. None for NULL, or a pointer
/// to NULL.
///
/// # Safety
/// Unless it is null, `place` may be read and written.
pub unsafe fn take<T>(place: *mut *mut T) -> Option<*mut T> {
    if place.is_null() {
        return None;
    }
    // SAFETY: not null, and may be read and written as this function demands.
    let taken = unsafe { place.replace(ptr::null_mut()) };
    (!taken.is_null()).then_some(taken)
}

/// Frees a boxed object and sets the caller's pointer to NULL.
///
/// # Safety
/// `place` is null, or points to null or to an object that `Box::into_raw` gave and that is not in use.
pub unsafe fn free<T>(place: *mut *mut T) {
    guarded((), || {
        // SAFETY: as this function demands.
        if let Some(object) = unsafe { take(place) } {
            // SAFETY: it came from a Box, and the caller's pointer to it is gone.
            drop(unsafe { Box::from_raw(object) });
        }
    });
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

    #[test]
    fn an_object_is_freed_once() {
        let mut object = Box::into_raw(Box::new(String::from("text")));
        for _ in 0..2 {
            // SAFETY: a live object, then the null pointer it left.
            unsafe { free(&raw mut object) };
            assert!(object.is_null());
        }
        // SAFETY: null is allowed.
        unsafe { free(ptr::null_mut::<*mut String>()) };
    }
}
