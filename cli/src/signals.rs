//! Ctrl-C and SIGTERM: asks to stop; a second one ends the process at once.

use crate::exit::Exit;
use crate::failure::Failure;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a signal to stop has arrived.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> Result<Self, Failure> {
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

    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
