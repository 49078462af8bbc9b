//! Checks one value by the rule of its kind and writes it into the payload.

use super::fields::{Field, Kind};
use super::findings::{Findings, Invalid};
use super::key;
use super::payload::{Name, Payload};
use super::problem::Code;
use super::rules::amount::{self, Units};
use super::rules::time::{self, Moment};
use super::rules::{customer, identifier, iso, status, text};
use super::value::Value;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What happened to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Sent,
    /// Only white space; the caller decides what that means.
    Blank,
    /// The problem is reported already.
    Rejected,
}

/// The result of encoding one field, with what rules across fields compare.
#[derive(Clone, Copy)]
pub(super) struct Encoded {
    pub written: Written,
    pub amount: Option<Units>,
}

/// Builds a value's path, which is needed only if there is a problem to report.
type Path<'p> = &'p dyn Fn() -> String;

/// The payload and the problems of one update while it is checked.
pub(super) struct Encoder<'c> {
    pub payload: Payload,
    pub findings: Findings,
    /// The `order_time` that was written, in Unix seconds.
    pub order_time: Option<i64>,
    zone: Option<&'c TimeZone>,
    has_amounts: bool,
}

impl<'c> Encoder<'c> {
    /// Times without an offset are read in `zone`.
    pub(super) fn new(zone: Option<&'c TimeZone>, invalid: Invalid) -> Self {
        Self {
            payload: Payload::new(),
            findings: Findings::new(invalid),
            order_time: None,
            zone,
            has_amounts: false,
        }
    }

    /// Whether any amount was sent.
    pub(super) fn has_amounts(&self) -> bool {
        self.has_amounts
    }

