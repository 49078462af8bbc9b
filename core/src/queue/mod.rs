//! Queues of updates: lanes in memory, and the durable lanes of an outbox. An update waits only for the
//! earlier updates of its own order.

pub(crate) mod clock;
pub(crate) mod group;
mod lanes;
pub(crate) mod sqlite;
pub(crate) mod store;

pub(crate) use lanes::{Lanes, Pass};
