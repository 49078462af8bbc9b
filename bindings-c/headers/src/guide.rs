//! The comment at the top of the C header: the rules of the interface, and the core's tables.

use katalys_core::config::SETTINGS;
use katalys_core::order::fields::{Field, GROUPS, ORDER_FIELDS};
use std::fmt::Write;

const RULES: &str = "\
Order status reporting for Katalys, from C99 and C++.

Rules that hold for every function:
- Handles are opaque. Who gets one from a function whose name ends in _new, _shared, _from_json \
or _dead_letters, or as a result, owns it and frees it with the _free function of its type. That sets \
the owner's pointer to NULL, so that freeing it again does nothing.
- Inputs come first, outputs last. Inputs stay the caller's, and are not needed after the call. \
Outputs are always written, on failure too; an output that is not wanted may be NULL where its \
function says so.
- Text goes in as a pointer and a length in bytes, without need of a NUL, as UTF-8. Text comes \
out as const char *, ends in a NUL, belongs to the handle it came from and lives as long as that.
- NULL for a handle is a mistake that is answered with KATALYS_MISUSE, never a crash.
- Nothing is thrown or unwound into the caller.
- A signal handler must not call any of the functions: they allocate and take locks. Set a flag there, \
and call from the main program. A signal does not end a call early.
- After fork(), the child may use every client it has; it opens its own connections and its own outbox. \
A child of a process with several threads may call the library like malloc(), and no handle that \
another thread was changing at the moment of the fork. vfork() allows no call.
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

/// Breaks a paragraph into lines, those after a list item's first indented.
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
