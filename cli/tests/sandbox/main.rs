//! The sandbox from the outside: the real command, over real connections.

mod aliases;
mod endpoint;
mod faults;
mod lifecycle;
mod load;
mod queries;
mod security;
mod support;
