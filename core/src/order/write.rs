//! Looks at one value by its kind's rule and writes it into the payload.

use super::check::Walk;
use super::fields::{Field, Kind};
use super::key;
use super::payload::Name;
use super::problem::Code;
use super::rules::amount::{self, Units};
use super::rules::time::{self, Moment};
use super::rules::{customer, iso, status, text};
use super::value::Value;
use jiff::Timestamp;
use std::borrow::Cow;

/// What became of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Sent,
    /// Nothing but white space; what that means is the caller's to say.
    Blank,
    /// Reported already.
    Refused,
}

/// The result of writing one field.
#[derive(Clone, Copy)]
pub(super) struct Written {
    pub fate: Fate,
    pub amount: Option<Units>,
}

/// Makes a value's path where there is a problem to report, and only then.
type Path<'p> = &'p dyn Fn() -> String;

impl Walk<'_, '_> {
    /// Checks a value against its row and writes it. A blank is left to the caller to report.
    pub(super) fn value(
        &mut self,
        field: &Field,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Written {
        let mut amount = None;
        let result = match field.kind {
            Kind::Amount => self.amount(name, value, path).map(|units| {
                amount = Some(units);
                Fate::Sent
            }),
            Kind::Count => amount::count(value).map(|digits| self.number(name, &digits)),
            Kind::Quantity => amount::quantity(value).map(|digits| self.number(name, &digits)),
            Kind::Time => self.order_time(name, value, path),
            Kind::Identifier => self.identifier(name, value),
            Kind::Text => as_text(value).and_then(|text| self.text(name, &text)),
            Kind::Currency => self.currency(name, value),
            Kind::Ip | Kind::Email | Kind::Status | Kind::Country => {
                self.descriptive(field.kind, name, value, path)
            }
        };
        let fate = match result {
            Ok(fate) => fate,
            Err(_) if is_blank(value) => Fate::Blank,
            Err(code) => {
                self.refuse_with(path(), code, &type_details(field.kind, value));
                Fate::Refused
            }
        };
        Written { fate, amount }
    }

    /// A key of the caller's own: text or a number, sent as it is.
    pub(super) fn own_value(
        &mut self,
        key: &str,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Fate {
        let result = match value {
            _ if key::is_numeric(key) => Err(Code::KeyNumeric),
            _ if !key::is_usable(key) => Err(Code::KeyInvalid),
            Value::Int(number) => Ok(self.number(name, &number.to_string())),
            Value::Float(number) => amount::own_number(*number).map(|d| self.number(name, &d)),
            Value::Time(text) => self.time(name, text).map(|_| Fate::Sent),
            other => as_text(other).and_then(|text| self.text(name, &text)),
        };
        match result {
            Ok(Fate::Blank) => {
                self.warn(path(), Code::Empty);
                Fate::Blank
            }
            Ok(fate) => fate,
            Err(code) => {
                self.refuse_with(path(), code, &type_details(Kind::Text, value));
                Fate::Refused
            }
        }
    }

    fn text(&mut self, name: &Name<'_>, text: &str) -> Result<Fate, Code> {
        let traits = text::traits(text);
        if traits.control {
            return Err(Code::ControlCharacter);
        }
        if traits.blank {
            return Ok(Fate::Blank);
        }
        if traits.escape {
            self.payload.escaped_text(name, text);
        } else {
            self.payload.plain_text(name, text);
        }
        Ok(Fate::Sent)
    }

    fn number(&mut self, name: &Name<'_>, digits: &str) -> Fate {
        self.payload.number(name, digits);
        Fate::Sent
    }

    fn identifier(&mut self, name: &Name<'_>, value: &Value<'_>) -> Result<Fate, Code> {
        match value {
            // A float has already lost digits, or will in the next language.
            Value::Float(number) if !is_exact_integer(*number) => Err(Code::WrongType),
            Value::Time(_) => Err(Code::WrongType),
            other => as_text(other).and_then(|text| self.text(name, &text)),
        }
    }

    fn amount(
        &mut self,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Result<Units, Code> {
        let (plain, units) = amount::plain(value)?;
        self.payload.plain_text(name, &plain);
        self.saw_amount();
        if units.is_negative() {
            self.warn(path(), Code::AmountNegative);
        }
        Ok(units)
    }

    fn order_time(
        &mut self,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Result<Fate, Code> {
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
        if let Some(code) = moment.suspicion(Timestamp::now()) {
            self.warn(path(), code);
        }
        Ok(Fate::Sent)
    }

    fn time(&mut self, name: &Name<'_>, text: &str) -> Result<Moment, Code> {
        let moment = time::parse(text, self.zone())?;
        self.moment(name, moment);
        Ok(moment)
    }

    pub(super) fn moment(&mut self, name: &Name<'_>, moment: Moment) {
        let text = moment.write();
        self.payload
            .plain_text(name, str::from_utf8(&text).unwrap_or_default());
    }

    fn currency(&mut self, name: &Name<'_>, value: &Value<'_>) -> Result<Fate, Code> {
        let text = as_text(value)?;
        match iso::currency(&text) {
            Some(code) => self.text(name, str::from_utf8(&code).unwrap_or_default()),
            None if text::traits(&text).control => Err(Code::ControlCharacter),
            None => Err(Code::CurrencyUnknown),
        }
    }

    /// Text that is sent as given, with something to say where it looks odd.
    fn descriptive(
        &mut self,
        kind: Kind,
        name: &Name<'_>,
        value: &Value<'_>,
        path: Path<'_>,
    ) -> Result<Fate, Code> {
        let text = as_text(value)?;
        let mark = self.payload.mark();
        let fate = self.text(name, &text)?;
        if fate != Fate::Sent {
            return Ok(fate);
        }
        let mut detail = "";
        let suspicion = match kind {
            Kind::Ip => customer::ip(&text).inspect_err(|_| self.payload.back_to(mark))?,
            Kind::Email => (!customer::is_email_or_digest(&text)).then_some(Code::EmailUnusual),
            Kind::Country => (!iso::is_country(&text)).then_some(Code::CountryUnknown),
            _ => status::meant(&text).map(|meant| {
                detail = meant;
                Code::StatusMisspelled
            }),
        };
        if let Some(code) = suspicion {
            self.warn_with(path(), code, &[detail]);
        }
        Ok(fate)
    }
}

/// What `wrong_type` says of a value: what it is, and what to give in its place.
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

/// A value as text, where text is wanted.
pub(super) fn as_text<'t>(value: &'t Value<'_>) -> Result<Cow<'t, str>, Code> {
    match value {
        Value::Text(text) | Value::Time(text) => Ok(Cow::Borrowed(text)),
        Value::Int(number) => Ok(Cow::Owned(number.to_string())),
        Value::Float(number) => amount::own_number(*number).map(Cow::Owned),
        Value::Decimal(text) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Cow::Borrowed(text)),
        Value::Decimal(_) => amount::plain(value).map(|(text, _)| text),
        Value::InvalidText => Err(Code::InvalidUnicode),
        _ => Err(Code::WrongType),
    }
}

/// Text of nothing but white space, or none.
pub(super) fn is_blank(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(text) if text::traits(text).blank)
}

/// Whether a double holds this number without loss.
fn is_exact_integer(number: f64) -> bool {
    number.fract() == 0.0 && !amount::is_inexact(number)
}
