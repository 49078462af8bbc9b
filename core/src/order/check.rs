//! Walks an order update once, field by field in the table's order: collects every problem and
//! writes the payload on the way.

use super::fields::{self, Field, GROUPS, Kind, ORDER_FIELDS, Required};
use super::key::{self, Key};
use super::payload::{Name, Payload};
use super::problem::{Code, Problem, Severity};
use super::records::{Place, Records};
use super::rules::amount::{self, Units};
use super::rules::time::{self, Moment};
use super::rules::{customer, iso, status, text};
use super::value::{Fields, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// Which of the two calls an update is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `update_order`: whatever is given must be right.
    Update,
    /// `report_order`: the order as a whole, with the fields the vendor's page requires.
    Report,
}

/// An order update that passed: what is sent, and what was suspicious about it.
#[derive(Clone)]
pub struct Checked {
    /// The exact bytes that are sent: one flat JSON object.
    pub payload: Vec<u8>,
    /// What is suspicious, or was left out.
    pub warnings: Vec<Problem>,
    /// The same for every update of one order of one site, and so the queue it waits in.
    pub(crate) lane: u64,
}

/// Shows sizes only: the payload is customer data.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Checked({} bytes, {:?})",
            self.payload.len(),
            self.warnings
        )
    }
}

/// What a check needs to know besides the update itself.
pub(crate) struct Context<'c> {
    pub call: Call,
    pub site_id: &'c str,
    pub zone: Option<&'c TimeZone>,
    pub drop_invalid: bool,
}

/// The endpoint's limit is not documented; an order beyond this is surely a mistake.
const LARGEST_PAYLOAD: usize = 256 * 1024;
const LONGEST_ORDER_ID: usize = 150;

const SITE_ID: usize = fields::index_of("site_id");
const ORDER_ID: usize = fields::index_of("order_id");
const ORDER_STATUS: usize = fields::index_of("order_status");
const ORDER_TIME: usize = fields::index_of("order_time");
const ORDER_ALIAS: usize = fields::index_of("order_alias");
const SALE: usize = fields::index_of("sale_amount");
const SUBTOTAL: usize = fields::index_of("subtotal_amount");
const SHIPPING: usize = fields::index_of("shipping_amount");
const TAX: usize = fields::index_of("tax_amount");
/// Without these nothing can be sent, so `invalid = "drop"` does not apply to them.
const INDISPENSABLE: [usize; 3] = [SITE_ID, ORDER_ID, ORDER_STATUS];

/// Checks one update. `Err` holds every problem, errors and warnings, of an update that must
/// not be sent.
pub(crate) fn check(
    context: &Context<'_>,
    order_id: &Value<'_>,
    fields: &Fields<'_>,
) -> Result<Checked, Vec<Problem>> {
    let site_id = Value::Text(Cow::Borrowed(context.site_id));
    let mut walk = Walk::new(context);
    walk.slots[SITE_ID] = Some(&site_id);
    walk.slots[ORDER_ID] = Some(order_id).filter(|value| !matches!(value, Value::Null));
    walk.sort(fields);
    for index in 0..ORDER_FIELDS.len() {
        walk.order_field(index);
    }
    walk.records();
    walk.own_keys();
    walk.across_fields();
    walk.finish()
}

/// What became of one value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Sent,
    Blank,
    Refused,
}

/// Everything known about one order field after it was looked at.
#[derive(Clone, Copy, Default)]
struct Seen {
    given: bool,
    sent: bool,
    amount: Option<Units>,
}

pub(super) struct Walk<'w, 'v> {
    context: &'w Context<'w>,
    slots: [Option<&'w Value<'v>>; ORDER_FIELDS.len()],
    records: [Records<'w, 'v>; GROUPS.len()],
    own: Vec<(&'w str, &'w Value<'v>)>,
    seen: [Seen; ORDER_FIELDS.len()],
    any_amount: bool,
    lane: u64,
    pub(super) problems: Vec<Problem>,
    pub(super) payload: Payload,
}

impl<'w, 'v> Walk<'w, 'v> {
    fn new(context: &'w Context<'w>) -> Self {
        Self {
            context,
            slots: [None; ORDER_FIELDS.len()],
            records: std::array::from_fn(Records::new),
            own: Vec::new(),
            seen: [Seen::default(); ORDER_FIELDS.len()],
            any_amount: false,
            lane: LANE_SEED,
            problems: Vec::new(),
            payload: Payload::new(),
        }
    }

