//! The types and classes of the Composer package.

pub(crate) mod results;

use crate::text::{NOTICE, wrap};
use katalys_core::Language;
use katalys_core::config::{SETTINGS, SettingKind};
use katalys_core::order::fields::{Field, GROUPS, Kind, ORDER_FIELDS};
use std::fmt::Write;

pub(crate) fn order_fields() -> String {
    let mut out = head("The types of an order update, for editors and static analysis.");
    out += "/**\n * The fields of an order update, as arrays.\n *\n";
    for field in ORDER_FIELDS.iter().filter(|field| field.name != "order_id") {
        describe(&mut out, field.name, field);
    }
    for group in GROUPS {
        item(&mut out, group.list, group.doc);
    }
    out += " *\n";
    for group in GROUPS {
        for field in group.fields {
            describe(&mut out, &format!("{}[].{}", group.list, field.name), field);
        }
    }
    out += " *\n";
    for group in GROUPS {
        shape(&mut out, group.record, group.fields, &[]);
    }
    let lists: Vec<String> = GROUPS
        .iter()
        .map(|group| format!("{}?: iterable<{}>|null", group.list, group.record))
        .collect();
    shape(&mut out, "Fields", ORDER_FIELDS, &lists);
    out += " */\ninterface OrderFields\n{\n}\n";
    out
}

pub(crate) fn client_options() -> String {
    let mut out = head("The settings of a client, as named arguments.");
    out += "trait ClientOptions\n{\n    /**\n";
    for setting in SETTINGS {
        let name = Language::Php.spell(setting.name);
        let lines = wrap(
            &format!(
                "@param {}|null ${name} {}",
                option_type(setting.kind),
                setting.doc()
            ),
            100,
        );
        for line in lines {
            let _ = writeln!(out, "     * {line}");
        }
    }
    for (declaration, doc) in LISTENERS {
        for line in wrap(&format!("@param {declaration} {doc}"), 100) {
            let _ = writeln!(out, "     * {line}");
        }
    }
    out += "     *\n     * @throws ConfigException if a setting cannot be used; its message says how to fix it.\n     */\n";
    out += "    final public function __construct(\n";
    for setting in SETTINGS {
        let name = Language::Php.spell(setting.name);
        let _ = writeln!(
            out,
            "        {}{} ${name} = null,",
            secrecy(setting.kind),
            native_type(setting.kind)
        );
    }
    out += "        ?\\Psr\\Log\\LoggerInterface $logger = null,\n";
    out += "        ?callable $onEvent = null,\n    ) {\n        $this->open([\n";
    for setting in SETTINGS {
        let name = Language::Php.spell(setting.name);
        let _ = writeln!(out, "            '{name}' => ${name},");
    }
    out += "        ], $logger, $onEvent);\n    }\n}\n";
    out
}

/// What the constructor takes besides the settings.
const LISTENERS: &[(&str, &str)] = &[
    (
        "\\Psr\\Log\\LoggerInterface|null $logger",
        "Receives each kind of warning once, the events of the outbox and the errors of its delivery. \
         Its exceptions are caught and logged by error_log(). Without a logger, errors go to error_log().",
    ),
    (
        "(callable(Event): mixed)|null $onEvent",
        "Receives the events of the outbox, after the next call of a client with these settings. Its \
         exceptions are caught and logged by error_log().",
    ),
];

fn head(purpose: &str) -> String {
    format!(
        "<?php\n\n/**\n * {purpose}\n *\n * {NOTICE}\n */\n\ndeclare(strict_types=1);\n\nnamespace Katalys;\n\n"
    )
}

fn describe(out: &mut String, name: &str, field: &Field) {
    item(
        out,
        name,
        &format!("{} Example: {}", field.doc, field.example),
    );
}

fn item(out: &mut String, name: &str, doc: &str) {
    let lines = wrap(&format!("- {name}: {doc}"), 100);
    for (index, line) in lines.iter().enumerate() {
        let indent = if index == 0 { "" } else { "  " };
        let _ = writeln!(out, " * {indent}{line}");
    }
}

fn shape(out: &mut String, name: &str, fields: &[Field], lists: &[String]) {
    let _ = writeln!(out, " * @phpstan-type {name} array{{");
    for field in fields.iter().filter(|field| field.name != "order_id") {
        let _ = writeln!(
            out,
            " *   {}?: {}|null,",
            field.name,
            field_type(field.kind)
        );
    }
    for list in lists {
        let _ = writeln!(out, " *   {list},");
    }
    out.push_str(" *   ...\n * }\n");
}

fn field_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Identifier | Kind::Text => "string|int|\\Stringable|\\BackedEnum",
        Kind::Time => "string|\\DateTimeInterface",
        Kind::Count => "int|string",
        Kind::Amount | Kind::Quantity => "string|int|float|\\Stringable",
        Kind::Status | Kind::Currency | Kind::Email | Kind::Ip | Kind::Country => {
            "string|\\Stringable|\\BackedEnum"
        }
    }
}

fn option_type(kind: SettingKind) -> String {
    match kind {
        SettingKind::Text
        | SettingKind::Url { .. }
        | SettingKind::SecretUrl
        | SettingKind::Path => "string".into(),
        SettingKind::Seconds { .. } => "int|float".into(),
        SettingKind::Number { .. } => "int".into(),
        SettingKind::Flag { .. } => "bool".into(),
        SettingKind::Choice(words) => words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join("|"),
    }
}

/// Keeps a password out of stack traces.
fn secrecy(kind: SettingKind) -> &'static str {
    if kind == SettingKind::SecretUrl {
        "#[\\SensitiveParameter] "
    } else {
        ""
    }
}

fn native_type(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Seconds { .. } => "int|float|null",
        SettingKind::Number { .. } => "?int",
        SettingKind::Flag { .. } => "?bool",
        _ => "?string",
    }
}
