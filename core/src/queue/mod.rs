//! Where an update waits: behind the earlier updates of its own order, and behind nothing else.

mod lanes;
pub(crate) mod outbox;

pub(crate) use lanes::{Lanes, Pass};
