//! A progress bar, shown only on a terminal.

use crate::output::{Output, plain};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

pub struct Progress(ProgressBar);

const CHECKING: &str = "checking {wide_bar} {percent}%  {eta} left";
const SENDING: &str = "sending {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}";

impl Progress {
    /// A bar that counts bytes.
    pub fn checking(path: &Path, output: &Output) -> Self {
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        Self::new(size, CHECKING, output)
    }

    /// A bar that counts rows.
    pub fn sending(rows: u64, settled: u64, output: &Output) -> Self {
        let progress = Self::new(rows, SENDING, output);
        progress.0.set_position(settled);
        progress.0.reset_eta();
        progress
    }

    fn new(length: u64, template: &str, output: &Output) -> Self {
        if output.json || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub fn set(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Shows a note beside the bar.
    pub fn note(&self, text: String) {
        self.0.set_message(text);
    }

    /// Prints a line on stderr above the bar.
    pub fn print(&self, text: &str) {
        self.0.suspend(|| eprintln!("{}", plain(text)));
    }

    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
