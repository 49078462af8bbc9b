//! Prints order updates as they were received.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::http::headers_of;

/// Prints one numbered block per update.
#[derive(Default)]
pub struct Printer {
    arrived: AtomicU64,
}

impl Printer {
    pub fn print(&self, head: &[u8], body: &[u8], step: &str) {
        let number = self.arrived.fetch_add(1, Relaxed) + 1;
        let headers = headers_of(head);
        let agent = headers.iter().find(|(name, _)| name == "user-agent");
        let agent = agent.map_or("no User-Agent", |(_, value)| value);
        let block = block(number, agent, body, step);
        let mut stdout = io::stdout().lock();
        // A closed pipe must not stop the receiver.
        let _ = stdout
            .write_all(block.as_bytes())
            .and_then(|()| stdout.flush());
    }
}

fn block(number: u64, agent: &str, body: &[u8], step: &str) -> String {
    let agent = agent.escape_debug();
    let step = step.escape_debug();
    let shown = match std::str::from_utf8(body) {
        Ok(text) if serde_json::from_str::<serde_json::Value>(text).is_ok() => indented(text),
        _ => format!("not JSON: {}", String::from_utf8_lossy(body).escape_debug()),
    };
    format!("── order update {number} · {agent} · {step}\n{shown}\n\n")
}

/// Adds whitespace only, so that every digit and escape is shown unchanged. `json` must be valid.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut previous = ' ';
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            out.push(character);
            continue;
        }
        if character.is_ascii_whitespace() {
            continue;
        }
        if let '}' | ']' = character {
            depth -= 1;
        }
        let opened = matches!(previous, '{' | '[') && !matches!(character, '}' | ']');
        let closed = matches!(character, '}' | ']') && !matches!(previous, '{' | '[');
        if opened || closed || previous == ',' {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
        out.push(character);
        match character {
            '{' | '[' => depth += 1,
            ':' => out.push(' '),
            _ => {}
        }
        in_string = character == '"';
        previous = character;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indenting_adds_whitespace_only() {
        let json = r#"{"a":"x{\",[\\","b":1.50,"c":[],"d":{"e":[1,2]}}"#;
        let expected = r#"{
  "a": "x{\",[\\",
  "b": 1.50,
  "c": [],
  "d": {
    "e": [
      1,
      2
    ]
  }
}"#;
        assert_eq!(indented(json), expected);
        assert_eq!(indented(expected), expected);
    }

    #[test]
    fn a_block_has_the_client_the_update_and_the_step() {
        let shown = block(2, "katalys-php/1.0", br#"{"order_id":"1"}"#, "204");
        let expected = "── order update 2 · katalys-php/1.0 · 204\n{\n  \"order_id\": \"1\"\n}\n\n";
        assert_eq!(shown, expected);
        assert!(block(1, "x", b"\x1b[2J", "204").contains(r"not JSON: \u{1b}[2J"));
    }
}
