//! Manages an outbox's file, also while other processes use it.

mod listing;
mod reading;
mod repair;

use super::send::pair;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::settings::{Settings, timeout};
use clap::{Args, Subcommand};
use katalys_core::config::EXIT_WAIT;
use katalys_core::{Client, Error, Fields, Stats, Value};
use listing::{Which, Wish};
use reading::{demand_file, open_read_only, unicode};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Manages an outbox: shows pending updates and dead letters, edits, replays and discards these.
#[derive(Args)]
#[command(after_help = "Examples:\n  katalys outbox katalys.db status\n  \
    katalys outbox katalys.db edit 17 sale_amount=25.67 --replay\n  \
    katalys outbox katalys.db export > updates.ndjson")]
pub struct Arguments {
    /// The outbox's file.
    file: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Shows the counters: accepted, delivered, pending, dead and discarded updates.
    Status,
    /// Lists pending updates and dead letters, without customer data.
    List {
        /// What to list.
        #[arg(value_enum, default_value_t)]
        which: Which,
        /// Also show the order's id, which is customer data.
        #[arg(long)]
        show_orders: bool,
        /// List at most this many.
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
    },
    /// Shows one update in full, with its customer data.
    Show {
        /// The number of the update.
        id: i64,
    },
    /// Puts dead letters back into the queue, each at its old place.
    Replay(Choice),
    /// Removes dead letters for good and erases their data from the file; they stay counted.
    Discard(Choice),
    /// Changes fields of a dead letter, and erases their old values; KEY= removes a field.
    Edit {
        /// The number of the dead letter.
        id: i64,
        /// The changes.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
        changes: Vec<(String, String)>,
        /// Also put it back into the queue.
        #[arg(long)]
        replay: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delivers until nothing is pending.
    Flush {
        /// For at most this many seconds.
        #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = timeout)]
        wait: Duration,
        #[command(flatten)]
        settings: Settings,
    },
    /// Writes every update as NDJSON, with its customer data.
    Export {
        /// What to write.
        #[arg(value_enum, default_value_t)]
        which: Which,
    },
    /// Repairs a damaged outbox; no process may have it open.
    ///
    /// Reads every page of the file and its log, and writes what can be read into a sound file at the
    /// same path. Numbers continue after the highest one given. The damaged files are copied to
    /// FILE.damaged-<ms> first; the copies hold customer data. A sound file is not changed. A repair that
    /// is interrupted loses nothing: run it again.
    Repair,
}

/// Which dead letters.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Choice {
    /// The numbers of the dead letters.
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
            let wish = Wish {
                which: *which,
                show_orders: *show_orders,
                limit: limit.unwrap_or(usize::MAX),
            };
            listing::list(&mut reader()?, &wish, output)?;
        }
        Action::Show { id } => return listing::show(&mut reader()?, *id, output),
        Action::Export { which } => listing::export(&mut reader()?, *which, output)?,
        Action::Replay(choice) => {
            return each(&writer()?, choice, "put back", output, Client::replay);
        }
        Action::Discard(choice) => {
            return each(&writer()?, choice, "discarded", output, Client::discard);
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
    demand_file(file)?;
    let path = Value::from(unicode(file)?.to_owned());
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

/// Does the same to each of the chosen dead letters.
fn each(
    client: &Client,
    choice: &Choice,
    done: &str,
    output: &Output,
    act: fn(&Client, i64) -> Result<bool, Error>,
) -> Result<Exit, Failure> {
    let mut missing = Vec::new();
    let mut count = 0_u64;
    let mut one = |id: i64| -> Result<(), Failure> {
        if act(client, id)? {
            count += 1;
        } else {
            missing.push(id);
        }
        Ok(())
    };
    if choice.all {
        let mut from = 0;
        loop {
            let letters = client.dead_letters(from, listing::PAGE)?;
            let Some(last) = letters.last() else { break };
            from = last.id + 1;
            letters.iter().try_for_each(|letter| one(letter.id))?;
        }
    } else {
        choice.ids.iter().try_for_each(|id| one(*id))?;
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
            "changed and put back"
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
