//! The classes of results and events. Those that calls create for every update are native, for
//! speed; the others are dataclasses.

use super::docstring::docstring;
use crate::text::notice;
use katalys_core::EventKind;
use katalys_core::results::{Holds, Level, RESULTS, ResultField, ResultTable, Words};
use std::fmt::Write;

const TABLE: &str = "core/src/results.rs";

/// A class in `bindings-python/src/results`.
struct Native {
    name: &'static str,
    /// What its stub has besides the fields.
    more: &'static str,
}

const NATIVE: &[Native] = &[
    Native {
        name: "Problem",
        more: "    def __hash__(self) -> int: ...\n",
    },
    Native {
        name: "Receipt",
        more: "",
    },
    Native {
        name: "Ticket",
        more: "",
    },
    Native {
        name: "Validation",
        more: "    @property
    def ok(self) -> bool:
        \"\"\"Whether the update would be sent; there may be warnings all the same.\"\"\"

",
    },
];

const DATACLASSES: &[&str] = &["Stats", "DeadLetter", "Event"];

/// `katalys/_results.py`.
pub(crate) fn classes() -> String {
    let mut out = format!("# {}\n{RUNTIME_HEAD}", notice(TABLE));
    out += &all_names();
    out += "\n# The level at which each kind of event is logged.\nLEVELS = {\n";
    for kind in EventKind::ALL {
        let level = logging_level(kind.level());
        let _ = writeln!(out, "    \"{}\": logging.{level},", kind.as_str());
    }
    out += "}\n";
    for table in dataclasses() {
        class_head(&mut out, table, "\n\n@dataclass(frozen=True)\n");
        out += "\n    __module__ = \"katalys\"\n";
        for field in table.fields {
            let hidden = if field.is_private {
                " = field(repr=False)"
            } else {
                ""
            };
            let _ = writeln!(out, "    {}: {}{hidden}", field.name, plain_type(field));
        }
    }
    out
}

/// `katalys/_results.pyi`.
pub(crate) fn stubs() -> String {
    let mut out = format!("# {}\n{STUB_HEAD}", notice(TABLE));
    let _ = write!(
        out,
        "\nfrom ._fields import {}\n\n",
        word_types().join(", ")
    );
    out += &all_names();
    out += "\nLEVELS: Final[dict[str, int]]\n";
    for native in NATIVE {
        native_stub(&mut out, native);
    }
    for table in dataclasses() {
        class_head(&mut out, table, "\n@dataclass(frozen=True)\n");
        out += "\n";
        for field in table.fields {
            let _ = writeln!(out, "    {}: {}", field.name, typed(field));
            out += &docstring(&field.doc());
        }
    }
    out
}

/// `bindings-python/src/results/fields.rs`.
pub(crate) fn native_fields() -> String {
    let mut out = format!(
        "//! The fields of the native classes, as macros that hand them to another macro.\n//!\n//! {}\n",
        notice(TABLE)
    );
    for native in NATIVE {
        let table = table(native.name);
        let macro_name = native.name.to_lowercase();
        let _ = write!(
            out,
            "\nmacro_rules! {macro_name} {{\n    ($class:ident! $more:tt) => {{\n        $class! {{\n            $more\n"
        );
        rust_doc(&mut out, "            ", &table.doc());
        let _ = writeln!(out, "            {} {{", table.name);
        for field in table.fields {
            rust_doc(&mut out, "                ", &field.doc());
            let _ = writeln!(
                out,
                "                {}: {},",
                field.name,
                native_type(field)
            );
        }
        out += "            }\n        }\n    };\n}\n";
    }
    out
}

const RUNTIME_HEAD: &str = r#"
"""What calls return, and events."""

import logging
from dataclasses import dataclass, field
from datetime import datetime

from ._native import Problem, Receipt, Ticket, Validation

"#;

