//! Prints the findings.

use super::finding::Finding;
use crate::output::Output;
use katalys_core::order::visible;
use serde_json::json;

pub fn print(findings: &[Finding], has_errors: bool, output: &Output) {
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
