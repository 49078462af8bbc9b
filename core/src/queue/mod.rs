//! Where an update waits: behind the earlier updates of its own order, and behind nothing else.

mod lanes;
#[cfg(feature = "outbox")]
pub(crate) mod outbox;

pub(crate) use lanes::Lanes;
