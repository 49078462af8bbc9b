//! The result classes and exceptions of the Composer package.

use crate::text::{notice, wrap};
use katalys_core::config::{DEFAULT_PAGE, DEFAULT_WAIT, SETTINGS};
use katalys_core::results::{Holds, RESULTS, Record, ResultField, ResultTable, Words};
use katalys_core::{
    DeadLetter, ErrorCode, ErrorKind, ErrorProperty, Event, EventKind, Language, Problem, Receipt,
    Severity, Stats, Ticket, Validation,
};
use std::fmt::Write;

const ERRORS: &str = "core/src/error.rs";
const TABLES: &str = "core/src/results.rs";
const BASE: &str = "KatalysException";

/// The results that calls of this package return.
const CLASSES: &[ResultTable] = &[
    Problem::TABLE,
    Receipt::TABLE,
    Ticket::TABLE,
    Validation::TABLE,
    Stats::TABLE,
    DeadLetter::TABLE,
    Event::TABLE,
];

/// What a class contains besides its fields.
const METHODS: &[(&str, &str)] = &[
    (
        "Problem",
        "
    public function isError(): bool
    {
        return $this->severity === self::ERROR;
    }
",
    ),
    (
        "Validation",
        "
    /**
     * Whether the update would be sent.
     */
    public function isValid(): bool
    {
        return $this->payload !== null;
    }
",
    ),
];

/// Every class, by the path of its file.
pub(crate) fn files() -> Vec<(String, String)> {
    let results = CLASSES
        .iter()
        .map(|table| (table.name.to_owned(), class(table)));
    let kinds = ErrorKind::ALL.iter().filter(|kind| has_class(**kind));
    let exceptions = kinds.map(|kind| (exception_name(*kind), exception(*kind)));
    let others = [
        (BASE.to_owned(), base()),
        ("Defaults".to_owned(), defaults()),
        ("Internal/Results".to_owned(), factory()),
    ];
    let path = |name| format!("bindings-php/src/{name}.php");
    let all = results.chain(exceptions).chain(others);
    all.map(|(name, text)| (path(name), text)).collect()
}

fn class(table: &ResultTable) -> String {
    let mut out = head("Katalys", TABLES);
    doc(&mut out, "", &[table.doc()]);
    let _ = write!(out, "final class {}\n{{\n", table.name);
    if table.name == Problem::TABLE.name {
        for severity in [Severity::Error, Severity::Warning] {
            let word = severity.as_str();
            let _ = writeln!(out, "    public const {} = '{word}';", word.to_uppercase());
        }
        out.push('\n');
    }
    constructor(&mut out, table);
    let methods = METHODS.iter().filter(|(class, _)| *class == table.name);
    out.extend(methods.map(|(_, method)| *method));
    if table.fields.iter().any(|field| field.is_private) {
        debug_info(&mut out, table);
    }
    out += "}\n";
    out
}

fn constructor(out: &mut String, table: &ResultTable) {
    let parameter = |field: &ResultField| {
        let name = Language::Php.spell(field.name);
        let kind = doc_type(field.holds, field.is_optional);
        format!(
            "@param {kind} ${name} {}{}",
            field.doc(),
            words(field.holds)
        )
    };
    let mut lines: Vec<String> = table.fields.iter().map(parameter).collect();
    lines.push(String::new());
    lines.push("@internal Created by the package.".into());
    doc(out, "    ", &lines);
    out.push_str("    public function __construct(\n");
    for field in table.fields {
        let name = Language::Php.spell(field.name);
        let default = if field.holds == Holds::Problems {
            " = []"
        } else {
            ""
        };
        let kind = native_type(field.holds, field.is_optional);
        let _ = writeln!(out, "        public readonly {kind} ${name}{default},");
    }
    out.push_str("    ) {\n    }\n");
}

/// Dumps hide the fields that the table marks as private.
fn debug_info(out: &mut String, table: &ResultTable) {
    out.push('\n');
    let lines = [
        "Customer data does not appear in dumps, only its size.".to_owned(),
        String::new(),
        "@return array<string, mixed>".to_owned(),
    ];
    doc(out, "    ", &lines);
    out.push_str("    public function __debugInfo(): array\n    {\n        return [\n");
    for field in table.fields {
        let name = Language::Php.spell(field.name);
        let size = format!("'(' . \\strlen($this->{name}) . ' bytes)'");
        let shown = match (field.is_private, field.is_optional) {
            (false, _) => format!("$this->{name}"),
            (true, false) => size,
            (true, true) => format!("$this->{name} === null ? null : {size}"),
        };
        let _ = writeln!(out, "            '{name}' => {shown},");
    }
    out.push_str("        ];\n    }\n");
}

