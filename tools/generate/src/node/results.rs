//! `results.d.ts`: the types of everything a call returns, and of errors and events.

use super::spelled;
use crate::text::{block_comment, notice, quoted};
use katalys_core::results::{Holds, RESULTS, Record, ResultField, ResultTable, Words};
use katalys_core::{
    Code, ErrorCode, ErrorKind, ErrorProperty, Event, EventKind, Language, PendingUpdate, Severity,
    Validation,
};
use std::fmt::Write;

/// The class of all errors.
pub(super) const BASE: &str = "KatalysError";

const BASE_DOC: &str = "The class of all errors of this package. One that is of no other class is an \
                        internal error of this library, or a misuse of its interface.";

pub(crate) fn types() -> String {
    let tables = "core/src/results.rs, core/src/error.rs or core/src/order/problem.rs";
    let mut out = format!("// {}\n", notice(tables));
    problem_codes(&mut out);
    error_codes(&mut out);
    event_kinds(&mut out);
    severities(&mut out);
    for table in RESULTS {
        match table.name {
            // Only the command lists pending updates.
            name if name == PendingUpdate::TABLE.name => {}
            name if name == Validation::TABLE.name => validation(&mut out, table),
            name if name == Event::TABLE.name => event(&mut out, table),
            name => interface(&mut out, name, table),
        }
    }
    base_class(&mut out);
    for kind in kinds() {
        class(&mut out, kind);
    }
    out
}

/// The errors with a class of their own; the others have the base class.
pub(super) fn kinds() -> impl Iterator<Item = ErrorKind> {
    let all = ErrorKind::ALL.iter().copied();
    all.filter(|kind| *kind != ErrorKind::Internal)
}

fn problem_codes(out: &mut String) {
    *out += "\n/** The rules that a value can break; stable, and the same in every language. */\n";
    *out += "export type ProblemCode =";
    for code in Code::ALL {
        let _ = write!(out, "\n  | \"{}\"", code.as_str());
    }
    *out += ";\n";
}

/// By class, so that a class narrows its code.
fn error_codes(out: &mut String) {
    *out += "\n/** The codes of each class of errors, without those of its subclasses. */\n";
    *out += "export interface ErrorCodes {\n";
    for kind in ErrorKind::ALL {
        let codes = codes(*kind).map(ErrorCode::as_str);
        let _ = writeln!(out, "  {}: {};", kind.as_str(), quoted(codes, " | "));
    }
    *out += "}\nexport type ErrorCode = ErrorCodes[keyof ErrorCodes];\n";
}

fn codes(kind: ErrorKind) -> impl Iterator<Item = ErrorCode> {
    let all = ErrorCode::ALL.iter().copied();
    all.filter(move |code| code.kind() == kind)
}

fn event_kinds(out: &mut String) {
    let list = EventKind::ALL.iter().map(|kind| {
        let (name, explanation) = (kind.as_str(), kind.explanation());
        format!("- `{name}`: {explanation}.")
    });
    *out += "\n/**\n * What can happen to an update of an outbox: the events of a client.\n *\n";
    for line in list {
        let _ = writeln!(out, " * {line}");
    }
    *out += " */\nexport type EventKind =";
    for kind in EventKind::ALL {
        let _ = write!(out, "\n  | \"{}\"", kind.as_str());
    }
    *out += ";\n";
}

fn severities(out: &mut String) {
    let names = [Severity::Error, Severity::Warning].map(Severity::as_str);
    let names = quoted(names.into_iter(), " | ");
    *out += "\n/** Whether a problem stops the call or is part of its result. */\n";
    let _ = writeln!(out, "export type Severity = {names};");
}

fn interface(out: &mut String, head: &str, table: &ResultTable) {
    let _ = write!(
        out,
        "\n{}export interface {head} {{\n",
        block_comment(&spelled(&table.doc()), "")
    );
    for field in table.fields {
        member(out, field, &field_type(field), "  ");
    }
    *out += "}\n";
}

