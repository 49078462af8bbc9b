//! The documentation matches the command: its examples run, and its tables are the command's.
//! Completions and man pages are generated.

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::{Folder, ready, receiver, run};

fn page(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    std::fs::read_to_string(path).expect("a page")
}

/// The console blocks of a page: commands and their output.
fn sessions(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sessions: Vec<(&str, Vec<&str>)> = Vec::new();
    let blocks = page.split("```console\n").skip(1);
    for line in blocks.flat_map(|block| block.split("\n```").next().unwrap_or_default().lines()) {
        match line.strip_prefix("$ ") {
            Some(command) => sessions.push((command, Vec::new())),
            None => sessions.last_mut().expect("a command").1.push(line),
        }
    }
    sessions
}

/// Whether a line matches; `…` matches any text.
fn is_like(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut ends_open = false;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        ends_open = part.is_empty();
    }
    rest.is_empty() || ends_open
}

#[test]
fn the_examples_run() {
    let (folder, receiver) = (Folder::new("docs"), receiver());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_katalys"));
    let bin = program.parent().expect("a folder").display().to_string();
    let endpoint = format!("{}/v2/_tr_offline", ready(&receiver, "url"));
    let page = page("command.md");
    let sessions = sessions(&page);
    assert!(sessions.len() > 10);
    for (command, shown) in sessions {
        let ran = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(folder.path(""))
            .env_clear()
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("KATALYS_SITE_ID", "abcd.com")
            .env("KATALYS_ENDPOINT", &endpoint)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let written = String::from_utf8(ran.stdout).expect("UTF-8");
        let lines: Vec<&str> = written.lines().collect();
        let fits = lines.len() == shown.len()
            && lines
                .iter()
                .zip(&shown)
                .all(|(line, shown)| is_like(line, shown));
        assert!(
            fits,
            "{command}\nwrites\n{written}\ninstead of\n{}",
            shown.join("\n")
        );
    }
}

#[test]
fn the_tables_match_the_command() {
    let page = page("command.md");
    let help = run(&["--help"]).expect(0).out;
    let (_, table) = help.split_once("Exit codes:\n").expect("the table");
    let mut count = 0;
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let (code, meaning) = line.trim().split_once("  ").expect("a row");
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
        count += 1;
    }
    assert_eq!(count, 8);
    let input = "order_id\n1\n";
    let sarif = support::run_with_input(&["validate", "-", "--format", "sarif"], input)
        .expect(0)
        .json();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .expect("rules")
        .clone();
    for rule in &rules[katalys_core::Code::ALL.len()..] {
        let text = rule["shortDescription"]["text"].as_str().expect("a text");
        let row = format!("| `{}` | {text} |", rule["id"].as_str().expect("an id"));
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn every_setting_is_an_option() {
    let help = run(&["send", "--help"]).expect(0).out;
    for setting in katalys_core::config::SETTINGS {
        let option = format!("--{}", setting.name.replace('_', "-"));
        assert!(help.contains(&option), "{option}");
    }
}

#[test]
fn completions_and_man_pages_are_generated() {
    for (shell, word) in [
        ("bash", "_katalys()"),
        ("zsh", "#compdef katalys"),
        ("fish", "complete -c katalys"),
    ] {
        let script = run(&["completions", shell]).expect(0).out;
        assert!(
            script.contains(word) && script.contains("connect-timeout"),
            "{shell}"
        );
    }
    let man = run(&["man"]).expect(0).out;
    assert!(
        man.contains(".TH katalys 1") && man.contains("Exit codes"),
        "{man}"
    );
    let man = run(&["man", "backfill"]).expect(0).out;
    assert!(
        man.contains("\\-\\-restart") && man.contains("\\-\\-connect\\-timeout"),
        "{man}"
    );
    run(&["man", "nothing"]).expect(2);
    run(&["completions", "tcsh"]).expect(2);
}
