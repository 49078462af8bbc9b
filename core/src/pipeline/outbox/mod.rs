//! The outbox: updates that survive the process and the machine, until they are delivered.
//!
//! ```text
//! operations   accept   enqueue           what a client calls
//!          \     |     /    |
//!           handle          |             opens the file on first use
//!             |             |
//!         dispatcher        |             claims and settles in batches
//!             |             |
//!          delivery       intake          the open outbox; calls that do not wait
//!         /  |   |  \       |
//! workers leases |  dispatch_state, checkpoints, store_status
//!             policy      waiters
//! ```

mod accept;
mod checkpoints;
mod delivery;
mod dispatch_state;
mod dispatcher;
mod enqueue;
mod handle;
mod intake;
mod leases;
mod operations;
mod options;
mod policy;
mod store_status;
mod waiters;
mod workers;

pub(crate) use handle::Outbox;
pub(crate) use intake::{Completion, PendingEnqueue};
