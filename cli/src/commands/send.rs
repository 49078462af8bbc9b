//! Sends one update or one whole order, from arguments, a file or stdin.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Form, Reading, Source};
use crate::output::{Output, Style};
use crate::settings::Settings;
use clap::Args;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::EXIT_WAIT;
use katalys_core::{Call, Checked, Client, Fields, Problem, Receipt, Value};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Sends what became of an order, and waits until the endpoint has it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys send 1001 order_status=paid sale_amount=25.67\n  \
    echo '{\"order_id\": \"1001\", \"order_status\": \"refunded\"}' | katalys send --from -"
)]
pub struct Arguments {
    /// The order's id, exactly as on the Thank-You page; may stand in the JSON instead.
    order_id: Option<String>,
    /// Fields as KEY=VALUE; values are text, and count more than those of the JSON.
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    fields: Vec<(String, String)>,
    /// A file with one JSON object; - is stdin.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Show the exact bytes that would be sent, and send nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Which of the two calls a command makes.
#[derive(Clone, Copy)]
pub struct Way {
    call: Call,
    /// What the command says of itself.
    pub about: &'static str,
}

pub const UPDATE: Way = Way {
    call: Call::Update,
    about: "",
};

pub const REPORT: Way = Way {
    call: Call::Report,
    about: "Sends an order as a whole, with the fields required of one, and waits until the \
            endpoint has it",
};

/// `KEY=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=VALUE, such as order_status=paid")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub fn run(arguments: &Arguments, way: Way, output: &Output) -> Result<Exit, Failure> {
    let client = if arguments.dry_run {
        arguments.settings.client_without_outbox()?
    } else {
        arguments.settings.client(&[])?
    };
    let checked = prepare(arguments, way.call, &client)?;
    warn(&checked.warnings, output);
    if arguments.dry_run {
        show(&checked, output);
        return Ok(Exit::Done);
    }
    let receipt = client.send(checked);
    client.shut_down(EXIT_WAIT);
    tell(&receipt?, output);
    Ok(Exit::Done)
}

fn prepare(arguments: &Arguments, call: Call, client: &Client) -> Result<Checked, Failure> {
    let (mut id, mut pairs) = (arguments.order_id.clone(), arguments.fields.clone());
    // With a file that names the order, the first argument is a field.
    if arguments.from.is_some()
        && let Some(Ok(first)) = id.as_deref().filter(|id| id.contains('=')).map(pair)
    {
        pairs.insert(0, first);
        id = None;
    }
    let Some(path) = &arguments.from else {
        let Some(id) = id else {
            return Err(Failure::usage("give the order's id, or --from FILE"));
        };
        let fields: Fields<'_> = pairs.into_iter().collect();
        return Ok(client.prepare(call, &id.into(), &fields)?);
    };
    let mut source = open(path)?;
    let checked = prepare_from(&mut source, path, call, client, (id, &pairs))?;
    match source.next_row() {
        Ok(None) => Ok(checked),
        _ => Err(Failure::usage(
            "there is more than one object; use `katalys backfill` for files",
        )),
    }
}

/// The one object of a file, with what the arguments say laid over it.
fn prepare_from(
    source: &mut Source,
    path: &Path,
    call: Call,
    client: &Client,
    (id, pairs): (Option<String>, &[(String, String)]),
) -> Result<Checked, Failure> {
    let row = source
        .next_row()
        .map_err(|error| Failure::file(path, &error))?;
    let row = row.ok_or_else(|| Failure::usage("there is no object to send"))?;
    let update = row.content.map_err(|fault| {
        let line = row.line + fault.lines_behind();
        Failure::usage(format!("{}:{line}: {fault}", path.display()))
    })?;
    let order_id = id.map_or_else(|| update.order_id.clone(), Value::from);
    let is_given = |key: &str| pairs.iter().any(|(given, _)| given == key);
    let mut fields = Fields::new();
    for (key, value) in update.fields.iter().filter(|(key, _)| !is_given(key)) {
        fields.push(key, value.clone());
    }
    for (key, value) in pairs {
        fields.push(key.as_str(), value.as_str());
    }
    Ok(client.prepare(call, &order_id, &fields)?)
}

fn open(path: &Path) -> Result<Source, Failure> {
    let reading = Reading {
        input: Some(Form::Json),
        maps: Vec::new(),
        delimiter: None,
    };
    Source::open(path, &reading)
}

fn warn(warnings: &[Problem], output: &Output) {
    if output.json {
        return;
    }
    for warning in warnings {
        eprintln!(
            "{} {warning}",
            output.paint_error(Style::Warning, "warning:")
        );
    }
}

fn show(checked: &Checked, output: &Output) {
    let payload = String::from_utf8_lossy(&checked.payload);
    if output.json {
        let shown = json!({ "payload": payload, "warnings": checked.warnings });
        output.json(&shown);
    } else if std::io::stdout().is_terminal() {
        output.json_text(&payload);
    } else {
        output.line(&payload);
    }
}

fn tell(receipt: &Receipt, output: &Output) {
    let (attempts, elapsed) = (receipt.attempts, receipt.elapsed);
    if output.json {
        let shown = json!({
            "attempts": attempts,
            "elapsed_seconds": elapsed.as_secs_f64(),
            "warnings": receipt.warnings,
        });
        return output.json(&shown);
    }
    let noun = if attempts == 1 { "attempt" } else { "attempts" };
    let received = output.paint(Style::Good, "received");
    output.line(&format!(
        "{received} after {attempts} {noun}, {} ms",
        elapsed.as_millis()
    ));
}
