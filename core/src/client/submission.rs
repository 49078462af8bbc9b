//! The handle of a call that runs in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A call that runs in the background.
#[derive(Clone, Debug)]
pub struct Submission {
    pub(super) cancelled: Arc<AtomicBool>,
}

impl Submission {
    /// Cancels the call: if no request was made yet, none is made; one that is in flight finishes, and
    /// no further one follows. The completion is called in any case.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
