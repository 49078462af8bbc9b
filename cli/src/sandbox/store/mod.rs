//! What the sandbox has received, in `SQLite`.
//!
//! `worker` owns the database, which `schema` opens, on a thread of its own. `record` writes to it;
//! `list`, `order` and `stream` read from it. All of these use `records`, the database with its
//! `counters`, the `id_index` and the latest `filter`. `record` merges a `request` into a `stored_order`;
//! `sql` converts values.

mod counters;
mod filter;
mod id_index;
mod list;
mod order;
mod record;
mod records;
mod request;
mod schema;
mod sql;
mod stored_order;
mod stream;
mod worker;

pub use counters::Counters;
pub use filter::Filter;
pub use order::Lookup;
pub use records::Records;
pub use request::{Content, ReceivedRequest};
pub use worker::Store;
