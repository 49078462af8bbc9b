//! A local replacement for the endpoint, with a page that shows what it received.
//!
//! `serve` accepts connections and uses `guard`, which rejects those of other sites, and the handlers:
//! `endpoint` takes order updates, `api` with `live` answers the page and users' tests, `page` serves
//! the page's files. `endpoint`, `api` and `live` use the server's `state`: the `store` of what was
//! received, and the `faults` to inject. `endpoint` uses `update` to parse, and `connection` to reset a
//! connection; `store` uses `update`, too. `response` builds the responses.

mod api;
mod arguments;
mod connection;
mod endpoint;
mod faults;
mod guard;
mod live;
mod page;
mod response;
mod serve;
mod state;
mod store;
mod update;

pub use arguments::Arguments;

use crate::exit::Exit;
use std::process::ExitCode;

pub fn run(arguments: &Arguments) -> ExitCode {
    match serve::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("katalys sandbox: {message}");
            Exit::Usage.into()
        }
    }
}
