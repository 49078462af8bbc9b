//! The npm package: the types of what a caller gives here, the types of what a call returns in
//! `results`, and the parts of its library that depend on the tables in `library`.

pub(crate) mod library;
pub(crate) mod results;

use crate::text::{NOTICE, block_comment, quoted};
use katalys_core::Language;
use katalys_core::config::{DEFAULT_PAGE, DEFAULT_WAIT, SETTINGS, SettingKind};
use katalys_core::order::fields::{Field, GROUPS, Kind, ORDER_FIELDS, STATUSES};
use std::fmt::Write;

pub(crate) fn fields() -> String {
    let mut out = format!("// {NOTICE}\n\nimport type {{ URL }} from 'node:url';\n");
    let statuses = quoted(STATUSES.iter().map(|status| status.name), " | ");
    out += "\n/** The documented statuses; the shop's own are sent as given. */\n";
    let _ = writeln!(
        out,
        "export type OrderStatus = {statuses} | (string & {{}});"
    );
    out += VALUES;
    for group in GROUPS {
        interface(&mut out, group.record, group.doc, group.fields);
        out += "  [key: string]: unknown;\n}\n";
    }
    interface(
        &mut out,
        "OrderFields",
        "The fields of an order.",
        ORDER_FIELDS,
    );
    for group in GROUPS {
        out += &block_comment(group.doc, "  ");
        let _ = writeln!(
            out,
            "  {}?: Iterable<{} | null> | null;",
            group.list, group.record
        );
    }
    out += "  /** Numbered fields, such as `discount_1_code`, and keys of your own. */\n";
    out += "  [key: string]: unknown;\n}\n";
    out += "\n/** The settings of a client. */\nexport interface ClientOptions {\n";
    for setting in SETTINGS {
        out += &block_comment(&spelled(&setting.doc()), "  ");
        let name = Language::Node.spell(setting.name);
        let _ = writeln!(out, "  {name}?: {};", option_type(setting.kind));
    }
    out += "}\n";
    defaults(&mut out);
    out
}

/// What calls take besides an order, with its defaults.
fn defaults(out: &mut String) {
    let seconds = DEFAULT_WAIT.as_secs();
    let _ = write!(
        out,
        "
/** How long a call may wait, in seconds; {seconds} by default. */
export type WaitTimeout = number;

/** A part of the list of dead letters. */
export interface DeadLettersPage {{
  /** Only dead letters with a higher id; 0 by default. */
  after?: number;
  /** At most this many; {DEFAULT_PAGE} by default. */
  limit?: number;
}}
"
    );
}

/// A text with the names of settings as they are in JavaScript.
fn spelled(text: &str) -> String {
    let spell = |text: String, name: &str| {
        let spelling = Language::Node.spell(name);
        text.replace(&format!("`{name}`"), &format!("`{spelling}`"))
    };
    let names = SETTINGS.iter().map(|setting| setting.name);
    names.fold(text.to_owned(), spell)
}

const VALUES: &str = r"
/** A decimal of decimal.js, big.js or bignumber.js. */
export interface DecimalLike {
  toFixed(places?: number): string;
  toString(): string;
}
/** A time of Temporal, luxon, Day.js or Moment. One that is not valid writes null, and is an error. */
export interface TimeLike {
  toJSON(): string | null;
}
/** A moment; text needs its offset, unless the client has a `timezone`. */
export type Time = Date | TimeLike | string;
/** An amount of money. Text, bigints and decimals are exact; numbers are rounded to 4 places. */
export type Amount = string | number | bigint | DecimalLike;
/** What a field may be given; `null` and `undefined` are not given at all. */
export type FieldValue = Amount | Time | null | undefined;
";

fn interface(out: &mut String, name: &str, doc: &str, fields: &[Field]) {
    *out += "\n";
    *out += &block_comment(doc, "");
    let _ = writeln!(out, "export interface {name} {{");
    for field in fields.iter().filter(|field| field.name != "order_id") {
        *out += &block_comment(&format!("{} Example: `{}`", field.doc, field.example), "  ");
        let _ = writeln!(out, "  {}?: {} | null;", field.name, field_type(field.kind));
    }
}

fn field_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Identifier | Kind::Text => "string | number | bigint",
        Kind::Status => "OrderStatus",
        Kind::Time => "Time",
        Kind::Count => "number | bigint | string",
        Kind::Amount | Kind::Quantity => "Amount",
        Kind::Currency | Kind::Email | Kind::Ip | Kind::Country => "string",
    }
}

fn option_type(kind: SettingKind) -> String {
    match kind {
        SettingKind::Text => "string".into(),
        SettingKind::Url { .. } | SettingKind::SecretUrl | SettingKind::Path => {
            "string | URL".into()
        }
        SettingKind::Seconds { .. } | SettingKind::Number { .. } => "number".into(),
        SettingKind::Flag { .. } => "boolean".into(),
        SettingKind::Choice(words) => quoted(words.iter().copied(), " | "),
    }
}
