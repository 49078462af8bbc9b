//! Finds out why updates do not arrive: checks the settings, the connection to the endpoint and the
//! outbox. Sends no order.
//!
//! `settings`, `network` and `outbox` check one part each; `network` uses `certificate`. All of them
//! return a `finding`, which `report` prints.

mod arguments;
mod certificate;
mod finding;
mod network;
mod outbox;
mod report;
mod settings;

pub use arguments::Arguments;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use finding::{Finding, Verdict};

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut findings = settings::check(&arguments.settings);
    let path = arguments.settings.text("outbox");
    // Without its outbox, so that no file is opened, created or renamed.
    match arguments.settings.client_without_outbox() {
        Ok(client) => findings.extend(network::check(&client)),
        Err(Failure::Core(error)) => {
            let advice = "correct this setting; no update can be sent without it";
            findings.push(Finding::bad("configuration", error.message(), advice));
        }
        Err(other) => return Err(other),
    }
    findings.extend(outbox::check(path.as_deref()));
    let has_errors = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    report::print(&findings, has_errors, output);
    Ok(if has_errors {
        Exit::Problems
    } else {
        Exit::Done
    })
}
