//! The C interface's numbers, and its accessors of results.

use crate::text::{notice, wrap};
use katalys_core::results::{Holds, Record, ResultTable, Words};
use katalys_core::{
    DeadLetter, ErrorCode, ErrorKind, ErrorProperty, Event, EventKind, Stats, Ticket,
};
use std::fmt::Write;

const ERRORS: &str = "core/src/error.rs";
const RESULTS: &str = "core/src/results.rs";
const WIDTH: usize = 96;

pub(crate) fn codes() -> String {
    let mut out = head("The stable numbers of errors.", ERRORS);
    out += "use katalys_core::ErrorCode;\n\n";
    doc(
        &mut out,
        "",
        "The result of a call: 0, or the number of an error. All errors of a class share the hundreds digit.",
    );
    out += "#[repr(C)]\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n";
    out += "pub enum katalys_code {\n    /// Success.\n    KATALYS_OK = 0,\n";
    for code in ErrorCode::ALL {
        let kind = code.kind().as_str();
        let again = if code.is_retryable() {
            " The same call may succeed later."
        } else {
            ""
        };
        let text = format!("`{kind}`: {}.{again}", code.explanation());
        doc(&mut out, "    ", &text);
        let _ = writeln!(out, "    {} = {},", constant(*code), *code as i32);
    }
    out += "}\n\nimpl From<ErrorCode> for katalys_code {\n    fn from(code: ErrorCode) -> Self {\n        match code {\n";
    for code in ErrorCode::ALL {
        let _ = writeln!(
            out,
            "            ErrorCode::{code:?} => Self::{},",
            constant(*code)
        );
    }
    out += "            // `ErrorCode` may grow; a code without a number is an internal error.\n";
    out += "            _ => Self::KATALYS_INTERNAL,\n        }\n    }\n}\n";
    debug_assert!(
        ErrorCode::ALL
            .iter()
            .any(|code| code.kind() == ErrorKind::Internal)
    );
    out
}

fn constant(code: ErrorCode) -> String {
    format!("KATALYS_{}", code.as_str().to_uppercase())
}

pub(crate) fn stats() -> String {
    let mut out = head("The stable numbers of statistics.", RESULTS);
    doc(
        &mut out,
        "",
        "The statistics of an outbox. katalys_stats_count() reads them, and katalys_stats_seconds() \
         those in seconds. Later versions may add some.",
    );
    doc_line(&mut out, "", "");
    doc(&mut out, "", &Stats::TABLE.doc());
    out += "#[repr(C)]\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub enum katalys_stat {\n";
    for (place, field) in Stats::TABLE.fields.iter().enumerate() {
        doc(&mut out, "    ", &field.doc());
        let name = field.name.to_uppercase();
        let _ = writeln!(out, "    KATALYS_STAT_{name} = {},", place + 1);
    }
    out += "}\n";
    out
}

pub(crate) fn dead_letters() -> String {
    let of = Object {
        name: "katalys_dead_letters",
        argument: "dead_letters",
        condition: "`dead_letters` is a live list or NULL",
        is_list: true,
    };
    of.accessors("dead letters", &DeadLetter::TABLE)
}

pub(crate) fn event() -> String {
    let of = Object {
        name: "katalys_event",
        argument: "event",
        condition: "`event` is a live event or NULL",
        is_list: false,
    };
    of.accessors("events", &Event::TABLE)
}

/// An opaque type whose fields are those of a table.
struct Object {
    name: &'static str,
    argument: &'static str,
    condition: &'static str,
    is_list: bool,
}

impl Object {
    fn accessors(&self, plural: &str, table: &ResultTable) -> String {
        let mut out = head(&format!("The accessors of {plural}."), RESULTS);
        let module = self.name.trim_start_matches("katalys_");
        let uses_length = table
            .fields
            .iter()
            .any(|field| field.holds == Holds::Payload);
        let _ = writeln!(out, "use crate::{module}::{{{}, row}};", self.name);
        if uses_length {
            out += "use crate::value::with_length;\n";
        }
        out += "use std::ffi::c_char;\n";
        for (place, field) in table.fields.iter().enumerate() {
            let text = field.doc() + &absent(field.holds, field.is_optional);
            self.accessor(&mut out, field.name, &text, field.holds, place);
        }
        out
    }

    fn accessor(&self, out: &mut String, field: &str, text: &str, holds: Holds, place: usize) {
        let (returns, read) = reading(holds);
        let is_payload = holds == Holds::Payload;
        out.push('\n');
        doc(out, "", text);
        words(out, holds);
        if is_payload {
            doc(
                out,
                "",
                "Writes the length, without the NUL, unless `len` is NULL.",
            );
        }
        let also = if is_payload {
            "; `len` may be written to or is NULL"
        } else {
            ""
        };
        safety(out, &format!("{}{also}.", self.condition));
        let mut parameters = vec![format!("{}: *const {}", self.argument, self.name)];
        let mut arguments = self.argument.to_owned();
        if self.is_list {
            parameters.push("index: usize".into());
            arguments += ", index";
        }
        if is_payload {
            parameters.push("len: *mut usize".into());
        }
        signature(out, &format!("{}_{field}", self.name), &parameters, returns);
        out.push_str("    // SAFETY: as this function demands.\n");
        let value = format!("unsafe {{ row({arguments}) }}.value({place})");
        if is_payload {
            let _ = writeln!(out, "    let text = {value}.text();");
            out.push_str("    // SAFETY: as this function demands.\n");
            out.push_str("    unsafe { with_length(text, len) }\n}\n");
        } else {
            let _ = writeln!(out, "    {value}{read}\n}}");
        }
    }
}