/// Typed by its kind. Its name differs from that of the platform's `Event`.
fn event(out: &mut String, table: &ResultTable) {
    let _ = write!(
        out,
        "\n{}export interface OutboxEvent<Kind extends EventKind = EventKind> {{\n",
        block_comment(&spelled(&table.doc()), "")
    );
    for field in table.fields {
        let is_kind = field.holds == Holds::Word(Words::EventKind);
        let of_kind = if is_kind {
            "Kind".into()
        } else {
            field_type(field)
        };
        member(out, field, &of_kind, "  ");
    }
    *out += "}\n";
}

/// A union, so that `ok` tells whether optional fields are there.
fn validation(out: &mut String, table: &ResultTable) {
    let _ = write!(
        out,
        "\n{}export type Validation =",
        block_comment(&spelled(&table.doc()), "")
    );
    for ok in [true, false] {
        *out += "\n  | {\n      /** Whether there is no error among the problems. */\n";
        let _ = writeln!(out, "      readonly ok: {ok};");
        for field in table.fields {
            let field_type = match (field.is_optional, ok) {
                (true, false) => "null".into(),
                _ => holds_type(field.holds).to_owned(),
            };
            member(out, field, &field_type, "      ");
        }
        *out += "    }";
    }
    *out += ";\n";
}

fn member(out: &mut String, field: &ResultField, field_type: &str, indent: &str) {
    let mut doc = spelled(&field.doc());
    if field.is_private {
        doc += " `console.log` does not show it.";
    }
    *out += &block_comment(&doc, indent);
    let name = Language::Node.spell(field.name);
    let _ = writeln!(out, "{indent}readonly {name}: {field_type};");
}

fn field_type(field: &ResultField) -> String {
    optional(holds_type(field.holds), field.is_optional)
}

fn optional(name: &str, is_optional: bool) -> String {
    let missing = if is_optional { " | null" } else { "" };
    format!("{name}{missing}")
}

fn holds_type(holds: Holds) -> &'static str {
    match holds {
        Holds::Id | Holds::Count | Holds::Number | Holds::Seconds | Holds::Status => "number",
        Holds::Time => "Date",
        Holds::Text | Holds::Payload => "string",
        Holds::Word(Words::EventKind) => "EventKind",
        Holds::Word(Words::ProblemCode) => "ProblemCode",
        Holds::Word(Words::Severity) => "Severity",
        Holds::Word(Words::ErrorCode) => "ErrorCode",
        Holds::Problems => "Problem[]",
        Holds::Flag => "boolean",
    }
}

fn base_class(out: &mut String) {
    let _ = write!(
        out,
        "\n{}export class {BASE} extends Error {{\n",
        block_comment(BASE_DOC, "")
    );
    for property in ErrorProperty::COMMON {
        property_of(out, *property);
    }
    *out += "}\n";
}

fn class(out: &mut String, kind: ErrorKind) {
    let parent = kind.parent().map_or(BASE, ErrorKind::as_str);
    let _ = write!(
        out,
        "\n{}export class {} extends {parent} {{\n",
        block_comment(&spelled(kind.explanation()), ""),
        kind.as_str()
    );
    let family: Vec<ErrorKind> = kinds().filter(|other| descends(*other, kind)).collect();
    let names = quoted(family.iter().map(|kind| kind.as_str()), " | ");
    let _ = writeln!(out, "  readonly code: ErrorCodes[{names}];");
    let mut retryable = family
        .into_iter()
        .flat_map(codes)
        .map(ErrorCode::is_retryable);
    if let Some(first) = retryable.next()
        && retryable.all(|next| next == first)
    {
        let _ = writeln!(out, "  readonly retryable: {first};");
    }
    for property in kind.properties() {
        property_of(out, *property);
    }
    *out += "}\n";
}

fn descends(kind: ErrorKind, ancestor: ErrorKind) -> bool {
    kind == ancestor
        || kind
            .parent()
            .is_some_and(|parent| descends(parent, ancestor))
}

fn property_of(out: &mut String, property: ErrorProperty) {
    let name = Language::Node.spell(property.name());
    let field_type = optional(holds_type(property.holds()), property.is_optional());
    *out += &block_comment(&spelled(property.doc()), "  ");
    let _ = writeln!(out, "  readonly {name}: {field_type};");
}