    /// Puts each value where the table says it belongs. Null is not given at all.
    fn sort(&mut self, fields: &'w Fields<'v>) {
        for (key, value) in fields.pairs() {
            if matches!(value, Value::Null) {
                continue;
            }
            match key::resolve(key) {
                Key::Field(index) => self.take_slot(index, value),
                Key::List(group) => self.take_list(group, value),
                Key::Numbered {
                    group,
                    number,
                    part,
                    renamed,
                } => {
                    if renamed {
                        let sent = format!("{}_{number}_{part}", GROUPS[group].prefix);
                        self.warn_with(shown_key(key), Code::KeyRenamed, &sent);
                    }
                    let place = Place::Flat { key };
                    self.records[group].take(number, part, place, value);
                }
                Key::BadNumber => self.refuse(shown_key(key), Code::KeyInvalid),
                Key::Other => self.own.push((key, value)),
            }
        }
    }

    fn take_slot(&mut self, index: usize, value: &'w Value<'v>) {
        match self.slots[index] {
            // The client's own site_id is a default, which a call may override.
            Some(_) if index == SITE_ID && !self.seen[SITE_ID].given => {}
            Some(earlier) if index == ORDER_ID && as_text(earlier) == as_text(value) => return,
            Some(_) => return self.refuse(ORDER_FIELDS[index].name, Code::DuplicateField),
            None => {}
        }
        self.seen[index].given = true;
        self.slots[index] = Some(value);
    }

