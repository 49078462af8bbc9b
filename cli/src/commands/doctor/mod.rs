//! Finds out why updates do not arrive: checks the settings, the connection to the endpoint and the
//! outbox. Sends no order.

mod certificate;
mod network;
mod outbox;
mod settings;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::settings::Settings;
use clap::Args;
use katalys_core::order::visible;
use serde_json::json;

/// Find out why updates do not arrive; sends no order.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys doctor\n  katalys doctor --outbox /var/lib/shop/katalys.db --json"
)]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Warning,
    Bad,
    /// There was nothing to check, or an earlier check failed.
    Skipped,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "error",
            Self::Skipped => "skipped",
        }
    }

    fn painted(self, output: &Output) -> String {
        let style = match self {
            Self::Good => Style::Good,
            Self::Warning => Style::Warning,
            Self::Bad => Style::Bad,
            Self::Skipped => Style::Faint,
        };
        output.paint(style, &format!("{:<8}", self.as_str()))
    }
}

/// One check: its name, what it found, and what to do.
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    pub found: String,
    pub advice: Option<String>,
}

impl Finding {
    pub fn new(check: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        let (found, advice) = (found.into(), None);
        Self {
            check,
            verdict,
            found,
            advice,
        }
    }

    pub fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Good, found)
    }

    pub fn bad(check: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self::new(check, Verdict::Bad, found).advise(advice)
    }

    pub fn advise(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut findings = settings::check(&arguments.settings);
    let path = arguments.settings.text("outbox");
    // Without its outbox, so that no file is opened, created or renamed.
    match arguments.settings.client_without_outbox() {
        Ok(client) => findings.extend(network::check(&client)),
        Err(Failure::Core(error)) => {
            let advice = "correct this setting; no update can be sent without it";
            findings.push(Finding::bad("configuration", error.message(), advice));
        }
        Err(other) => return Err(other),
    }
    findings.extend(outbox::check(path.as_deref()));
    let has_errors = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    print(&findings, has_errors, output);
    Ok(if has_errors {
        Exit::Problems
    } else {
        Exit::Done
    })
}

fn print(findings: &[Finding], has_errors: bool, output: &Output) {
    if output.json {
        let shown: Vec<_> = findings.iter().map(as_json).collect();
        return output.json(&json!({ "healthy": !has_errors, "findings": shown }));
    }
    for finding in findings {
        let verdict = finding.verdict.painted(output);
        output.line(&format!(
            "{verdict} {:<14} {}",
            finding.check,
            visible(&finding.found)
        ));
        if let Some(advice) = &finding.advice {
            output.line(&format!("{:<24}-> {}", "", visible(advice)));
        }
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({
        "check": finding.check,
        "verdict": finding.verdict.as_str(),
        "found": finding.found,
        "advice": finding.advice,
    })
}
