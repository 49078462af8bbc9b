//! Manages an outbox, also while other processes use it.
//!
//! It opens the file with `reading`, and uses `listing` to show updates and `repair` for a damaged file.

mod listing;
mod reading;
mod repair;

use super::send::pair;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::settings::{self, Settings};
use clap::{Args, Subcommand};
use katalys_core::config::EXIT_WAIT;
use katalys_core::{Client, Error, Fields, Stats, Value};
use listing::{ListOptions, Which};
use reading::{open_read_only, require_file};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Show and manage an outbox: pending updates and dead letters.
#[derive(Args)]
#[command(after_help = "Examples:\n  katalys outbox katalys.db status\n  \
    katalys outbox katalys.db edit 17 sale_amount=25.67 --replay\n  \
    katalys outbox katalys.db export > updates.ndjson")]
pub struct Arguments {
    /// Outbox file.
    file: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the counters.
    Status,
    /// List pending updates and dead letters, without customer data.
    List {
        /// Updates to list.
        #[arg(value_enum, default_value_t)]
        which: Which,
        /// Include the order id, which is customer data.
        #[arg(long)]
        show_orders: bool,
        /// Maximum number of updates to list.
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
    },
    /// Show one update with its customer data.
    Show {
        /// Number of the update.
        id: i64,
    },
    /// Put dead letters back into the queue, at their old positions.
    Replay(Selection),
    /// Remove dead letters, and erase their data from the file.
    ///
    /// The counter `discarded` includes them.
    Discard(Selection),
    /// Change fields of a dead letter, and erase their old values.
    ///
    /// KEY= removes a field.
    Edit {
        /// Number of the dead letter.
        id: i64,
        /// Changes.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
        changes: Vec<(String, String)>,
        /// Put the dead letter back into the queue as well.
        #[arg(long)]
        replay: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Deliver until no update is pending.
    Flush {
        /// Maximum time to wait.
        #[arg(
            long,
            value_name = "SECONDS",
            default_value = "60",
            value_parser = settings::duration,
            allow_negative_numbers = true
        )]
        wait: Duration,
        #[command(flatten)]
        settings: Settings,
    },
    /// Write all updates as NDJSON, with their customer data.
    Export {
        /// Updates to write.
        #[arg(value_enum, default_value_t)]
        which: Which,
    },
    /// Repair a damaged outbox; no process may have it open.
    ///
    /// Reads every page of the file and its log, and writes all readable updates into a sound file at
    /// the same path. Numbers continue after the highest one used. The damaged files are copied to
    /// FILE.damaged-<ms> first; the copies hold customer data. A sound file is not changed. An
    /// interrupted repair loses nothing: run it again.
    Repair,
}

/// The dead letters to change.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// Numbers of the dead letters.
    ids: Vec<i64>,
    /// All dead letters.
    #[arg(long)]
    all: bool,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let file = &arguments.file;
    let reader = || open_read_only(file);
    let writer = || client(file, &Settings::default(), false);
    match &arguments.action {
        Action::Status => status(&reader()?.stats()?, output),
        Action::List {
            which,
            show_orders,
            limit,
        } => {
            let options = ListOptions {
                which: *which,
                show_orders: *show_orders,
                limit: limit.unwrap_or(usize::MAX),
            };
            listing::list(&mut reader()?, &options, output)?;
        }
        Action::Show { id } => return listing::show(&mut reader()?, *id, output),
        Action::Export { which } => listing::export(&mut reader()?, *which, output)?,
        Action::Replay(selection) => {
            return for_each(&writer()?, selection, "put back", output, Client::replay);
        }
        Action::Discard(selection) => {
            return for_each(&writer()?, selection, "discarded", output, Client::discard);
        }
        Action::Edit {
            id,
            changes,
            replay,
            settings,
        } => {
            return edit(
                &client(file, settings, false)?,
                *id,
                changes,
                *replay,
                output,
            );
        }
        Action::Repair => return repair::run(file, output),
        Action::Flush { wait, settings } => {
            return flush(&client(file, settings, true)?, *wait, output);
        }
    }
    Ok(Exit::Done)
}

