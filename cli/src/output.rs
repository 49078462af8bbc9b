//! What a command writes: results on stdout, as text or JSON; complaints on stderr.

use clap::ValueEnum;
use katalys_core::order::visible;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Write as _;
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

    /// Writes JSON to stdout, on a line of its own.
    pub fn json(&self, value: &Value) {
        self.json_text(&value.to_string());
    }

    /// The same for JSON that is text already. What a terminal would obey is escaped, which changes
    /// nothing of what the JSON says.
    pub fn json_text(&self, text: &str) {
        self.line(&escaped_json(text));
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

/// JSON whose texts hold nothing that a terminal would obey.
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    if matches!(visible(text), Cow::Borrowed(_)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        let is_visible = matches!(visible(letter.encode_utf8(&mut [0; 4])), Cow::Borrowed(_));
        // Outside of its texts JSON has none of these but line ends, and within them no line ends.
        if is_visible || letter == '\n' {
            escaped.push(letter);
        } else {
            let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
        }
    }
    Cow::Owned(escaped)
}

/// A message of one or more lines, with nothing in it that a terminal would obey.
pub fn plain(message: &str) -> String {
    let lines: Vec<_> = message.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Ends the program quietly if its output is no longer read, as a signal would.
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

/// Shows the core's warnings and errors, which hold no customer data; as lines of JSON for a command
/// whose whole log is JSON.
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
