//! Markdown tables of what calls return and raise, in the spelling of a language.

use crate::python;
use katalys_core::Language;
use katalys_core::results::{Holds, RESULTS, Record, ResultTable, Words};
use katalys_core::{ErrorCode, ErrorKind, ErrorProperty, EventKind, Stats};
use std::fmt::Write;

/// The table of this name: `event-kinds`, `errors`, `metrics`, or a result such as `dead-letter`.
pub(crate) fn table(name: &str, language: Language) -> Option<String> {
    match name {
        "event-kinds" => Some(event_kinds()),
        "errors" => Some(errors(language)),
        "metrics" => Some(metrics()),
        _ => {
            let found = RESULTS.iter().find(|table| kebab(table.name) == name);
            found.map(|table| fields(table, language))
        }
    }
}

/// The fields of a result.
pub(crate) fn fields(table: &ResultTable, language: Language) -> String {
    let mut out = "| field | holds | |\n|---|---|---|\n".to_owned();
    for field in table.fields {
        let name = language.spell(field.name);
        let holds = holds(field.holds, field.is_optional);
        let _ = writeln!(out, "| `{name}` | {holds} | {} |", field.doc());
    }
    out
}

/// The kinds of events.
pub(crate) fn event_kinds() -> String {
    let mut out = "| kind | level | |\n|---|---|---|\n".to_owned();
    for kind in EventKind::ALL {
        let level = kind.level().as_str();
        let _ = writeln!(
            out,
            "| `{}` | {level} | {} |",
            kind.as_str(),
            kind.explanation()
        );
    }
    out
}

/// The classes of errors.
pub(crate) fn errors(language: Language) -> String {
    let mut out = "| class | also a | codes | adds | |\n|---|---|---|---|---|\n".to_owned();
    for kind in ErrorKind::ALL {
        if *kind == ErrorKind::Internal && has_base_class(language) {
            continue;
        }
        let class = class_name(*kind, language);
        let parent = parent(*kind, language);
        let codes = code_list(ErrorCode::ALL.iter().filter(|code| code.kind() == *kind));
        let properties = property_list(kind.properties(), language);
        let _ = writeln!(
            out,
            "| `{class}` | {parent} | {codes} | {properties} | {} |",
            kind.explanation()
        );
    }
    out
}

/// What every error has.
pub(crate) fn common_properties() -> String {
    let mut out = "| property | holds | |\n|---|---|---|\n".to_owned();
    for property in ErrorProperty::COMMON {
        let holds = holds(property.holds(), property.is_optional());
        let _ = writeln!(
            out,
            "| `{}` | {holds} | {} |",
            property.name(),
            property.doc()
        );
    }
    out
}

/// The statistics that monitoring sees.
fn metrics() -> String {
    let mut out = "| metric | type | |\n|---|---|---|\n".to_owned();
    for field in Stats::TABLE.fields {
        if let Some(metric) = field.metric {
            let name = metric.name(field.name);
            let _ = writeln!(
                out,
                "| `katalys_outbox_{name}` | {} | {} |",
                metric.kind(),
                field.doc()
            );
        }
    }
    out
}

fn holds(holds: Holds, is_optional: bool) -> String {
    let name = match holds {
        Holds::Id | Holds::Count | Holds::Number => "number",
        Holds::Seconds => "seconds",
        Holds::Time => "time",
        Holds::Status => "HTTP status",
        Holds::Text => "text",
        Holds::Word(Words::EventKind) => "kind of event",
        Holds::Word(Words::ProblemCode) => "code of a problem",
        Holds::Word(Words::ErrorCode) => "code of an error",
        Holds::Word(Words::Severity) => "severity",
        Holds::Payload => "JSON",
        Holds::Problems => "list of problems",
        Holds::Flag => "yes or no",
    };
    if is_optional {
        format!("{name}, or nothing")
    } else {
        name.to_owned()
    }
}

/// These languages raise internal errors as the base of all classes.
fn has_base_class(language: Language) -> bool {
    matches!(language, Language::Python | Language::Node | Language::Php)
}

fn class_name(kind: ErrorKind, language: Language) -> String {
    match language {
        Language::Php => kind.as_str().replace("Error", "Exception"),
        _ => kind.as_str().to_owned(),
    }
}

fn parent(kind: ErrorKind, language: Language) -> String {
    let parent = kind.parent().map(|parent| class_name(parent, language));
    let parent = match language {
        Language::Python => parent.or_else(|| python::builtin_base(kind).map(str::to_owned)),
        _ => parent,
    };
    parent.map_or(String::new(), |parent| format!("`{parent}`"))
}

fn code_list<'c>(codes: impl Iterator<Item = &'c ErrorCode>) -> String {
    let codes: Vec<String> = codes.map(|code| format!("`{}`", code.as_str())).collect();
    codes.join(", ")
}

fn property_list(properties: &[ErrorProperty], language: Language) -> String {
    let names: Vec<String> = properties
        .iter()
        .map(|property| format!("`{}`", language.spell(property.name())))
        .collect();
    names.join(", ")
}

/// `DeadLetter` as `dead-letter`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