fn client(file: &Path, settings: &Settings, deliver: bool) -> Result<Client, Failure> {
    require_file(file)?;
    let path = settings::path_value(file)?;
    settings.client(&[("outbox", path), ("deliver", deliver.into())])
}

fn status(stats: &Stats, output: &Output) {
    let counts = [
        ("accepted", stats.accepted),
        ("delivered", stats.delivered),
        ("pending", stats.pending),
        ("in_flight", stats.in_flight),
        ("dead", stats.dead),
        ("discarded", stats.discarded),
    ];
    if output.json {
        let mut shown = json!({ "oldest_pending_seconds": stats.oldest_pending_seconds });
        for (name, count) in counts {
            shown[name] = count.into();
        }
        return output.json(&shown);
    }
    for (name, count) in counts {
        let text = format!("{:<22} {count:>12}", name.replace('_', " "));
        let is_bad = name == "dead" && count > 0;
        output.line(&if is_bad {
            output.paint(Style::Bad, &text)
        } else {
            text
        });
    }
    let age = stats.oldest_pending_seconds;
    output.line(&format!("{:<22} {age:>12.1}", "oldest pending (s)"));
}

/// Applies an action to each selected dead letter.
fn for_each(
    client: &Client,
    selection: &Selection,
    done: &str,
    output: &Output,
    action: fn(&Client, i64) -> Result<bool, Error>,
) -> Result<Exit, Failure> {
    let mut missing = Vec::new();
    let mut count = 0_u64;
    let mut apply = |id: i64| -> Result<(), Failure> {
        if action(client, id)? {
            count += 1;
        } else {
            missing.push(id);
        }
        Ok(())
    };
    if selection.all {
        let mut from = 0;
        loop {
            let letters = client.dead_letters(from, listing::PAGE)?;
            let Some(last) = letters.last() else { break };
            from = last.id + 1;
            letters.iter().try_for_each(|letter| apply(letter.id))?;
        }
    } else {
        selection.ids.iter().try_for_each(|id| apply(*id))?;
    }
    if output.json {
        output.json(&json!({ "done": count, "missing": missing }));
    } else {
        output.line(&format!("{done}: {count}"));
        for id in &missing {
            eprintln!(
                "{} there is no dead letter {id}",
                output.paint_error(Style::Bad, "error:")
            );
        }
    }
    Ok(if missing.is_empty() {
        Exit::Done
    } else {
        Exit::Problems
    })
}

fn edit(
    client: &Client,
    id: i64,
    changes: &[(String, String)],
    replay: bool,
    output: &Output,
) -> Result<Exit, Failure> {
    let value = |text: &String| match text.as_str() {
        "" => Value::Null,
        text => Value::from(text.to_owned()),
    };
    let changes: Fields<'_> = changes
        .iter()
        .map(|(key, text)| (key.as_str(), value(text)))
        .collect();
    let found = client.edit(id, changes)? && (!replay || client.replay(id)?);
    if !found {
        return Err(Failure::new(
            Exit::Problems,
            format!("there is no dead letter {id}"),
        ));
    }
    if output.json {
        output.json(&json!({ "id": id, "replayed": replay }));
    } else {
        let what = if replay {
            "changed and replayed"
        } else {
            "changed"
        };
        output.line(&format!("{what}: {id}"));
    }
    Ok(Exit::Done)
}

fn flush(client: &Client, wait: Duration, output: &Output) -> Result<Exit, Failure> {
    client.flush(wait)?;
    let left = client.close(EXIT_WAIT)?;
    if output.json {
        output.json(&json!({ "left": left }));
    } else {
        output.line(&format!("{left} updates are left"));
    }
    Ok(if left == 0 {
        Exit::Done
    } else {
        Exit::Undelivered
    })
}
