//! Tells whether the state of an earlier run belongs to this file and these options.

use super::arguments::Arguments;
use super::state::{self, State, StateFile};
use crate::failure::Failure;

/// Identifies the file's content and every option that changes what is sent.
pub fn mark(arguments: &Arguments) -> Result<String, Failure> {
    let Arguments {
        file,
        report,
        sort,
        input,
        settings,
        ..
    } = arguments;
    let content = state::fingerprint(file).map_err(|error| Failure::file(file, &error))?;
    let values = ["site_id", "endpoint", "outbox", "timezone", "invalid"];
    let values = values.map(|name| settings.text(name).unwrap_or_default());
    let options = format!("{report} {sort} {input:?} {values:?}");
    Ok(format!(
        "{content:016x}-{:016x}",
        state::hash(options.as_bytes())
    ))
}

/// Returns the state of an earlier run if it belongs to this file and these options.
pub fn matching(state: State, mark: &str, states: &StateFile) -> Result<State, Failure> {
    if state.mark == mark {
        return Ok(state);
    }
    let path = states.path().display();
    let text = if state.mark.split('-').next() == mark.split('-').next() {
        format!("according to {path}, an earlier run had other options; use those, or --restart")
    } else {
        format!(
            "according to {path}, the file has changed since an earlier run; use --restart to start over"
        )
    };
    Err(Failure::usage(text))
}