    /// Checks a value by its row and writes it. The caller reports a blank.
    pub(super) fn value(
        &mut self,
        field: &Field,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Encoded {
        let mut amount = None;
        let result = match field.kind {
            Kind::Amount => self.amount(name, value, path).map(|units| {
                amount = Some(units);
                Written::Sent
            }),
            Kind::Count => amount::count(value).map(|digits| self.number(name, &digits)),
            Kind::Quantity => amount::quantity(value).map(|digits| self.number(name, &digits)),
            Kind::Time => self.order_time(name, value, path),
            Kind::Identifier => {
                identifier::identifier(value).and_then(|text| self.text(name, &text))
            }
            Kind::Text => text::of_value(value).and_then(|text| self.text(name, &text)),
            Kind::Currency => self.currency(name, value),
            Kind::Ip | Kind::Email | Kind::Status | Kind::Country => {
                self.descriptive(field.kind, name, value, path)
            }
        };
        let written = match result {
            Ok(written) => written,
            Err(_) if text::is_blank(value) => Written::Blank,
            Err(code) => self.reject(code, field.kind, value, path),
        };
        Encoded { written, amount }
    }

    /// Checks and writes the value of a custom key: text or a number, sent as given.
    pub(super) fn custom_value(
        &mut self,
        key: &str,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Written {
        let result = match value {
            _ if key::is_numeric(key) => Err(Code::KeyNumeric),
            _ if !key::is_usable(key) => Err(Code::KeyInvalid),
            Value::Int(number) => Ok(self.number(name, &number.to_string())),
            Value::Float(number) => {
                amount::custom_number(*number).map(|digits| self.number(name, &digits))
            }
            Value::Time(text) => self.time(name, text).map(|_| Written::Sent),
            other => text::of_value(other).and_then(|text| self.text(name, &text)),
        };
        match result {
            Ok(Written::Blank) => {
                self.findings.warn(path(), Code::Empty);
                Written::Blank
            }
            Ok(written) => written,
            Err(code) => self.reject(code, Kind::Text, value, path),
        }
    }

    /// Writes a moment in the form that the endpoint documents.
    pub(super) fn moment(&mut self, name: &Name<'_>, moment: Moment) {
        let text = moment.write();
        self.payload
            .plain_text(name, str::from_utf8(&text).unwrap_or_default());
    }

    fn reject(&mut self, code: Code, kind: Kind, value: &Value<'_>, path: Path<'_>) -> Written {
        self.findings
            .reject_with(path(), code, &type_details(kind, value));
        Written::Rejected
    }

    fn text(&mut self, name: &Name<'_>, text: &str) -> Result<Written, Code> {
        let traits = text::traits(text);
        if traits.control {
            return Err(Code::ControlCharacter);
        }
        if traits.blank {
            return Ok(Written::Blank);
        }
        if traits.escape {
            self.payload.escaped_text(name, text);
        } else {
            self.payload.plain_text(name, text);
        }
        Ok(Written::Sent)
    }

    fn number(&mut self, name: &Name<'_>, digits: &str) -> Written {
        self.payload.number(name, digits);
        Written::Sent
    }

    fn amount(
        &mut self,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Result<Units, Code> {
        let (plain, units) = amount::plain(value)?;
        self.payload.plain_text(name, &plain);
        self.has_amounts = true;
        if units.is_negative() {
            self.findings.warn(path(), Code::AmountNegative);
        }
        Ok(units)
    }

    fn order_time(
        &mut self,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Result<Written, Code> {
        let text = match value {
            Value::Text(text) | Value::Time(text) => text,
            Value::Int(_) | Value::Float(_) | Value::Decimal(_) => return Err(Code::TimeFormat),
            Value::InvalidText => return Err(Code::InvalidUnicode),
            _ => return Err(Code::WrongType),
        };
        if text::traits(text).control {
            return Err(Code::ControlCharacter);
        }
        let moment = self.time(name, text)?;
        self.order_time = Some(moment.unix_seconds());
        if let Some(code) = moment.suspicion(Timestamp::now()) {
            self.findings.warn(path(), code);
        }
        Ok(Written::Sent)
    }

    fn time(&mut self, name: &Name<'_>, text: &str) -> Result<Moment, Code> {
        let moment = time::parse(text, self.zone)?;
        self.moment(name, moment);
        Ok(moment)
    }

    fn currency(&mut self, name: &Name<'_>, value: &Value<'_>) -> Result<Written, Code> {
        let text = text::of_value(value)?;
        match iso::currency(&text) {
            Some(code) => self.text(name, str::from_utf8(&code).unwrap_or_default()),
            None if text::traits(&text).control => Err(Code::ControlCharacter),
            None => Err(Code::CurrencyUnknown),
        }
    }

    /// Text that is sent as given, with a warning where it looks wrong.
    fn descriptive(
        &mut self,
        kind: Kind,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Result<Written, Code> {
        let text = text::of_value(value)?;
        let mark = self.payload.mark();
        let written = self.text(name, &text)?;
        if written != Written::Sent {
            return Ok(written);
        }
        let mut detail = "";
        let suspicion = match kind {
            Kind::Ip => customer::ip(&text).inspect_err(|_| self.payload.back_to(mark))?,
            Kind::Email => (!customer::is_email_or_digest(&text)).then_some(Code::EmailUnusual),
            Kind::Country => (!iso::is_country(&text)).then_some(Code::CountryUnknown),
            _ => status::near_miss(&text).map(|documented| {
                detail = documented;
                Code::StatusMisspelled
            }),
        };
        if let Some(code) = suspicion {
            self.findings.warn_with(path(), code, &[detail]);
        }
        Ok(written)
    }
}

/// The details of `wrong_type`: what the value is, and what to give instead.
fn type_details<'v>(kind: Kind, value: &'v Value<'_>) -> [&'v str; 2] {
    match (kind, value) {
        (Kind::Identifier, Value::Float(_)) => [
            "a floating-point number that may have lost digits",
            "the id as text",
        ],
        (Kind::Identifier, _) => [value.kind_name(), "the id as text or a whole number"],
        (Kind::Time, _) => [
            value.kind_name(),
            "a time such as 2018-01-01 01:23:40-08:00",
        ],
        (Kind::Count | Kind::Quantity | Kind::Amount, _) => {
            [value.kind_name(), "a number, or its digits as text"]
        }
        _ => [value.kind_name(), "text or a number"],
    }
}
