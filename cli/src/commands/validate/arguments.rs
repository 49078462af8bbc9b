//! The command line of `validate`.

use crate::input::InputOptions;
use crate::settings::Settings;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Check files of updates; sends nothing.
///
/// Every problem is reported with its file, line, field and code.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys validate orders.csv --map 'Order no=order_id'\n  \
    katalys validate --report --format sarif *.ndjson > problems.sarif"
)]
pub struct Arguments {
    /// Files; - is stdin.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Check each row as a complete order, with the fields that `report` requires.
    #[arg(long)]
    pub report: bool,
    /// Omit warnings.
    #[arg(long)]
    pub errors_only: bool,
    /// Exit with 1 for warnings, too.
    #[arg(long)]
    pub deny_warnings: bool,
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub settings: Settings,
}

/// The format of the report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line per problem.
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}
