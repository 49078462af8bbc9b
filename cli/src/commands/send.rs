//! Sends one update or one complete order, from arguments, a file or stdin.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Format, InputOptions, Source};
use crate::output::{Output, Style};
use crate::settings::Settings;
use clap::Args;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::EXIT_WAIT;
use katalys_core::{Call, Checked, Client, Fields, Problem, Receipt, Value};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Send an order update, and wait until the endpoint receives it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys send 1001 order_status=paid sale_amount=25.67\n  \
    echo '{\"order_id\": \"1001\", \"order_status\": \"refunded\"}' | katalys send --from -"
)]
pub struct Arguments {
    /// Order id, exactly as on the Thank-You page; can be in the JSON instead.
    order_id: Option<String>,
    /// Fields as KEY=VALUE, with text values; they override the JSON.
    #[arg(value_name = "KEY=VALUE", value_parser = pair)]
    fields: Vec<(String, String)>,
    /// File with one JSON object; - is stdin.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Print the exact payload without sending it.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: Settings,
}

/// The call that a command makes, and its description.
#[derive(Clone, Copy)]
pub struct Mode {
    call: Call,
    pub about: &'static str,
}

pub const UPDATE: Mode = Mode {
    call: Call::Update,
    about: "",
};

pub const REPORT: Mode = Mode {
    call: Call::Report,
    about: "Send a complete order, with all required fields, and wait",
};

/// Reads `KEY=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write KEY=VALUE, such as order_status=paid")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub fn run(arguments: &Arguments, mode: Mode, output: &Output) -> Result<Exit, Failure> {
    let client = if arguments.dry_run {
        arguments.settings.client_without_outbox()?
    } else {
        arguments.settings.client(&[])?
    };
    let checked = prepare(arguments, mode.call, &client)?;
    print_warnings(&checked.warnings, output);
    if arguments.dry_run {
        print_payload(&checked, output);
        return Ok(Exit::Done);
    }
    let receipt = client.send(checked);
    client.shut_down(EXIT_WAIT);
    print_receipt(&receipt?, output);
    Ok(Exit::Done)
}

fn prepare(arguments: &Arguments, call: Call, client: &Client) -> Result<Checked, Failure> {
    let (mut id, mut pairs) = (arguments.order_id.clone(), arguments.fields.clone());
    // With a file that names the order, the first argument may be a field.
    if arguments.from.is_some()
        && let Some(Ok(first)) = id.as_deref().filter(|id| id.contains('=')).map(pair)
    {
        pairs.insert(0, first);
        id = None;
    }
    let Some(path) = &arguments.from else {
        let Some(id) = id else {
            return Err(Failure::usage("give an order id, or --from FILE"));
        };
        let fields: Fields<'_> = pairs.into_iter().collect();
        return Ok(client.prepare(call, &id.into(), &fields)?);
    };
    let mut source = open(path)?;
    let checked = prepare_from(&mut source, path, call, client, (id, &pairs))?;
    match source.next_row() {
        Ok(None) => Ok(checked),
        _ => Err(Failure::usage(
            "there is more than one object; use `katalys backfill` for files of orders",
        )),
    }
}

/// Prepares the one object of a file; arguments override its values.
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
    let row = row.ok_or_else(|| Failure::usage("the file has no object to send"))?;
    let update = row.content.map_err(|error| {
        let line = row.line + error.line_offset();
        Failure::usage(format!("{}:{line}: {error}", path.display()))
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
    let options = InputOptions {
        input: Some(Format::Json),
        maps: Vec::new(),
        delimiter: None,
    };
    Source::open(path, &options)
}

fn print_warnings(warnings: &[Problem], output: &Output) {
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

fn print_payload(checked: &Checked, output: &Output) {
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

fn print_receipt(receipt: &Receipt, output: &Output) {
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
