//! The exceptions of the Python package.

use super::docstring::docstring;
use crate::text::notice;
use katalys_core::results::{Holds, Words};
use katalys_core::{ErrorCode, ErrorKind, ErrorProperty};
use std::fmt::Write;

/// What Python adds to a class: the built-in exception that it is as well, and the code of one that
/// a program makes by itself, in its tests for example. Without a row, a class has no second base,
/// and the first of its codes.
const OWN: &[(ErrorKind, &str, ErrorCode)] = &[
    (ErrorKind::Config, "ValueError", ErrorCode::ConfigInvalid),
    (ErrorKind::Validation, "ValueError", ErrorCode::Validation),
    (ErrorKind::Transport, "ConnectionError", ErrorCode::Connect),
    (
        ErrorKind::Timeout,
        "builtins.TimeoutError",
        ErrorCode::Timeout,
    ),
];

/// The base class of all errors; internal errors have no class of their own.
const BASE: &str = "Error";

/// `katalys/_errors.py`.
pub(crate) fn classes() -> String {
    let mut out = format!("# {}\n{HEAD}", notice("core/src/error.rs"));
    let mut names: Vec<&str> = kinds().map(ErrorKind::as_str).collect();
    names.push(BASE);
    names.sort_unstable();
    out += "__all__ = [\n";
    for name in names {
        let _ = writeln!(out, "    \"{name}\",");
    }
    let _ = write!(out, "]\n\n\nclass {BASE}(Exception):\n");
    out += &docstring("The base of everything this package raises.");
    out += "\n    __module__ = \"katalys\"\n";
    for property in ErrorProperty::COMMON {
        member(&mut out, *property, ErrorCode::Internal);
    }
    out += METHODS;
    for kind in kinds() {
        class(&mut out, kind);
    }
    out += RESTORE;
    out
}

/// The built-in exception that a class is as well.
pub(crate) fn builtin_base(kind: ErrorKind) -> Option<&'static str> {
    own(kind).map(|own| own.1)
}

const HEAD: &str = r#"
"""What calls raise. Messages hold no customer data."""

import builtins

# The module `typing` takes longer to import than this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._fields import ErrorCode
    from ._results import Problem

"#;

const METHODS: &str = r#"
    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message)
        for name, value in details.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__}() has no detail {name!r}")
            setattr(self, name, value)

    def __reduce__(self) -> "tuple[object, ...]":
        return _restore, (type(self), self.args, self.__dict__)
"#;

const RESTORE: &str = r#"

def _restore(cls: "type[Error]", args: "tuple[object, ...]", details: "dict[str, object]") -> Error:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(details)
    return error
"#;

fn kinds() -> impl Iterator<Item = ErrorKind> {
    let kinds = ErrorKind::ALL.iter().copied();
    kinds.filter(|kind| *kind != ErrorKind::Internal)
}

fn own(kind: ErrorKind) -> Option<&'static (ErrorKind, &'static str, ErrorCode)> {
    OWN.iter().find(|own| own.0 == kind)
}

/// The code of an error that was made without one.
fn default_code(kind: ErrorKind) -> ErrorCode {
    let first = ErrorCode::ALL.iter().find(|code| code.kind() == kind);
    let first = *first.expect("a code of every class");
    own(kind).map_or(first, |own| own.2)
}

fn class(out: &mut String, kind: ErrorKind) {
    let parent = kind.parent().map_or(BASE, ErrorKind::as_str);
    let second = own(kind).map_or(String::new(), |own| format!(", {}", own.1));
    let doc = docstring(kind.explanation());
    let _ = write!(
        out,
        "\n\nclass {}({parent}{second}):\n{doc}\n    __module__ = \"katalys\"\n",
        kind.as_str()
    );
    let code = default_code(kind);
    let _ = writeln!(out, "    code: \"ErrorCode\" = \"{}\"", code.as_str());
    let retryable = python_bool(code.is_retryable());
    let _ = writeln!(out, "    retryable: bool = {retryable}");
    for property in kind.properties() {
        member(out, *property, code);
    }
    let lists: Vec<&str> = kind
        .properties()
        .iter()
        .filter(|property| property.holds() == Holds::Problems)
        .map(|property| property.name())
        .collect();
    if !lists.is_empty() {
        list_constructor(out, &lists);
    }
}

/// Lists are parameters: a list that belongs to the class would be shared by all errors.
fn list_constructor(out: &mut String, lists: &[&str]) {
    let parameters: Vec<String> = lists
        .iter()
        .map(|name| format!("        {name}: \"Sequence[Problem]\" = (),\n"))
        .collect();
    let _ = write!(
        out,
        "\n    def __init__(\n        self,\n        message: str = \"\",\n{}        **details: object,\n    ) -> None:\n        super().__init__(message, **details)\n",
        parameters.concat()
    );
    for name in lists {
        let _ = writeln!(out, "        self.{name} = list({name})");
    }
}

fn member(out: &mut String, property: ErrorProperty, code: ErrorCode) {
    let _ = write!(out, "    {}: {}", property.name(), annotation(property));
    let default = match property {
        _ if property.is_optional() => "None".to_owned(),
        ErrorProperty::Code => format!("\"{}\"", code.as_str()),
        ErrorProperty::Retryable => python_bool(code.is_retryable()).to_owned(),
        _ => match property.holds() {
            Holds::Problems => String::new(),
            Holds::Text | Holds::Word(_) | Holds::Payload => "\"\"".to_owned(),
            Holds::Flag => python_bool(false).to_owned(),
            _ => "0".to_owned(),
        },
    };
    if !default.is_empty() {
        let _ = write!(out, " = {default}");
    }
    let _ = write!(out, "\n{}", docstring(property.doc()));
}

fn annotation(property: ErrorProperty) -> String {
    let name = match property.holds() {
        Holds::Id | Holds::Count | Holds::Number | Holds::Status => "int",
        Holds::Seconds | Holds::Time => "float",
        Holds::Word(Words::ErrorCode) => "\"ErrorCode\"",
        Holds::Text | Holds::Word(_) | Holds::Payload => "str",
        Holds::Problems => "\"list[Problem]\"",
        Holds::Flag => "bool",
    };
    if property.is_optional() {
        format!("{name} | None")
    } else {
        name.to_owned()
    }
}

fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
