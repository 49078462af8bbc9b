//! The comment at the top of the C header: the rules of the interface, and the settings and fields.

use katalys_core::config::SETTINGS;
use katalys_core::order::fields::{Field, GROUPS, ORDER_FIELDS};
use std::fmt::Write;

const RULES: &str = "\
Order status reporting for Katalys, from C99 and C++.

Rules for all functions:
- Handles are opaque. The caller owns a handle that a function creates (_new, _shared, _from_json, \
_stats, _dead_letters, and every result) and frees it with the _free function of its type, which sets \
the caller's pointer to NULL; freeing NULL does nothing.
- Inputs come first, outputs last. Inputs remain the caller's and are not used after the call. \
Outputs are always written, also after an error; an output may be NULL where its function says so.
- Input text is a pointer and a length in bytes, in UTF-8, and needs no NUL. Output text is a \
const char * that ends in a NUL; it belongs to the handle it was read from and is valid for as long as \
that handle is.
- NULL in place of a handle is an error, KATALYS_MISUSE, and never a crash.
- No function throws or unwinds into the caller.
- No function is async-signal-safe: they allocate and take locks. Set a flag in the signal handler, and \
call from the main program. A signal does not end a call early.
- After fork(), the child may use every client; it opens its own connections and its own outbox. \
In a child of a process with several threads, the same rules apply as for malloc(), and handles that \
another thread was changing at the time of the fork must not be used. No call is allowed after vfork().
- The library stays in the process once it is loaded: dlclose() does nothing.";

pub fn text(notice: &str) -> String {
    let mut out = String::from("/**\n");
    for paragraph in RULES.lines() {
        lines(&mut out, paragraph);
    }
    let _ = write!(
        out,
        " *\n * Settings of a client, for katalys_client_new():\n"
    );
    for setting in SETTINGS {
        let variable = setting
            .env
            .map_or(String::new(), |env| format!(" Or {env}."));
        let default = match setting.default().as_str() {
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        item(
            &mut out,
            setting.name,
            &format!("{}{default}{variable}", setting.doc()),
        );
    }
    let _ = write!(
        out,
        " *\n * Fields of an order, for katalys_update_order():\n"
    );
    for field in ORDER_FIELDS {
        describe(&mut out, field.name, field);
    }
    for group in GROUPS {
        item(&mut out, group.list, group.doc);
        for field in group.fields {
            describe(&mut out, &format!("{}[].{}", group.list, field.name), field);
        }
    }
    let _ = write!(out, " *\n * {notice}\n */");
    out
}

fn describe(out: &mut String, name: &str, field: &Field) {
    item(
        out,
        name,
        &format!("{} Example: {}", field.doc, field.example),
    );
}

fn item(out: &mut String, name: &str, doc: &str) {
    // A comment must not end early.
    lines(out, &format!("- {name}: {}", doc.replace("*/", "* /")));
}

/// Breaks a paragraph into lines; the following lines of a list item are indented.
fn lines(out: &mut String, paragraph: &str) {
    const WIDTH: usize = 92;
    let indent = if paragraph.starts_with("- ") {
        "  "
    } else {
        ""
    };
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, " * {line}");
            line = format!("{indent}{word}");
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
    }
    let _ = writeln!(out, "{}", format!(" * {line}").trim_end());
}
