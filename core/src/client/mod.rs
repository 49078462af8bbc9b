//! The client: the public interface, which every binding is built on.

pub mod bridge;
mod calls;
mod outbox;
mod process;
mod submission;

pub use process::Client;
pub use submission::Submission;