    fn take_list(&mut self, group: usize, value: &'w Value<'v>) {
        let name = GROUPS[group].list;
        let Value::List(items) = value else {
            return self.refuse_with(name, Code::WrongType, value.kind_name());
        };
        let mut number = 0;
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::Null => {}
                Value::Map(record) => {
                    number += 1;
                    self.records[group].take_record(number, index, record);
                }
                other => {
                    let path = format!("{name}[{index}]");
                    self.refuse_with(path, Code::WrongType, other.kind_name());
                }
            }
        }
    }

    fn order_field(&mut self, index: usize) {
        let field = &ORDER_FIELDS[index];
        let Some(value) = self.slots[index] else {
            return self.absent(index);
        };
        let blank_is_error = self.is_required(field);
        let written = self.value(field, &Name::Field(field), value, &|| field.name.into());
        self.seen[index].given = true;
        self.seen[index].sent = written.fate == Fate::Sent;
        self.seen[index].amount = written.amount;
        match index {
            SITE_ID | ORDER_ID => self.identify(index, value),
            _ => {}
        }
        match written.fate {
            Fate::Blank if blank_is_error => {
                self.refuse(field.name, Code::Empty);
                self.absent(index);
            }
            Fate::Blank => {
                self.warn(field.name, Code::Empty);
                self.absent(index);
            }
            Fate::Refused => self.absent(index),
            Fate::Sent => {}
        }
    }

    /// A report says when the order was placed even if it then waits in a queue.
    fn absent(&mut self, index: usize) {
        if index == ORDER_TIME && self.context.call == Call::Report {
            let moment = Moment::in_zone(Timestamp::now(), self.context.zone);
            self.write_moment(&Name::Field(&ORDER_FIELDS[index]), moment);
            self.seen[index].sent = true;
        } else if !self.seen[index].given && self.is_required(&ORDER_FIELDS[index]) {
            let code = match ORDER_FIELDS[index].required {
                Required::InReportUnless(_) => Code::SubtotalMissing,
                _ => Code::Required,
            };
            self.refuse(ORDER_FIELDS[index].name, code);
        }
    }

    fn is_required(&self, field: &Field) -> bool {
        let report = self.context.call == Call::Report;
        match field.required {
            Required::Always => true,
            Required::InReport => report,
            Required::InReportUnless(others) => report && !others.iter().all(|o| self.is_given(o)),
            Required::No => false,
        }
    }

    fn is_given(&self, name: &str) -> bool {
        let Key::Field(index) = key::resolve(name) else {
            return false;
        };
        self.slots[index].is_some_and(|value| !is_blank(value))
    }

    /// What site_id and order_id add: the lane, and what is odd about an order id.
    fn identify(&mut self, index: usize, value: &Value<'_>) {
        let Ok(text) = as_text(value) else { return };
        self.lane = extend_lane(self.lane, text.as_bytes());
        if index == ORDER_ID && self.seen[index].sent {
            if text::has_outer_blanks(&text) {
                self.warn(ORDER_FIELDS[index].name, Code::OrderIdBlanks);
            }
            if text.chars().count() > LONGEST_ORDER_ID {
                self.warn(ORDER_FIELDS[index].name, Code::OrderIdLong);
            }
        }
    }

    fn records(&mut self) {
        let all = std::mem::replace(&mut self.records, std::array::from_fn(Records::new));
        for records in all {
            records.write(self);
        }
    }

    fn own_keys(&mut self) {
        let own = std::mem::take(&mut self.own);
        let mut names = HashSet::new();
        for (key, value) in &own {
            if own.len() > 1 && !names.insert(*key) {
                self.refuse(shown_key(key), Code::DuplicateField);
                continue;
            }
            if let Some(meant) = key::hint(key) {
                self.warn_with(shown_key(key), Code::KeyMisspelled, &meant);
            }
            self.own_value(key, &Name::Own(key), value, &|| shown_key(key));
        }
    }

    /// A key of the caller's own: text or a number, sent as it is.
    pub(super) fn own_value(
        &mut self,
        key: &str,
        name: &Name<'_>,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Fate {
        if !key::is_usable(key) {
            self.refuse(path(), Code::KeyInvalid);
            return Fate::Refused;
        }
        let result = match value {
            Value::Int(number) => {
                self.payload.number(name, &number.to_string());
                Ok(Fate::Sent)
            }
            Value::Float(number) => amount::own_number(*number).map(|digits| {
                self.payload.number(name, &digits);
                Fate::Sent
            }),
            Value::Time(text) => self.time(name, text).map(|_| Fate::Sent),
            other => self.text(name, other),
        };
        self.settle(result, value, path)
    }

    /// Checks a value against its row and writes it. A blank is left to the caller to report.
    pub(super) fn value(
        &mut self,
        field: &'static Field,
        name: &Name<'_>,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Written {
        let mut amount = None;
        let result = match field.kind {
            Kind::Amount if !is_blank(value) => self.amount(name, value, path).map(|units| {
                amount = Some(units);
                Fate::Sent
            }),
            Kind::Count if !is_blank(value) => self.digits(name, amount::count(value)),
            Kind::Quantity if !is_blank(value) => self.digits(name, amount::quantity(value)),
            Kind::Time => self.order_time(name, value, path),
            Kind::Identifier => self.identifier(name, value),
            Kind::Currency => self.currency(name, value),
            Kind::Ip | Kind::Email | Kind::Status | Kind::Country => {
                self.descriptive(field.kind, name, value, path)
            }
            Kind::Text | Kind::Amount | Kind::Count | Kind::Quantity => self.text(name, value),
        };
        let fate = match result {
            Ok(Fate::Blank) => Fate::Blank,
            result => self.settle_as(result, field, value, path),
        };
        Written { fate, amount }
    }

    /// The same as [`settle`](Self::settle), where a field may be indispensable.
    fn settle_as(
        &mut self,
        result: Result<Fate, Code>,
        field: &'static Field,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Fate {
        match result {
            Err(code) if is_indispensable(field) => {
                let mut problem = Problem::with_detail(path(), code, value.kind_name());
                problem.severity = Severity::Error;
                self.problems.push(problem);
                Fate::Refused
            }
            result => self.settle(result, value, path),
        }
    }

    fn settle(
        &mut self,
        result: Result<Fate, Code>,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Fate {
        match result {
            Ok(Fate::Blank) => {
                self.warn(path(), Code::Empty);
                Fate::Blank
            }
            Ok(fate) => fate,
            Err(code) => {
                self.refuse_with(path(), code, value.kind_name());
                Fate::Refused
            }
        }
    }

    fn text(&mut self, name: &Name<'_>, value: &Value<'_>) -> Result<Fate, Code> {
        let text = as_text(value)?;
        let traits = text::traits(&text);
        if traits.control {
            return Err(Code::ControlCharacter);
        }
        if traits.blank {
            return Ok(Fate::Blank);
        }
        if traits.escape {
            self.payload.escaped_text(name, &text);
        } else {
            self.payload.plain_text(name, &text);
        }
        Ok(Fate::Sent)
    }

    fn identifier(&mut self, name: &Name<'_>, value: &Value<'_>) -> Result<Fate, Code> {
        match value {
            // A float has already lost digits, or will in the next language.
            Value::Float(number) if exact_integer(*number).is_none() => Err(Code::WrongType),
            Value::Time(_) => Err(Code::WrongType),
            other => self.text(name, other),
        }
    }

    fn amount(
        &mut self,
        name: &Name<'_>,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Result<Units, Code> {
        let plain = amount::plain(value)?;
        self.payload.plain_text(name, &plain);
        self.any_amount = true;
        let units = Units::of(&plain);
        if units.is_negative() {
            self.warn(path(), Code::AmountNegative);
        }
        Ok(units)
    }

    fn digits(&mut self, name: &Name<'_>, digits: Result<String, Code>) -> Result<Fate, Code> {
        self.payload.number(name, &digits?);
        Ok(Fate::Sent)
    }

    fn order_time(
        &mut self,
        name: &Name<'_>,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Result<Fate, Code> {
        let text = match value {
            Value::Text(text) | Value::Time(text) => text,
            Value::Int(_) | Value::Float(_) | Value::Decimal(_) => return Err(Code::TimeFormat),
            Value::InvalidText => return Err(Code::InvalidUnicode),
            _ => return Err(Code::WrongType),
        };
        let traits = text::traits(text);
        if traits.control {
            return Err(Code::ControlCharacter);
        }
        if traits.blank {
            return Ok(Fate::Blank);
        }
        let moment = self.time(name, text)?;
        if let Some(code) = moment.suspicion(Timestamp::now()) {
            self.warn(path(), code);
        }
        Ok(Fate::Sent)
    }

    fn time(&mut self, name: &Name<'_>, text: &str) -> Result<Moment, Code> {
        let moment = time::parse(text, self.context.zone)?;
        self.write_moment(name, moment);
        Ok(moment)
    }

    fn write_moment(&mut self, name: &Name<'_>, moment: Moment) {
        let mut text = String::with_capacity(25);
        moment.write(&mut text);
        self.payload.plain_text(name, &text);
    }

    fn currency(&mut self, name: &Name<'_>, value: &Value<'_>) -> Result<Fate, Code> {
        let mark = self.payload.mark();
        let fate = self.text(name, value)?;
        if fate == Fate::Sent {
            self.payload.back_to(mark);
            let code = iso::currency(&as_text(value)?).ok_or(Code::CurrencyUnknown)?;
            self.payload.plain_text(name, &code);
        }
        Ok(fate)
    }

    /// Text that is sent as given, with something to say where it looks odd.
    fn descriptive(
        &mut self,
        kind: Kind,
        name: &Name<'_>,
        value: &Value<'_>,
        path: &dyn Fn() -> String,
    ) -> Result<Fate, Code> {
        let mark = self.payload.mark();
        let fate = self.text(name, value)?;
        if fate != Fate::Sent {
            return Ok(fate);
        }
        let text = as_text(value)?;
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
            self.warn_with(path(), code, detail);
        }
        Ok(fate)
    }

    /// The rules that look at several fields.
    fn across_fields(&mut self) {
        let amounts = [SALE, SHIPPING, TAX].map(|index| self.seen[index].amount);
        if let ([Some(sale), Some(shipping), Some(tax)], Some(subtotal)) =
            (amounts, self.seen[SUBTOTAL].amount)
            && subtotal.differs_by_a_cent([sale, shipping, tax])
        {
            self.warn(ORDER_FIELDS[SUBTOTAL].name, Code::SubtotalMismatch);
        }
        if let (Some(alias), Some(id)) = (self.slots[ORDER_ALIAS], self.slots[ORDER_ID])
            && self.seen[ORDER_ALIAS].sent
            && as_text(alias) == as_text(id)
        {
            self.warn(ORDER_FIELDS[ORDER_ALIAS].name, Code::AliasSame);
        }
        if self.any_amount && !self.seen[ORDER_TIME].sent && !self.seen[ORDER_TIME].given {
            self.warn(ORDER_FIELDS[ORDER_TIME].name, Code::TimeMissing);
        }
    }

    fn finish(mut self) -> Result<Checked, Vec<Problem>> {
        let payload = self.payload.finish();
        if payload.len() > LARGEST_PAYLOAD {
            self.problems.push(Problem::new("", Code::PayloadTooLarge));
        }
        if self.problems.iter().any(Problem::is_error) {
            return Err(self.problems);
        }
        Ok(Checked {
            payload,
            warnings: self.problems,
            lane: self.lane,
        })
    }

    pub(super) fn sale(&self) -> Option<Units> {
        self.seen[SALE].amount
    }

    pub(super) fn drops_invalid(&self) -> bool {
        self.context.drop_invalid
    }

    pub(super) fn warn(&mut self, path: impl Into<String>, code: Code) {
        self.warn_with(path, code, "");
    }

    pub(super) fn warn_with(&mut self, path: impl Into<String>, code: Code, detail: &str) {
        let mut problem = Problem::with_detail(path, code, detail);
        problem.severity = Severity::Warning;
        self.problems.push(problem);
    }

    pub(super) fn refuse(&mut self, path: impl Into<String>, code: Code) {
        self.refuse_with(path, code, "");
    }

    /// An error, unless the client was told to leave out what is invalid.
    pub(super) fn refuse_with(&mut self, path: impl Into<String>, code: Code, detail: &str) {
        let path = path.into();
        let indispensable = ORDER_FIELDS
            .iter()
            .any(|field| is_indispensable(field) && field.name == path);
        let mut problem = Problem::with_detail(path, code, detail);
        problem.severity = Severity::Error;
        if self.context.drop_invalid && !indispensable {
            problem.leave_out();
        }
        self.problems.push(problem);
    }
}

