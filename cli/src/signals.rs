//! SIGINT and SIGTERM: the first requests a stop, a second one exits immediately.

use crate::exit::Exit;
use crate::failure::Failure;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is set when a stop is requested.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Installs the signal handlers.
    pub fn install() -> Result<Self, Failure> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM] {
            let again = Arc::clone(&interrupt.0);
            let first = Arc::clone(&interrupt.0);
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, again)
                .and_then(|_| flag::register(signal, first))
                .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        }
        Ok(interrupt)
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
