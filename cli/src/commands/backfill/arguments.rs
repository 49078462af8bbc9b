//! The command line of a backfill.

use super::rate;
use crate::input::InputOptions;
use crate::settings::{self, Settings};
use clap::Args;
use katalys_core::Call;
use std::path::PathBuf;
use std::time::Duration;

/// Send past orders from a file, oldest first; resumable.
#[derive(Args)]
#[command(after_help = "Examples:\n  katalys backfill orders.csv --dry-run\n  \
    katalys backfill orders.csv --sort --rate 200\n  \
    katalys backfill orders.refused.csv        # after correcting it")]
#[allow(clippy::struct_excessive_bools, reason = "each is a separate option")]
pub struct Arguments {
    /// CSV, JSON or NDJSON file; every row needs an `order_time`.
    pub file: PathBuf,
    /// Check all rows without sending any.
    #[arg(long)]
    pub dry_run: bool,
    /// Send each row as a complete order, with the fields that `report` requires.
    #[arg(long)]
    pub report: bool,
    /// Sort the rows by `order_time` before sending; the file is not changed.
    #[arg(long)]
    pub sort: bool,
    /// Maximum number of updates per second.
    #[arg(long, value_name = "NUMBER", value_parser = rate::parse, allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// How long to retry while the endpoint accepts no updates.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "300",
        value_parser = settings::duration,
        allow_negative_numbers = true
    )]
    pub patience: Duration,
    /// File for refused rows, to be corrected and backfilled; by default next to the input.
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,
    /// Discard the progress of an earlier run and start over.
    #[arg(long)]
    pub restart: bool,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub settings: Settings,
}

impl Arguments {
    pub fn call(&self) -> Call {
        if self.report {
            Call::Report
        } else {
            Call::Update
        }
    }
}
