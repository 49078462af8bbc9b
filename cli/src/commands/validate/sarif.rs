//! Reports problems as SARIF 2.1.0 (OASIS), for code scanning.

use super::{Finding, Out, Report, Summary, uri, write_item};
use crate::input::RowError;
use katalys_core::{Code, Severity, VERSION};
use serde_json::{Value, json};
use std::io::{self, Write};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

pub struct Sarif<'o> {
    out: Out<'o>,
    is_first: bool,
}

impl<'o> Sarif<'o> {
    pub fn new(out: Out<'o>) -> Self {
        Self {
            out,
            is_first: true,
        }
    }
}

impl Report for Sarif<'_> {
    fn begin(&mut self) -> io::Result<()> {
        let tool = json!({ "driver": {
            "name": "katalys",
            "version": VERSION,
            "informationUri": env!("CARGO_PKG_REPOSITORY"),
            "rules": rules(),
        }});
        write!(
            self.out,
            "{{\n\"$schema\": \"{SCHEMA}\",\n\"version\": \"2.1.0\",\n\"runs\": [{{\n  \
             \"columnKind\": \"unicodeCodePoints\",\n  \"tool\": {tool},\n  \"results\": ["
        )
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let mut place = json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(finding.file) },
            "region": { "startLine": finding.line },
        }});
        if !finding.path.is_empty() {
            place["logicalLocations"] = json!([{ "name": finding.path, "kind": "member" }]);
        }
        let item = json!({
            "ruleId": finding.code,
            "level": level(finding.severity),
            "message": { "text": finding.message },
            "locations": [place],
        });
        write_item(&mut self.out, &mut self.is_first, &item)
    }

    fn end(&mut self, _summary: &Summary) -> io::Result<()> {
        self.out.write_all(b"\n  ]\n}]\n}\n")?;
        self.out.flush()
    }
}

fn level(severity: Severity) -> &'static str {
    severity.as_str()
}

/// All codes: the core's, and those of rows that cannot be read.
fn rules() -> Vec<Value> {
    let rule = |code: &str, text: &str, severity: Severity| {
        json!({
            "id": code,
            "shortDescription": { "text": text.replace("{}", "…") },
            "defaultConfiguration": { "level": level(severity) },
        })
    };
    let of_core = Code::ALL
        .iter()
        .map(|code| rule(code.as_str(), code.explanation(), code.severity()));
    let of_rows = RowError::CODES
        .iter()
        .map(|(code, text)| rule(code, text, Severity::Error));
    of_core.chain(of_rows).collect()
}
