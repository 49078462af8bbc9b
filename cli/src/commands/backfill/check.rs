//! Checks one row of a backfill.

use crate::input::Row;
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Checked, Client, Code, Problem, Severity, Value};

/// Why a row is not sent: message and code.
pub type Refusal = String;

/// Checks a row. It must have a valid time: the endpoint dates an order without a time at its
/// arrival, and `report` at the time of the call.
pub fn check(client: &Client, call: Call, row: &Row<'_>) -> Result<Checked, Refusal> {
    let update = match &row.content {
        Ok(update) => update,
        Err(error) => return Err(format!("{error} [{}]", error.code())),
    };
    let checked = client.prepare(call, &update.order_id, &update.fields);
    let checked = checked.map_err(|error| {
        let problems = error.problems().iter();
        let errors = problems.filter(|problem| problem.severity == Severity::Error);
        let texts: Vec<String> = errors.map(ToString::to_string).collect();
        texts.join("; ")
    })?;
    let mut given = update.fields.iter();
    let is_given = given.any(|(key, value)| key == TIME && *value != Value::Null);
    let mut warnings = checked.warnings.iter();
    let dropped = warnings.find(|warning| warning.path == TIME && !is_sent(warning));
    match dropped {
        None if is_given => Ok(checked),
        Some(warning) if is_given => Err(warning.to_string()),
        _ => {
            let code = Code::Required;
            Err(format!("{TIME} {} [{}]", code.explanation(), code.as_str()))
        }
    }
}

const TIME: &str = "order_time";

/// Whether a time is sent in spite of the warning.
fn is_sent(warning: &Problem) -> bool {
    matches!(warning.code, Code::TimeFuture | Code::TimeBefore2000)
}