/// Internal errors are of the base class.
fn has_class(kind: ErrorKind) -> bool {
    kind != ErrorKind::Internal
}

fn exception_name(kind: ErrorKind) -> String {
    if !has_class(kind) {
        return BASE.into();
    }
    kind.as_str().replace("Error", "Exception")
}

fn base() -> String {
    let mut out = head("Katalys", ERRORS);
    doc(
        &mut out,
        "",
        &["Why a call failed; the base class of all exceptions of this package.".to_owned()],
    );
    let _ = write!(out, "class {BASE} extends \\RuntimeException\n{{\n");
    let mut lines = vec![MESSAGE.to_owned()];
    lines.extend(ErrorProperty::COMMON.iter().map(|one| property_line(*one)));
    lines.push(String::new());
    lines.push("@internal Created by the package.".into());
    doc(&mut out, "    ", &lines);
    out += "    public function __construct(\n        string $message,\n";
    let common = ErrorProperty::COMMON.iter();
    let (optional, required): (Vec<&ErrorProperty>, Vec<&ErrorProperty>) =
        common.partition(|one| one.is_optional());
    for property in required {
        let default = match property.holds() {
            Holds::Word(_) => "",
            Holds::Flag => " = false",
            _ => " = 0",
        };
        promoted(&mut out, *property, default);
    }
    out += "        ?\\Throwable $previous = null,\n";
    for property in optional {
        promoted(&mut out, *property, " = null");
    }
    out += "    ) {\n        parent::__construct($message, 0, $previous);\n    }\n";
    getters(&mut out, ErrorProperty::COMMON);
    out += "}\n";
    out
}

const MESSAGE: &str = "@param string $message What happened, and how to fix it where that is \
                       possible. Contains no customer data.";

fn exception(kind: ErrorKind) -> String {
    let mut out = head("Katalys", ERRORS);
    let codes: Vec<String> = ErrorCode::ALL
        .iter()
        .filter(|code| code.kind() == kind)
        .map(|code| format!("`{}`", code.as_str()))
        .collect();
    let noun = if codes.len() == 1 { "Code" } else { "Codes" };
    let codes = format!("{noun}: {}.", codes.join(", "));
    doc(
        &mut out,
        "",
        &[kind.explanation().to_owned(), String::new(), codes],
    );
    let is_parent = ErrorKind::ALL
        .iter()
        .any(|other| other.parent() == Some(kind));
    let finality = if is_parent { "" } else { "final " };
    let parent = kind.parent().map_or(BASE.into(), exception_name);
    let name = exception_name(kind);
    let _ = write!(out, "{finality}class {name} extends {parent}\n{{\n");
    if !kind.properties().is_empty() {
        assert!(
            kind.parent().is_none(),
            "the parent's constructor takes the common properties only"
        );
        own_constructor(&mut out, kind.properties());
        getters(&mut out, kind.properties());
    }
    out += "}\n";
    out
}

fn own_constructor(out: &mut String, own: &[ErrorProperty]) {
    let common = ErrorProperty::COMMON.iter();
    let (optional, required): (Vec<&ErrorProperty>, Vec<&ErrorProperty>) =
        common.partition(|one| one.is_optional());
    let mut lines = vec![MESSAGE.to_owned()];
    let all = required
        .iter()
        .copied()
        .chain(own)
        .chain(optional.iter().copied());
    lines.extend(all.map(|one| property_line(*one)));
    lines.push(String::new());
    lines.push("@internal Created by the package.".into());
    doc(out, "    ", &lines);
    out.push_str("    public function __construct(\n        string $message,\n");
    for property in &required {
        let kind = native_type(property.holds(), false);
        let _ = writeln!(out, "        {kind} ${},", name_of(**property));
    }
    for property in own {
        promoted(
            out,
            *property,
            if property.is_optional() {
                " = null"
            } else {
                ""
            },
        );
    }
    for property in &optional {
        let kind = native_type(property.holds(), true);
        let _ = writeln!(out, "        {kind} ${} = null,", name_of(**property));
    }
    out.push_str(
        "        ?\\Throwable $previous = null,\n    ) {\n        parent::__construct($message",
    );
    for property in &required {
        let _ = write!(out, ", ${}", name_of(**property));
    }
    out.push_str(", $previous");
    for property in &optional {
        let _ = write!(out, ", ${}", name_of(**property));
    }
    out.push_str(");\n    }\n");
}