const STUB_HEAD: &str = r#"
"""What calls return, and events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, SupportsFloat, SupportsIndex, final
"#;

fn table(name: &str) -> &'static ResultTable {
    let found = RESULTS.iter().find(|table| table.name == name);
    found.expect("the table of a class")
}

fn dataclasses() -> impl Iterator<Item = &'static ResultTable> {
    DATACLASSES.iter().map(|name| table(name))
}

fn all_names() -> String {
    let native = NATIVE.iter().map(|native| native.name);
    let mut names: Vec<&str> = native.chain(DATACLASSES.iter().copied()).collect();
    names.sort_unstable();
    let mut out = "__all__ = [\n    \"LEVELS\",\n".to_owned();
    for name in names {
        let _ = writeln!(out, "    \"{name}\",");
    }
    out + "]\n"
}

/// The types of the words in all classes.
fn word_types() -> Vec<&'static str> {
    let native = NATIVE.iter().map(|native| table(native.name));
    let fields = native.chain(dataclasses()).flat_map(|table| table.fields);
    let words = fields.filter_map(|field| match field.holds {
        Holds::Word(words) => Some(word_type(words)),
        _ => None,
    });
    let mut names: Vec<&str> = words.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn class_head(out: &mut String, table: &ResultTable, decorator: &str) {
    let mut doc = table.doc();
    if table.fields.iter().any(|field| field.is_private) {
        doc += " Its `repr` shows no customer data.";
    }
    let _ = write!(out, "{decorator}class {}:\n{}", table.name, docstring(&doc));
}

fn native_stub(out: &mut String, native: &Native) {
    let table = table(native.name);
    class_head(out, table, "\n@final\n");
    let names: Vec<String> = table
        .fields
        .iter()
        .map(|field| format!("\"{}\"", field.name))
        .collect();
    let _ = writeln!(out, "\n    __match_args__: Final = ({})", names.join(", "));
    let arguments: Vec<String> = table
        .fields
        .iter()
        .map(|field| format!("{}: {}", field.name, argument_type(field)))
        .collect();
    let line = format!(
        "    def __new__(cls, {}) -> {}: ...",
        arguments.join(", "),
        table.name
    );
    if line.len() > 100 {
        let _ = writeln!(
            out,
            "    def __new__(\n        cls, {}\n    ) -> {}: ...",
            arguments.join(", "),
            table.name
        );
    } else {
        let _ = writeln!(out, "{line}");
    }
    for field in table.fields {
        let doc = docstring(&field.doc()).replace("\n    ", "\n        ");
        let _ = write!(
            out,
            "    @property\n    def {}(self) -> {}:\n    {doc}\n",
            field.name,
            native_annotation(field)
        );
    }
    out.push_str(native.more);
    out.push_str("    def __eq__(self, other: object, /) -> bool: ...\n");
}

fn optional(field: &ResultField, name: &str) -> String {
    if field.is_optional {
        format!("{name} | None")
    } else {
        name.to_owned()
    }
}

/// The type of a field for a type checker.
fn typed(field: &ResultField) -> String {
    let name = match field.holds {
        Holds::Word(words) => word_type(words),
        _ => return plain_type(field),
    };
    optional(field, name)
}

fn word_type(words: Words) -> &'static str {
    match words {
        Words::EventKind => "EventKind",
        Words::ProblemCode => "ProblemCode",
        Words::Severity => "Severity",
        Words::ErrorCode => "ErrorCode",
    }
}

/// The type of a field in a dataclass at run time, where words are text.
fn plain_type(field: &ResultField) -> String {
    let name = match field.holds {
        Holds::Id | Holds::Count | Holds::Number | Holds::Status => "int",
        Holds::Seconds => "float",
        Holds::Time => "datetime",
        Holds::Text | Holds::Word(_) | Holds::Payload => "str",
        Holds::Problems => "list[Problem]",
        Holds::Flag => "bool",
    };
    optional(field, name)
}

/// A native class has payloads as they are sent, in bytes.
fn native_annotation(field: &ResultField) -> String {
    match field.holds {
        Holds::Payload => optional(field, "bytes"),
        _ => typed(field),
    }
}

/// What the constructor of a native class takes for a field.
fn argument_type(field: &ResultField) -> String {
    let name = match field.holds {
        Holds::Id | Holds::Count | Holds::Number | Holds::Status => "SupportsIndex",
        Holds::Seconds => "SupportsFloat",
        Holds::Problems => "Sequence[Problem]",
        Holds::Word(_) => "str",
        _ => return native_annotation(field),
    };
    optional(field, name)
}

/// A field in Rust; `bindings-python/src/results` converts each of these types.
fn native_type(field: &ResultField) -> String {
    assert!(
        !field.is_private || field.holds == Holds::Payload,
        "only payloads are hidden in the repr of a native class"
    );
    let name = match field.holds {
        Holds::Id => "i64",
        Holds::Count => "u64",
        Holds::Number => "u32",
        Holds::Status => "u16",
        Holds::Seconds | Holds::Time => "f64",
        Holds::Text => "String",
        Holds::Word(_) => "Word",
        Holds::Payload => "Vec<u8>",
        Holds::Problems => "Vec<Problem>",
        Holds::Flag => "bool",
    };
    if field.is_optional {
        format!("Option<{name}>")
    } else {
        name.to_owned()
    }
}

fn rust_doc(out: &mut String, indent: &str, doc: &str) {
    for line in crate::text::wrap(doc, 90) {
        let _ = writeln!(out, "{indent}/// {line}");
    }
}

fn logging_level(level: Level) -> String {
    level.as_str().to_uppercase()
}
