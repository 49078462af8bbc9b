//! The types of what calls take: fields, words and settings.

use super::docstring::docstring;
use crate::text::{NOTICE, quoted};
use katalys_core::config::{SETTINGS, SettingKind};
use katalys_core::order::fields::{Field, GROUPS, Kind, ORDER_FIELDS, STATUSES};
use katalys_core::{Code, ErrorCode, EventKind, Severity};
use std::fmt::Write;

/// `katalys/_fields.py`.
pub(crate) fn types() -> String {
    let mut out = format!("# {NOTICE}\n{HEAD}");
    let statuses = quoted(STATUSES.iter().map(|status| status.name), ", ");
    let _ = write!(
        out,
        "# The documented statuses; the shop's own are sent as given.\nOrderStatus: TypeAlias = Literal[{statuses}] | str\n"
    );
    let severities = [Severity::Error, Severity::Warning];
    let severities = quoted(severities.iter().map(|severity| severity.as_str()), ", ");
    let _ = writeln!(out, "Severity: TypeAlias = Literal[{severities}]");
    literal(
        &mut out,
        "ProblemCode",
        Code::ALL.iter().map(|code| code.as_str()),
    );
    literal(
        &mut out,
        "ErrorCode",
        ErrorCode::ALL.iter().map(|code| code.as_str()),
    );
    literal(
        &mut out,
        "EventKind",
        EventKind::ALL.iter().map(|kind| kind.as_str()),
    );
    for group in GROUPS {
        class(&mut out, group.record, group.doc, group.fields);
    }
    class(
        &mut out,
        "OrderFields",
        "The fields of an order.",
        ORDER_FIELDS,
    );
    for group in GROUPS {
        let annotation = format!("Iterable[{} | Record]", group.record);
        member(&mut out, group.list, &annotation, group.doc);
    }
    out +=
        "\nclass Options(TypedDict, total=False):\n    \"\"\"The settings of a client.\"\"\"\n\n";
    for setting in SETTINGS.iter().filter(|setting| setting.name != "site_id") {
        member(
            &mut out,
            setting.name,
            &format!("{} | None", option_type(setting.kind)),
            &setting.doc(),
        );
    }
    out
}

const HEAD: &str = r"
from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict
from uuid import UUID

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
else:
    DataclassInstance = object

Text: TypeAlias = str | Enum | UUID | int
Amount: TypeAlias = str | Decimal | int | float
# A line item or discount; the last is a named tuple.
Record: TypeAlias = Mapping[str, object] | DataclassInstance | tuple[Any, ...]
";

/// The words of a table as a type.
fn literal<'w>(out: &mut String, name: &str, words: impl Iterator<Item = &'w str>) {
    let words = quoted(words, ",\n    ");
    let _ = write!(out, "{name}: TypeAlias = Literal[\n    {words},\n]\n");
}

fn class(out: &mut String, name: &str, doc: &str, fields: &[Field]) {
    let doc = docstring(doc);
    let _ = write!(out, "\nclass {name}(TypedDict, total=False):\n{doc}\n");
    for field in fields.iter().filter(|field| field.name != "order_id") {
        let annotation = format!("{} | None", field_type(field.kind));
        let doc = format!("{} Example: `{}`", field.doc, field.example);
        member(out, field.name, &annotation, &doc);
    }
}

fn member(out: &mut String, name: &str, annotation: &str, doc: &str) {
    let _ = write!(out, "    {name}: {annotation}\n{}", docstring(doc));
}

fn field_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Identifier | Kind::Text => "Text",
        Kind::Status => "OrderStatus | Enum",
        Kind::Time => "datetime | str",
        Kind::Count => "int | str",
        Kind::Amount | Kind::Quantity => "Amount",
        Kind::Currency | Kind::Email | Kind::Ip | Kind::Country => "str | Enum",
    }
}

fn option_type(kind: SettingKind) -> String {
    match kind {
        SettingKind::Text | SettingKind::Url { .. } | SettingKind::SecretUrl => "str".into(),
        SettingKind::Path => "str | PathLike[str]".into(),
        SettingKind::Seconds { .. } => "float".into(),
        SettingKind::Number { .. } => "int".into(),
        SettingKind::Flag { .. } => "bool".into(),
        SettingKind::Choice(words) => format!("Literal[{}]", quoted(words.iter().copied(), ", ")),
    }
}