fn promoted(out: &mut String, property: ErrorProperty, default: &str) {
    let kind = native_type(property.holds(), property.is_optional());
    let _ = writeln!(
        out,
        "        public readonly {kind} ${}{default},",
        name_of(property)
    );
}

fn getters(out: &mut String, properties: &[ErrorProperty]) {
    for property in properties {
        let name = name_of(*property);
        let prefix = if property.holds() == Holds::Flag {
            "is"
        } else {
            "get"
        };
        let (first, rest) = name.split_at(1);
        let native = native_type(property.holds(), property.is_optional());
        out.push('\n');
        if *property == ErrorProperty::Code {
            let text = "The stable code, the same in every language; getCode() is PHP's own number, which is 0.";
            doc(out, "    ", &[text.to_owned()]);
        } else if property.holds() == Holds::Problems {
            doc(out, "    ", &["@return list<Problem>".to_owned()]);
        }
        let _ = write!(
            out,
            "    public function {prefix}{}{rest}(): {native}\n    {{\n        return $this->{name};\n    }}\n",
            first.to_uppercase()
        );
    }
}

fn property_line(property: ErrorProperty) -> String {
    let kind = doc_type(property.holds(), property.is_optional());
    format!("@param {kind} ${} {}", name_of(property), property.doc())
}

fn name_of(property: ErrorProperty) -> String {
    property.spelled(Language::Php)
}

fn defaults() -> String {
    let mut out = head("Katalys", "core/src/config/wait.rs");
    doc(
        &mut out,
        "",
        &["The defaults of a client's methods.".to_owned()],
    );
    let _ = write!(
        out,
        "final class Defaults\n{{\n    \
         /** How long flush() and close() wait, in seconds. */\n    \
         public const WAIT = {:?};\n\n    \
         /** Maximum number of dead letters that one call returns. */\n    \
         public const PAGE = {DEFAULT_PAGE};\n}}\n",
        DEFAULT_WAIT.as_secs_f64()
    );
    out
}

/// Creates results and exceptions from the library's answers.
fn factory() -> String {
    let mut out = head("Katalys\\Internal", TABLES);
    let mut classes: Vec<(&str, String)> = CLASSES
        .iter()
        .map(|table| (table.name, table.name.to_owned()))
        .collect();
    classes.extend(
        ErrorKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), exception_name(*kind))),
    );
    let mut imports: Vec<&str> = classes.iter().map(|(_, class)| class.as_str()).collect();
    imports.sort_unstable();
    imports.dedup();
    for class in imports {
        let _ = writeln!(out, "use Katalys\\{class};");
    }
    out += FACTORY;
    out += "    /** Classes, by the core's names. */\n    private const CLASSES = [\n";
    for (name, class) in &classes {
        let _ = writeln!(out, "        '{name}' => {class}::class,");
    }
    out += "    ];\n\n";
    let _ = write!(
        out,
        "    private const LISTS_OF_PROBLEMS = [{}];\n    private const TIMES = [{}];\n\n",
        names_of(Holds::Problems),
        names_of(Holds::Time)
    );
    out += MAKE;
    for table in [Receipt::TABLE, Ticket::TABLE] {
        compact(&mut out, &table);
    }
    out += "}\n";
    out
}

const FACTORY: &str = "
/**
 * Creates results and exceptions from the library's answers.
 *
 * @internal
 */
