//! The reference page: every field, setting, problem, result, event and error.

use crate::tables;
use katalys_core::Language;
use katalys_core::config::{DEFAULT_PAGE, DEFAULT_WAIT, EXIT_WAIT, SETTINGS, SettingKind};
use katalys_core::order::fields::{Field, GROUPS, Kind, ORDER_FIELDS, Required, STATUSES};
use katalys_core::results::RESULTS;
use katalys_core::{Code, ErrorCode};
use std::fmt::Write;

pub(crate) fn page() -> String {
    let mut out = HEAD.to_owned();
    out += "\n## Fields\n\n";
    table(&mut out, "", ORDER_FIELDS);
    out += "\nThe documented statuses are ";
    let statuses: Vec<String> = STATUSES
        .iter()
        .map(|status| format!("`{}` ({})", status.name, status.doc.trim_end_matches('.')))
        .collect();
    let _ = writeln!(out, "{}. Others are sent as given.", statuses.join(", "));
    for group in GROUPS {
        let _ = write!(out, "\n### {}\n\n{}\n\n", group.list, group.doc);
        table(&mut out, &format!("{}_N_", group.prefix), group.fields);
    }
    out += "\nAny other key with text or a number is sent as it is.\n";
    out += "\n## Settings\n\n| setting | in Node and PHP | environment | default | |\n|---|---|---|---|---|\n";
    for setting in SETTINGS {
        let camel = Language::Node.spell(setting.name);
        let env = setting
            .env
            .map_or(String::new(), |name| format!("`{name}`"));
        let default = match (setting.default(), setting.kind) {
            (none, _) if none.is_empty() => none,
            (number, SettingKind::Seconds { .. }) => format!("`{number}` seconds"),
            (default, _) => format!("`{default}`"),
        };
        let _ = writeln!(
            out,
            "| `{}` | `{camel}` | {env} | {} | {} |",
            setting.name,
            default,
            setting.doc()
        );
    }
    let of_outbox: Vec<String> = SETTINGS
        .iter()
        .filter(|setting| setting.needs_outbox)
        .map(|setting| format!("`{}`", setting.name))
        .collect();
    let _ = writeln!(out, "\nOnly with `outbox`: {}.", of_outbox.join(", "));
    out += PROBLEMS;
    for code in Code::ALL {
        let _ = writeln!(
            out,
            "| `{}` | {} | … {} |",
            code.as_str(),
            code.severity().as_str(),
            code.explanation().replace("{}", "…")
        );
    }
    results(&mut out);
    errors(&mut out);
    out
}

fn results(out: &mut String) {
    *out += RESULTS_HEAD;
    let _ = write!(
        out,
        "\nBy default, `flush` and `close` wait up to {} seconds, the end of a process waits up to {}, and\na \
         call lists up to {DEFAULT_PAGE} dead letters.\n",
        DEFAULT_WAIT.as_secs(),
        EXIT_WAIT.as_secs()
    );
    for table in RESULTS {
        let _ = write!(out, "\n### {}\n\n{}\n\n", table.name, table.doc());
        *out += &tables::fields(table, Language::Rust);
    }
    *out += "\n## Events\n\nThe level is that of the line in a log.\n\n";
    *out += &tables::event_kinds();
}

fn errors(out: &mut String) {
    *out += "\n## Errors\n\nEvery error has these properties.\n\n";
    *out += &tables::common_properties();
    *out += "\n### Classes\n\nA class adds these properties to those of every error.\n\n";
    *out += &tables::errors(Language::Rust);
    *out += "\n### Codes\n\n| class | code | number in C | retryable | |\n|---|---|---|---|---|\n";
    for code in ErrorCode::ALL {
        let again = if code.is_retryable() { "yes" } else { "no" };
        let _ = writeln!(
            out,
            "| {} | `{}` | {} | {again} | {} |",
            code.kind().as_str(),
            code.as_str(),
            *code as i32,
            code.explanation()
        );
    }
}

const RESULTS_HEAD: &str = "
## Results

What calls return. Names are in `camelCase` in Node and PHP. Seconds and times are numbers with
decimals, times in Unix seconds, unless the language has a type for them.
";

const HEAD: &str = "<!-- Made from the core's tables by `make generate`; change core/src/order/fields.rs instead. -->
# Reference

Everything below is the same in every language. Field names are those of Katalys' page \"Order
Status Reporting\"; an *update* needs `order_id` only, a *report* also what is marked so.
";

const PROBLEMS: &str = "
## Problems

What a check can find. An error stops the call; a warning travels with the receipt. With the
setting `invalid = \"drop\"` an error at anything but `site_id`, `order_id` and `order_status`
becomes a warning, and the field is left out. An `empty` identifier, or an empty field that a
report requires, is an error.

| code | severity | message |
|---|---|---|
";

fn table(out: &mut String, prefix: &str, fields: &[Field]) {
    *out += "| key | holds | needed | | example |\n|---|---|---|---|---|\n";
    for field in fields {
        let needed = match field.required {
            Required::Always => "always".to_owned(),
            Required::InReport => "in a report".to_owned(),
            Required::InReportUnless(others) => {
                format!("in a report without {}", others.join(" and "))
            }
            Required::No => String::new(),
        };
        let _ = writeln!(
            out,
            "| `{prefix}{}` | {} | {needed} | {} | `{}` |",
            field.name,
            kind(field.kind),
            field.doc,
            field.example
        );
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Identifier => "identifier",
        Kind::Text => "text",
        Kind::Status => "status",
        Kind::Time => "time (ISO 8601 with an offset)",
        Kind::Count => "whole number from 1",
        Kind::Amount => "amount",
        Kind::Quantity => "number above 0",
        Kind::Currency => "currency (ISO 4217)",
        Kind::Email => "email address or digest",
        Kind::Ip => "IP address",
        Kind::Country => "country (ISO 3166-1 alpha-2)",
    }
}