/// The result of writing one field.
pub(super) struct Written {
    pub fate: Fate,
    pub amount: Option<Units>,
}

fn is_indispensable(field: &'static Field) -> bool {
    INDISPENSABLE
        .iter()
        .any(|index| std::ptr::eq(&raw const ORDER_FIELDS[*index], field))
}

/// A value as text, where text is wanted.
fn as_text<'t>(value: &'t Value<'_>) -> Result<Cow<'t, str>, Code> {
    match value {
        Value::Text(text) | Value::Time(text) => Ok(Cow::Borrowed(text)),
        Value::Int(number) => Ok(Cow::Owned(number.to_string())),
        Value::Float(number) => amount::own_number(*number).map(Cow::Owned),
        Value::Decimal(text) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Cow::Borrowed(text)),
        Value::Decimal(_) => amount::plain(value),
        Value::InvalidText => Err(Code::InvalidUnicode),
        _ => Err(Code::WrongType),
    }
}

fn is_blank(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(text) if text::traits(text).blank)
}

/// Integers that a double holds without loss.
fn exact_integer(number: f64) -> Option<f64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= LARGEST).then_some(number)
}

/// A key of the caller's own, fit for a message: visible and of bounded length.
pub(super) fn shown_key(key: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = key
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if shown.is_empty() {
        shown.push_str("\"\"");
    }
    shown
}

const LANE_SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with a separator: two ids can't run into each other. Two orders that share a lane by
/// chance wait for each other and nothing worse.
fn extend_lane(lane: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let hashed = bytes.iter().fold(lane, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    });
    (hashed ^ 0xFF).wrapping_mul(PRIME)
}