pub(crate) fn result() -> String {
    let mut out = head(
        "The accessors of a result that are properties of errors.",
        ERRORS,
    );
    out += "use crate::result::{katalys_result, property};\nuse katalys_core::ErrorProperty;\n";
    for property in ErrorProperty::ALL {
        // Texts and lists belong to the result, which has functions of its own for them.
        let (returns, read) = match property.holds() {
            Holds::Text | Holds::Word(_) | Holds::Payload | Holds::Problems => continue,
            holds => reading(holds),
        };
        let (prefix, read) = match property.holds() {
            Holds::Flag => ("is_", read),
            Holds::Seconds => ("", ".seconds_or(-1.0)"),
            _ => ("", read),
        };
        let is_everywhere = ErrorProperty::COMMON.contains(property) && !property.is_optional();
        let otherwise = match property.holds() {
            _ if is_everywhere => "",
            Holds::Seconds => " Returns -1 if the result has none.",
            _ => " Returns 0 if the result has none.",
        };
        out.push('\n');
        let success = success(*property);
        doc(
            &mut out,
            "",
            &format!("{success}{}{otherwise}", property.doc()),
        );
        safety(&mut out, "`result` is a live result or NULL.");
        let name = format!("katalys_result_{prefix}{}", property.name());
        let parameter = "result: *const katalys_result".to_owned();
        signature(&mut out, &name, &[parameter], returns);
        let _ = write!(
            out,
            "    // SAFETY: as this function demands.\n    \
             unsafe {{ property(result, ErrorProperty::{property:?}) }}{read}\n}}\n"
        );
    }
    out
}

/// The documentation of what an accessor returns for a call that succeeded.
fn success(property: ErrorProperty) -> String {
    let ticket = Ticket::TABLE.fields.first();
    match (property, ticket) {
        (ErrorProperty::Ticket, Some(id)) => format!("{} After an error: ", id.doc()),
        _ => String::new(),
    }
}

/// The head of a function, as rustfmt breaks it.
fn signature(out: &mut String, name: &str, parameters: &[String], returns: &str) {
    const LONGEST: usize = 100;
    let head = format!("pub unsafe extern \"C\" fn {name}(");
    let tail = format!(") -> {returns} {{");
    let line = format!("{head}{}{tail}", parameters.join(", "));
    out.push_str("#[unsafe(no_mangle)]\n");
    if line.len() <= LONGEST {
        let _ = writeln!(out, "{line}");
    } else {
        let _ = writeln!(out, "{head}\n    {},\n{tail}", parameters.join(",\n    "));
    }
}

/// The type that an accessor returns, and how it reads its value.
fn reading(holds: Holds) -> (&'static str, &'static str) {
    match holds {
        Holds::Id => ("i64", ".id()"),
        Holds::Count => ("u64", ".whole()"),
        Holds::Number => ("u32", ".whole()"),
        Holds::Status => ("u16", ".whole()"),
        Holds::Seconds | Holds::Time => ("f64", ".seconds_or(0.0)"),
        Holds::Flag => ("bool", ".flag()"),
        Holds::Text | Holds::Word(_) | Holds::Payload => ("*const c_char", ".text().as_ptr()"),
        Holds::Problems => panic!("there is no accessor for a list of problems"),
    }
}

fn absent(holds: Holds, is_optional: bool) -> String {
    let unit = if holds == Holds::Time {
        " In Unix seconds."
    } else {
        ""
    };
    let otherwise = match holds {
        _ if !is_optional => "",
        Holds::Text | Holds::Word(_) | Holds::Payload => " Empty if there is none.",
        _ => " 0 if there is none.",
    };
    format!("{unit}{otherwise}")
}

/// The words that a field may hold, as a list.
fn words(out: &mut String, holds: Holds) {
    if holds != Holds::Word(Words::EventKind) {
        return;
    }
    doc_line(out, "", "");
    for kind in EventKind::ALL {
        let text = format!("- \"{}\": {}.", kind.as_str(), kind.explanation());
        for (index, line) in wrap(&text, WIDTH - 6).iter().enumerate() {
            let indent = if index == 0 { "" } else { "  " };
            doc_line(out, "", &format!("{indent}{line}"));
        }
    }
    doc_line(out, "", "");
    doc_line(out, "", "Later versions may add others.");
}

fn safety(out: &mut String, condition: &str) {
    doc_line(out, "", "");
    doc_line(out, "", "# Safety");
    doc(out, "", condition);
}

fn head(purpose: &str, table: &str) -> String {
    format!("//! {purpose}\n//!\n//! {}\n\n", notice(table))
}

fn doc(out: &mut String, indent: &str, text: &str) {
    for line in wrap(text, WIDTH - indent.len() - 4) {
        doc_line(out, indent, &line);
    }
}

fn doc_line(out: &mut String, indent: &str, line: &str) {
    let _ = writeln!(out, "{}", format!("{indent}/// {line}").trim_end());
}
