//! Shows the updates of an outbox: as a list, one by one, or as NDJSON.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use clap::ValueEnum;
use katalys_core::order::visible;
use katalys_core::{DeadLetter, OutboxReader, PendingUpdate};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Rows read at a time.
pub const PAGE: usize = 500;

/// The updates to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Pending updates and dead letters.
    #[default]
    All,
    /// Pending updates.
    Pending,
    /// Dead letters: updates that are no longer retried.
    Dead,
}

/// How to list updates.
pub struct ListOptions {
    pub which: Which,
    pub show_orders: bool,
    pub limit: usize,
}

/// A pending update or a dead letter.
enum Item {
    Dead(DeadLetter),
    Pending(PendingUpdate),
}

impl Item {
    fn payload(&self) -> &[u8] {
        match self {
            Self::Dead(letter) => &letter.payload,
            Self::Pending(update) => &update.payload,
        }
    }

    /// Everything but customer data.
    fn metadata(&self) -> Value {
        match self {
            Self::Dead(letter) => json!({
                "id": letter.id, "state": "dead", "status": letter.status, "code": letter.code,
                "reason": letter.reason, "died_at": letter.died_at,
            }),
            Self::Pending(update) => json!({
                "id": update.id, "state": "pending", "age_seconds": update.age_seconds,
                "failures": update.failures,
            }),
        }
    }

    fn order_id(&self) -> String {
        match self {
            Self::Dead(letter) => letter.order_id.clone(),
            Self::Pending(update) => update.order_id.clone(),
        }
    }

    fn line(&self, output: &Output) -> String {
        match self {
            Self::Dead(letter) => {
                let state = output.paint(Style::Bad, "dead   ");
                format!("{:>10}  {state}  {}", letter.id, visible(&letter.reason))
            }
            Self::Pending(update) => {
                let (age, failures) = (update.age_seconds, update.failures);
                let noun = if failures == 1 { "failure" } else { "failures" };
                format!("{:>10}  pending  {age:.0} s, {failures} {noun}", update.id)
            }
        }
    }
}

/// Visits dead letters, then pending updates, until `visit` returns false.
fn for_each(
    reader: &mut OutboxReader,
    which: Which,
    mut visit: impl FnMut(Item) -> bool,
) -> Result<(), Failure> {
    let mut from = if which == Which::Pending { i64::MAX } else { 0 };
    loop {
        let letters = reader.dead_letters(from, PAGE)?;
        let Some(last) = letters.last() else { break };
        from = last.id + 1;
        if !letters.into_iter().map(Item::Dead).all(&mut visit) {
            return Ok(());
        }
    }
    let mut from = if which == Which::Dead { i64::MAX } else { 0 };
    loop {
        let updates = reader.pending_updates(from, PAGE)?;
        let Some(last) = updates.last() else { break };
        from = last.id + 1;
        if !updates.into_iter().map(Item::Pending).all(&mut visit) {
            return Ok(());
        }
    }
    Ok(())
}

pub fn list(
    reader: &mut OutboxReader,
    options: &ListOptions,
    output: &Output,
) -> Result<(), Failure> {
    let mut left = options.limit;
    for_each(reader, options.which, |item| {
        if left == 0 {
            return false;
        }
        left -= 1;
        if output.json {
            let mut metadata = item.metadata();
            if options.show_orders {
                metadata["order_id"] = item.order_id().into();
            }
            output.json(&metadata);
        } else if options.show_orders {
            output.line(&format!(
                "{}  {}",
                item.line(output),
                visible(&item.order_id())
            ));
        } else {
            output.line(&item.line(output));
        }
        true
    })
}

pub fn show(reader: &mut OutboxReader, id: i64, output: &Output) -> Result<Exit, Failure> {
    let dead = reader.dead_letters(id, 1)?.into_iter().map(Item::Dead);
    let pending = reader
        .pending_updates(id, 1)?
        .into_iter()
        .map(Item::Pending);
    let found = dead.chain(pending).find(|item| item.metadata()["id"] == id);
    let Some(item) = found else {
        return Err(Failure::new(
            Exit::Problems,
            format!("there is no update {id} in the outbox"),
        ));
    };
    if output.json {
        output.json_text(&full_json(&item));
    } else {
        output.line(item.line(output).trim_start());
        let payload: Value = serde_json::from_slice(item.payload()).unwrap_or_default();
        output.json_text(&serde_json::to_string_pretty(&payload).unwrap_or_default());
    }
    Ok(Exit::Done)
}

pub fn export(reader: &mut OutboxReader, which: Which, output: &Output) -> Result<(), Failure> {
    for_each(reader, which, |item| {
        output.json_text(&full_json(&item));
        true
    })
}

/// The metadata with the exact payload.
fn full_json(item: &Item) -> String {
    let mut text = item.metadata().to_string();
    text.pop();
    let payload = serde_json::from_slice::<&RawValue>(item.payload());
    format!(
        "{text},\"payload\":{}}}",
        payload.map_or("null", RawValue::get)
    )
}
