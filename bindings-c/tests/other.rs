//! Another Rust library in a C program: it brings Rust's own library a second time.

use std::panic::{catch_unwind, set_hook};

/// Unwinds, which needs its own personality function.
#[unsafe(no_mangle)]
pub extern "C" fn other_panics_and_recovers() -> i32 {
    set_hook(Box::new(|_| ()));
    let panicked = std::thread::spawn(|| catch_unwind(|| panic!("{}", 7)).is_err());
    if panicked.join().unwrap_or(false) { 7 } else { 0 }
}
