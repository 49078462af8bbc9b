//! Looks for what keeps updates from arriving, from the settings to the endpoint's answer, and
//! says what to do. Sends no order.

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

/// Looks for what keeps updates from arriving, and says what to do. Sends no order.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  katalys doctor\n  katalys doctor --outbox /var/lib/shop/katalys.db --json"
)]
pub struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Warning,
    Bad,
    /// There was nothing to check, or what it needs failed.
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

/// One check: what was looked at, what was found, and what to do.
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
    let mut findings = settings::look(&arguments.settings);
    let path = arguments.settings.text("outbox");
    // Without its outbox, so that nothing is opened, made or set aside.
    match arguments.settings.client_without_outbox() {
        Ok(client) => findings.extend(network::look(&client)),
        Err(Failure::Core(error)) => {
            let advice = "correct this setting; nothing can be sent before";
            findings.push(Finding::bad("configuration", error.message(), advice));
        }
        Err(other) => return Err(other),
    }
    findings.extend(outbox::look(path.as_deref()));
    let is_ill = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    tell(&findings, is_ill, output);
    Ok(if is_ill { Exit::Problems } else { Exit::Done })
}

fn tell(findings: &[Finding], is_ill: bool, output: &Output) {
    if output.json {
        let shown: Vec<_> = findings.iter().map(as_json).collect();
        return output.json(&json!({ "healthy": !is_ill, "findings": shown }));
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
