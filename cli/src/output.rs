//! What a command writes: results on stdout, as text or JSON; complaints on stderr.

use clap::ValueEnum;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a colour is for.
#[derive(Clone, Copy)]
pub enum Style {
    Good,
    Warning,
    Bad,
    Faint,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
            Self::Faint => "2",
        }
    }
}

/// How a command was asked to write.
pub struct Output {
    pub json: bool,
    stdout_colors: bool,
    stderr_colors: bool,
}

impl Output {
    pub fn new(json: bool, colors: Colors) -> Self {
        let colored = |is_terminal: bool| match colors {
            Colors::Always => true,
            Colors::Never => false,
            Colors::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb(),
        };
        Self {
            json,
            stdout_colors: colored(io::stdout().is_terminal()) && !json,
            stderr_colors: colored(io::stderr().is_terminal()),
        }
    }

    /// Text for stdout.
    pub fn paint(&self, style: Style, text: &str) -> String {
        painted(self.stdout_colors, style, text)
    }

    /// Text for stderr.
    pub fn paint_error(&self, style: Style, text: &str) -> String {
        painted(self.stderr_colors, style, text)
    }

    /// Writes a line to stdout. A reader that has gone, as `head` does, ends the program.
    #[allow(
        clippy::unused_self,
        reason = "where to write is the output's business"
    )]
    pub fn line(&self, text: &str) {
        let mut out = io::stdout().lock();
        unless_gone(
            out.write_all(text.as_bytes())
                .and_then(|()| out.write_all(b"\n")),
        );
    }
}

/// Ends the program quietly if nobody reads what it writes; as a signal would.
pub fn unless_gone<T>(result: io::Result<T>) -> Option<T> {
    const BROKEN_PIPE: i32 = 141;
    match result {
        Ok(done) => Some(done),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(BROKEN_PIPE),
        Err(_) => None,
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn painted(with_colors: bool, style: Style, text: &str) -> String {
    if with_colors {
        format!("\x1b[{}m{text}\x1b[0m", style.code())
    } else {
        text.to_owned()
    }
}

/// Shows the core's warnings and errors, which hold no customer data.
pub fn log_to_stderr() {
    struct Stderr;
    impl log::Log for Stderr {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "katalys"
        }
        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                let level = record.level().as_str().to_ascii_lowercase();
                eprintln!("{level}: {}", record.args());
            }
        }
        fn flush(&self) {}
    }
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
