//! The counters of the records.

use serde::Serialize;
use std::collections::HashMap;

/// Counters that change with the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Grows with every change.
    pub revision: u64,
    pub orders: u64,
    pub updates: u64,
    pub refused: u64,
    pub faulted: u64,
}

pub fn increment(counts: &mut HashMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

pub fn decrement(counts: &mut HashMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
