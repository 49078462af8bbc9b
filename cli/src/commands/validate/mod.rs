//! Checks files of updates without sending any, and reports every problem.

mod human;
mod json;
mod sarif;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{InputOptions, Row, RowError, Source};
use crate::output::Output;
use crate::settings::Settings;
use clap::{Args, ValueEnum};
use katalys_core::bridge::Bridge as _;
use katalys_core::{Call, Client, Problem, Severity};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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
    files: Vec<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Check each row as a whole order, with the fields that `report` requires.
    #[arg(long)]
    report: bool,
    /// Omit warnings.
    #[arg(long)]
    errors_only: bool,
    /// Exit with 1 for warnings, too.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    input: InputOptions,
    #[command(flatten)]
    settings: Settings,
}

/// The format of the report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line per problem.
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// One problem, with its location.
pub struct Finding<'f> {
    pub file: &'f Path,
    pub line: u64,
    /// The field; empty if the problem concerns the row.
    pub path: &'f str,
    pub code: &'f str,
    pub message: &'f str,
    pub severity: Severity,
}

/// Totals of a report.
#[derive(Default)]
pub struct Summary {
    pub files: u64,
    pub rows: u64,
    pub refused: u64,
    pub errors: u64,
    pub warnings: u64,
}

/// Writes findings as they are found.
trait Report {
    fn begin(&mut self) -> io::Result<()>;
    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()>;
    fn end(&mut self, summary: &Summary) -> io::Result<()>;
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let client = arguments.settings.client_without_outbox()?;
    let default = if output.json {
        Format::Json
    } else {
        Format::Human
    };
    let out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let report: Box<dyn Report + '_> = match arguments.format.unwrap_or(default) {
        Format::Human => Box::new(human::Human::new(out, output)),
        Format::Json => Box::new(json::Json::new(out)),
        Format::Sarif => Box::new(sarif::Sarif::new(out)),
    };
    let call = if arguments.report {
        Call::Report
    } else {
        Call::Update
    };
    let mut checker = Checker {
        client,
        settings: &arguments.settings,
        call,
        errors_only: arguments.errors_only,
        report,
        summary: Summary::default(),
    };
    checker.check_all(&arguments.files, &arguments.input)?;
    let Summary {
        errors, warnings, ..
    } = checker.summary;
    if errors > 0 || (arguments.deny_warnings && warnings > 0) {
        Ok(Exit::Problems)
    } else {
        Ok(Exit::Done)
    }
}

struct Checker<'c> {
    client: Client,
    settings: &'c Settings,
    call: Call,
    errors_only: bool,
    report: Box<dyn Report + 'c>,
    summary: Summary,
}

impl Checker<'_> {
    fn check_all(&mut self, files: &[PathBuf], input: &InputOptions) -> Result<(), Failure> {
        // An unreadable file is an error before the report begins, not minutes later.
        let mut stdin = None;
        for path in files {
            let source = Source::open(path, input)?;
            self.settings.require_site(&source)?;
            if path == Path::new("-") {
                stdin = Some(source);
            }
        }
        handle(self.report.begin())?;
        for path in files {
            let source = match stdin.take_if(|_| path == Path::new("-")) {
                Some(stdin) => stdin,
                None => Source::open(path, input)?,
            };
            self.check_file(path, source)?;
        }
        handle(self.report.end(&self.summary))
    }

    fn check_file(&mut self, path: &Path, mut source: Source) -> Result<(), Failure> {
        self.summary.files += 1;
        while let Some(row) = source
            .next_row()
            .map_err(|error| Failure::file(path, &error))?
        {
            self.summary.rows += 1;
            self.check_row(path, &row)?;
        }
        Ok(())
    }

    fn check_row(&mut self, path: &Path, row: &Row<'_>) -> Result<(), Failure> {
        let update = match &row.content {
            Ok(update) => update,
            Err(error) => return self.row_error(path, row.line, *error),
        };
        match self
            .client
            .prepare(self.call, &update.order_id, &update.fields)
        {
            Ok(checked) if checked.warnings.is_empty() => Ok(()),
            Ok(checked) => self.problems(path, row.line, &checked.warnings),
            Err(error) => {
                self.summary.refused += 1;
                self.problems(path, row.line, error.problems())
            }
        }
    }

    fn row_error(&mut self, file: &Path, line: u64, error: RowError) -> Result<(), Failure> {
        self.summary.refused += 1;
        let finding = Finding {
            file,
            line: line + error.line_offset(),
            path: "",
            code: error.code(),
            message: &error.to_string(),
            severity: Severity::Error,
        };
        self.finding(&finding)
    }

    fn problems(&mut self, file: &Path, line: u64, problems: &[Problem]) -> Result<(), Failure> {
        for problem in problems {
            self.finding(&Finding {
                file,
                line,
                path: &problem.path,
                code: problem.code.as_str(),
                message: &problem.message,
                severity: problem.severity,
            })?;
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> Result<(), Failure> {
        match finding.severity {
            Severity::Error => self.summary.errors += 1,
            Severity::Warning => self.summary.warnings += 1,
        }
        if self.errors_only && finding.severity == Severity::Warning {
            return Ok(());
        }
        handle(self.report.finding(finding))
    }
}

/// Turns a write error into a failure; a closed pipe ends the program.
fn handle(result: io::Result<()>) -> Result<(), Failure> {
    if let Err(error) = &result
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(Failure::usage(format!(
            "the report cannot be written: {error}"
        )));
    }
    crate::output::exit_on_broken_pipe(result);
    Ok(())
}

/// The file's name as a URI reference, with special characters escaped.
fn uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = String::new();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

type Out<'o> = BufWriter<io::StdoutLock<'o>>;

/// Writes one item of a JSON list.
fn write_item(
    out: &mut impl Write,
    is_first: &mut bool,
    item: &serde_json::Value,
) -> io::Result<()> {
    out.write_all(if std::mem::take(is_first) {
        b"\n    "
    } else {
        b",\n    "
    })?;
    serde_json::to_writer(out, item).map_err(io::Error::other)
}
