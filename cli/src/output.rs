//! The output of commands: results on stdout, as text or JSON; errors and logs on stderr.

use clap::ValueEnum;
use katalys_core::order::visible;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The meaning of a color.
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

/// How a command writes its output.
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

    /// Adds color to text for stdout.
    pub fn paint(&self, style: Style, text: &str) -> String {
        painted(self.stdout_colors, style, text)
    }

    /// Adds color to text for stderr.
    pub fn paint_error(&self, style: Style, text: &str) -> String {
        painted(self.stderr_colors, style, text)
    }

    /// Writes JSON to stdout, as one line.
    pub fn json(&self, value: &Value) {
        self.json_text(&value.to_string());
    }

    /// Writes serialized JSON to stdout. Control characters are escaped; the JSON's value is the same.
    pub fn json_text(&self, text: &str) {
        self.line(&escaped_json(text));
    }

    /// Writes a line to stdout. A closed pipe, such as to `head`, ends the program.
    #[allow(
        clippy::unused_self,
        reason = "callers need not know where output goes"
    )]
    pub fn line(&self, text: &str) {
        let mut out = io::stdout().lock();
        exit_on_broken_pipe(
            out.write_all(text.as_bytes())
                .and_then(|()| out.write_all(b"\n")),
        );
    }
}

/// Escapes control characters in the strings of a JSON text.
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    if matches!(visible(text), Cow::Borrowed(_)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        let is_visible = matches!(visible(letter.encode_utf8(&mut [0; 4])), Cow::Borrowed(_));
        // Outside of strings, JSON has no control characters but line ends; strings have no line ends.
        if is_visible || letter == '\n' {
            escaped.push(letter);
        } else {
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        }
    }
    Cow::Owned(escaped)
}

/// Escapes control characters in a message of one or more lines.
pub fn plain(message: &str) -> String {
    let lines: Vec<_> = message.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Exits if the reader of the output has closed the pipe, with the code of SIGPIPE.
pub fn exit_on_broken_pipe<T>(result: io::Result<T>) -> Option<T> {
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

/// Writes the core's warnings and errors, which hold no customer data, to stderr; as lines of JSON
/// for a command whose log is JSON.
pub fn log_to_stderr(as_json: bool) {
    struct Stderr(bool);
    impl log::Log for Stderr {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "katalys"
        }
        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                let level = record.level().as_str().to_ascii_lowercase();
                let message = record.args().to_string();
                if self.0 {
                    let entry = json!({ "event": "log", "level": level, "message": message });
                    eprintln!("{}", escaped_json(&entry.to_string()));
                } else {
                    eprintln!("{level}: {}", visible(&message));
                }
            }
        }
        fn flush(&self) {}
    }
    if log::set_logger(Box::leak(Box::new(Stderr(as_json)))).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
