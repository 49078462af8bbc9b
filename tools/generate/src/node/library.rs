//! The parts of the npm package's library that depend on the tables: the classes of errors, and how
//! results are read.

use super::results::{BASE, kinds};
use crate::text::notice;
use katalys_core::results::{Holds, RESULTS, Record, ResultField, ResultTable, Words};
use katalys_core::{ErrorCode, ErrorKind, ErrorProperty, Language, Receipt, Ticket};
use std::fmt::Write;

/// `lib/errors.js`: a class for each kind of errors.
pub(crate) fn errors() -> String {
    let notice = notice("core/src/error.rs");
    let mut out = format!("'use strict';\n// {notice}\n");
    out += "// The classes of errors. The second argument holds the properties, as Rust returns them.\n";
    class(&mut out, BASE, "Error", ErrorProperty::COMMON);
    for kind in kinds() {
        let parent = kind.parent().map_or(BASE, ErrorKind::as_str);
        class(&mut out, kind.as_str(), parent, kind.properties());
    }
    out += "\nmodule.exports = {\n";
    for name in std::iter::once(BASE).chain(kinds().map(ErrorKind::as_str)) {
        let _ = writeln!(out, "  {name},");
    }
    out += "};\n";
    out += NAMES;
    out
}

const NAMES: &str = "
// On the prototype, as with JavaScript's own errors, and as a text, which minifiers do not rename.
for (const [name, errorClass] of Object.entries(module.exports)) {
  Object.defineProperty(errorClass.prototype, 'name', {
    value: name,
    writable: true,
    configurable: true,
  });
}
";

fn class(out: &mut String, name: &str, parent: &str, properties: &[ErrorProperty]) {
    if properties.is_empty() {
        let _ = writeln!(out, "\nclass {name} extends {parent} {{}}");
        return;
    }
    let inherited = if parent == "Error" {
        "message"
    } else {
        "message, properties"
    };
    let _ = write!(
        out,
        "
class {name} extends {parent} {{
  /**
   * @param {{string}} message
   * @param {{Record<string, any>}} [properties]
   */
  constructor(message, properties = {{}}) {{
    super({inherited});
"
    );
    for property in properties {
        let name = Language::Node.spell(property.name());
        let default = if property.is_optional() {
            "null".into()
        } else {
            default(property.holds())
        };
        let _ = writeln!(out, "    this.{name} = properties.{name} ?? {default};");
    }
    *out += "  }\n}\n";
}

/// The value of a property that an error made by a caller does not have.
fn default(holds: Holds) -> String {
    match holds {
        Holds::Word(Words::ErrorCode) => format!("'{}'", ErrorCode::Internal.as_str()),
        Holds::Word(_) | Holds::Text | Holds::Payload => "''".into(),
        Holds::Problems => "[]".into(),
        Holds::Flag => "false".into(),
        _ => "0".into(),
    }
}

/// `lib/results.js`: how results are read.
pub(crate) fn results() -> String {
    let notice = notice("core/src/results.rs");
    let mut out = format!("'use strict';\n// {notice}\n{NUMERIC}");
    for (place, table) in RESULTS.iter().enumerate() {
        if NUMERIC_RESULTS.contains(&table.name) {
            reader(&mut out, place, table);
        }
    }
    out += FIELDS;
    for table in RESULTS {
        let times = names(table, |field| field.holds == Holds::Time);
        let hidden = names(table, |field| field.is_private);
        let _ = writeln!(
            out,
            "  {}: {{ times: [{times}], hidden: [{hidden}] }},",
            table.name
        );
    }
    out += "};\n\nmodule.exports = { fields, numeric };\n";
    out
}

/// Results of calls that a program makes in great numbers. Without warnings they arrive as numbers.
const NUMERIC_RESULTS: &[&str] = &[Receipt::TABLE.name, Ticket::TABLE.name];

const NUMERIC: &str = "// How results arrive from Rust.

/**
 * Results that can arrive as numbers alone, by the place of their table: how many numbers, and the
 * result made of them.
 * @type {Record<number, { size: number, read(numbers: number[], at: number): object }>}
 */
const numeric = {
";

const FIELDS: &str = "};

/**
 * By the name of a result: fields that hold a point in time, as Unix seconds, and fields that hold
 * customer data.
 * @type {Record<string, { times: string[], hidden: string[] }>}
 */
const fields = {
";

/// Nothing for a table with a field that is neither a number nor a list of problems: then Rust sends
/// its results as JSON.
fn reader(out: &mut String, place: usize, table: &ResultTable) {
    let mut size = 0;
    let mut members = String::new();
    for field in table.fields {
        let name = Language::Node.spell(field.name);
        match field.holds {
            Holds::Problems => _ = writeln!(members, "      {name}: [],"),
            Holds::Text | Holds::Word(_) | Holds::Payload | Holds::Flag => return,
            _ if size == 0 => {
                let _ = writeln!(members, "      {name}: numbers[at],");
                size += 1;
            }
            _ => {
                let _ = writeln!(members, "      {name}: numbers[at + {size}],");
                size += 1;
            }
        }
    }
    let _ = write!(
        out,
        "  // {}\n  {place}: {{\n    size: {size},\n    read: (numbers, at) => ({{\n{members}    }}),\n  }},\n",
        table.name
    );
}

fn names(table: &ResultTable, is_listed: fn(&ResultField) -> bool) -> String {
    let names = table.fields.iter().filter(|field| is_listed(field));
    let names: Vec<String> = names
        .map(|field| format!("'{}'", Language::Node.spell(field.name)))
        .collect();
    names.join(", ")
}