final class Results
{
";

const MAKE: &str = "    /**
     * @param array<string, mixed> $fields by the names of the constructor's arguments
     */
    public static function make(string $class, #[\\SensitiveParameter] array $fields): object
    {
        foreach (self::LISTS_OF_PROBLEMS as $name) {
            if (isset($fields[$name])) {
                $fields[$name] = self::problems($fields[$name]);
            }
        }
        foreach (self::TIMES as $name) {
            if (isset($fields[$name])) {
                $fields[$name] = \\DateTimeImmutable::createFromFormat('U.u', \\sprintf('%.6F', $fields[$name]));
            }
        }
        $class = self::CLASSES[$class] ?? KatalysException::class;

        return new $class(...$fields);
    }

    /**
     * @param list<array<string, string>> $all
     *
     * @return list<Problem>
     */
    public static function problems(array $all): array
    {
        return \\array_map(static fn(array $fields) => new Problem(...$fields), $all);
    }
";

/// The names of the fields that hold this, in every result and exception.
fn names_of(holds: Holds) -> String {
    let fields = RESULTS.iter().flat_map(|table| table.fields);
    let fields = fields.filter(|field| field.holds == holds);
    let mut names: Vec<String> = fields
        .map(|field| Language::Php.spell(field.name))
        .collect();
    let properties = ErrorProperty::ALL.iter().filter(|one| one.holds() == holds);
    names.extend(properties.map(|one| name_of(*one)));
    names.sort();
    names.dedup();
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    names.join(", ")
}

/// Reads a result without warnings, which the library writes as its fields with spaces between.
fn compact(out: &mut String, table: &ResultTable) {
    let fields = table
        .fields
        .iter()
        .filter(|field| field.holds != Holds::Problems);
    let fields: Vec<(String, &str)> = fields
        .map(|field| {
            assert!(!field.is_optional, "an optional field has no compact form");
            (
                Language::Php.spell(field.name),
                native_type_name(field.holds),
            )
        })
        .collect();
    let names: Vec<String> = fields.iter().map(|(name, _)| format!("${name}")).collect();
    let values = fields
        .iter()
        .map(|(name, kind)| format!("{name}: ({kind}) ${name}"));
    let values: Vec<String> = values.collect();
    let class = table.name;
    let _ = write!(
        out,
        "\n    /**\n     * A result without warnings, from its fields with spaces between.\n     */\n    \
         public static function {}(string $fields): {class}\n    {{\n        \
         [{}] = \\explode(' ', $fields);\n\n        return new {class}({});\n    }}\n",
        class.to_lowercase(),
        names.join(", "),
        values.join(", ")
    );
}

fn head(namespace: &str, table: &str) -> String {
    format!(
        "<?php\n\n/**\n * {}\n */\n\ndeclare(strict_types=1);\n\nnamespace {namespace};\n\n",
        notice(table)
    )
}

/// A doc comment; each paragraph is wrapped.
fn doc(out: &mut String, indent: &str, paragraphs: &[String]) {
    let _ = writeln!(out, "{indent}/**");
    for paragraph in paragraphs {
        for line in wrap(&in_camel_case(paragraph), 100) {
            let _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
        }
    }
    let _ = writeln!(out, "{indent} */");
}

/// Names of settings, fields and properties in backticks, as PHP spells them.
fn in_camel_case(text: &str) -> String {
    let settings = SETTINGS.iter().map(|setting| setting.name);
    let fields = RESULTS
        .iter()
        .flat_map(|table| table.fields)
        .map(|field| field.name);
    let properties = ErrorProperty::ALL.iter().map(|property| property.name());
    let names: Vec<&str> = settings.chain(fields).chain(properties).collect();
    let parts = text.split('`').enumerate();
    let spelled = parts.map(|(place, part)| {
        if place % 2 == 1 && names.contains(&part) {
            Language::Php.spell(part)
        } else {
            part.to_owned()
        }
    });
    spelled.collect::<Vec<_>>().join("`")
}

/// The words that a field may hold, for its documentation.
fn words(holds: Holds) -> String {
    if holds != Holds::Word(Words::EventKind) {
        return String::new();
    }
    let kinds = EventKind::ALL.iter();
    let kinds = kinds.map(|kind| format!("`{}`: {}.", kind.as_str(), kind.explanation()));
    format!(" {}", kinds.collect::<Vec<_>>().join(" "))
}

fn native_type(holds: Holds, is_optional: bool) -> String {
    let prefix = if is_optional { "?" } else { "" };
    format!("{prefix}{}", native_type_name(holds))
}

fn native_type_name(holds: Holds) -> &'static str {
    match holds {
        Holds::Id | Holds::Count | Holds::Number | Holds::Status => "int",
        Holds::Seconds => "float",
        Holds::Time => "\\DateTimeImmutable",
        Holds::Text | Holds::Word(_) | Holds::Payload => "string",
        Holds::Problems => "array",
        Holds::Flag => "bool",
    }
}

fn doc_type(holds: Holds, is_optional: bool) -> String {
    let kind = match holds {
        Holds::Problems => "list<Problem>",
        Holds::Word(Words::Severity) => "'error'|'warning'",
        other => native_type_name(other),
    };
    let suffix = if is_optional { "|null" } else { "" };
    format!("{kind}{suffix}")
}
