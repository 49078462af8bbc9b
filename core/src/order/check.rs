//! Checks an order update in one pass: assigns the values to the rows of the table, encodes each of
//! them, and applies the rules across fields. Collects every problem.

use super::checked::Checked;
use super::encoder::{Encoder, Written};
use super::fields::{
    Field, GROUPS, ORDER_ALIAS, ORDER_FIELDS, ORDER_ID, ORDER_STATUS, ORDER_TIME, SALE, SHIPPING,
    SITE_ID, SUBTOTAL, Stage, TAX,
};
use super::findings::Invalid;
use super::key::{self, Key, displayed};
use super::lane::LaneHash;
use super::payload::{Name, Payload};
use super::problem::{Code, Problem};
use super::records::{self, Entry, Place};
use super::rules::amount::Units;
use super::rules::time::Moment;
use super::rules::{across, identifier, status, text};
use super::value::{Fields, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// Which of the two calls an update is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `update_order`: checks the fields that are given.
    Update,
    /// `report_order`: the whole order, with the fields that the vendor's page requires.
    Report,
}

/// What a check needs to know besides the update itself.
pub(crate) struct Context<'c> {
    pub call: Call,
    pub site_id: &'c str,
    pub zone: Option<&'c TimeZone>,
    pub invalid: Invalid,
}

/// The maximum number of keys and list entries of one update, nested ones included: more cannot fit
/// into the largest payload. A binding stops converting beyond this number; the check then rejects the
/// update (`payload_too_large`), whatever follows.
pub const MAX_KEYS: usize = 50_000;

/// What a `wrong_type` problem says it expects where a value is not a list.
const LIST_WANTED: &str = "a list of records, whose entries have no keys of their own";
/// What a `wrong_type` problem says it expects where an entry of a list is not a record.
const RECORD_WANTED: &str = "a record with named fields";
/// Number of discount and line item values in a small order.
const TYPICAL_ENTRIES: usize = 16;

/// Checks one update. `Err` holds every problem, errors and warnings, of an update that must
/// not be sent.
pub(crate) fn check(
    context: &Context<'_>,
    order_id: &Value<'_>,
    fields: &Fields<'_>,
) -> Result<Checked, Vec<Problem>> {
    let keys_left = fields.count_against(MAX_KEYS);
    if keys_left
        .and_then(|left| order_id.count_against(left))
        .is_none()
    {
        return Err(vec![Problem::new("", Code::PayloadTooLarge)]);
    }
    let site_id = Value::Text(Cow::Borrowed(context.site_id));
    let mut checker = Checker::new(context);
    checker.slots[SITE_ID] = Some(&site_id).filter(|_| !context.site_id.is_empty());
    checker.slots[ORDER_ID] = Some(order_id).filter(|value| !matches!(value, Value::Null));
    checker.assign(fields);
    for index in 0..ORDER_FIELDS.len() {
        checker.order_field(index);
    }
    let entries = std::mem::take(&mut checker.entries);
    records::write_all(entries, &mut checker.encoder, checker.amounts[SALE]);
    checker.custom_keys();
    checker.across_fields();
    checker.finish()
}

/// One update while it is checked.
struct Checker<'w, 'v> {
    context: &'w Context<'w>,
    /// The given value of each row of the table.
    slots: [Option<&'w Value<'v>>; ORDER_FIELDS.len()],
    /// Which rows are sent.
    sent: [bool; ORDER_FIELDS.len()],
    /// The amounts that are compared with others.
    amounts: [Option<Units>; ORDER_FIELDS.len()],
    /// Discounts and line items.
    entries: Vec<Entry<'w, 'v>>,
    /// Keys that are not in the table.
    custom: Vec<(&'w str, &'w Value<'v>)>,
    site_overridden: bool,
    lane: LaneHash,
    stage: Stage,
    order_id: Range<usize>,
    encoder: Encoder<'w>,
}

impl<'w, 'v> Checker<'w, 'v> {
    fn new(context: &'w Context<'w>) -> Self {
        Self {
            context,
            slots: [None; ORDER_FIELDS.len()],
            sent: [false; ORDER_FIELDS.len()],
            amounts: [None; ORDER_FIELDS.len()],
            entries: Vec::new(),
            custom: Vec::new(),
            site_overridden: false,
            lane: LaneHash::new(),
            stage: Stage::Unknown,
            order_id: 0..0,
            encoder: Encoder::new(context.zone, context.invalid),
        }
    }

    /// Assigns each value to its row, its record, or the custom keys. Null counts as not given.
    fn assign(&mut self, fields: &'w Fields<'v>) {
        for (key, value) in fields.pairs() {
            if matches!(value, Value::Null) {
                continue;
            }
            match key::resolve(key) {
                Key::Field(index) => self.assign_field(index, value),
                Key::List(group) => self.assign_list(group, value),
                Key::Numbered {
                    group,
                    number,
                    part,
                    renamed,
                } => {
                    if renamed {
                        let sent = format!("{}_{number}_{part}", GROUPS[group].prefix);
                        self.encoder
                            .findings
                            .warn_with(displayed(key), Code::KeyRenamed, &[&sent]);
                    }
                    if self.entries.is_empty() {
                        self.entries.reserve(TYPICAL_ENTRIES);
                    }
                    self.entries
                        .push(Entry::new(group, number, part, Place::Flat { key }, value));
                }
                Key::BadNumber => self.reject(displayed(key), Code::KeyInvalid),
                Key::Other => self.custom.push((key, value)),
            }
        }
    }

    fn assign_field(&mut self, index: usize, value: &'w Value<'v>) {
        match self.slots[index] {
            // The client's site_id is a default, which a call may override.
            Some(_) if index == SITE_ID && !self.site_overridden => self.site_overridden = true,
            Some(earlier)
                if index == ORDER_ID && text::of_value(earlier) == text::of_value(value) =>
            {
                return;
            }
            Some(_) => return self.reject(ORDER_FIELDS[index].name, Code::DuplicateField),
            None => self.site_overridden |= index == SITE_ID,
        }
        self.slots[index] = Some(value);
    }

    fn assign_list(&mut self, group: usize, value: &'w Value<'v>) {
        let name = GROUPS[group].list;
        let Value::List(items) = value else {
            let details = [value.kind_name(), LIST_WANTED];
            return self.reject_with(name, Code::WrongType, &details);
        };
        let mut number = 0;
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::Null => {}
                Value::Map(record) => {
                    number += 1;
                    self.entries
                        .extend(records::entries_of(group, number, index, record));
                }
                other => {
                    let path = format!("{name}[{index}]");
                    let details = [other.kind_name(), RECORD_WANTED];
                    self.reject_with(path, Code::WrongType, &details);
                }
            }
        }
    }

    fn order_field(&mut self, index: usize) {
        let field = &ORDER_FIELDS[index];
        let Some(value) = self.slots[index] else {
            if let Some(code) = self.missing(field) {
                self.reject(field.name, code);
            }
            return self.stamp(index);
        };
        let mark = self.encoder.payload.mark();
        let encoded = self
            .encoder
            .value(field, &Name::Field(field), value, &|| field.name.into());
        self.sent[index] = encoded.written == Written::Sent;
        self.amounts[index] = encoded.amount;
        if index <= ORDER_ID {
            self.identify(index, value);
        }
        if self.sent[index] {
            self.note_for_queue(index, value, mark);
        }
        match encoded.written {
            Written::Sent => return,
            Written::Blank if self.missing(field).is_some() => {
                self.encoder.findings.reject_empty(field.name);
            }
            Written::Blank => self.encoder.findings.warn(field.name, Code::Empty),
            Written::Rejected => {}
        }
        self.stamp(index);
    }

    /// Keeps what the queue needs to know of a field that was written from `mark` on.
    fn note_for_queue(&mut self, index: usize, value: &Value<'_>, mark: usize) {
        match index {
            ORDER_ID => {
                let quote = ORDER_FIELDS[index].json_key.len() - 1;
                self.order_id = mark + quote..self.encoder.payload.mark();
            }
            ORDER_STATUS => {
                self.stage =
                    text::of_value(value).map_or(Stage::Unknown, |text| status::stage(&text));
            }
            _ => {}
        }
    }

    /// A report without `order_time` gets the time of the call, since it may wait in a queue.
    fn stamp(&mut self, index: usize) {
        if index == ORDER_TIME && self.context.call == Call::Report {
            let moment = Moment::in_zone(Timestamp::now(), self.context.zone);
            self.encoder
                .moment(&Name::Field(&ORDER_FIELDS[index]), moment);
            self.encoder.order_time = Some(moment.unix_seconds());
            self.sent[index] = true;
        }
    }

    fn missing(&self, field: &Field) -> Option<Code> {
        let is_report = self.context.call == Call::Report;
        across::missing(field, is_report, |name| self.is_given(name))
    }

    fn is_given(&self, name: &str) -> bool {
        let Key::Field(index) = key::resolve(name) else {
            return false;
        };
        self.slots[index].is_some_and(|value| !text::is_blank(value))
    }

    /// Adds `site_id` and `order_id` to the lane, and checks the order id.
    fn identify(&mut self, index: usize, value: &Value<'_>) {
        let Ok(text) = text::of_value(value) else {
            return;
        };
        self.lane.add(&text);
        if index == ORDER_ID && self.sent[index] {
            for code in identifier::order_id_warnings(&text) {
                self.encoder.findings.warn(ORDER_FIELDS[index].name, code);
            }
        }
    }

    fn custom_keys(&mut self) {
        let custom = std::mem::take(&mut self.custom);
        let mut names = HashSet::new();
        for (key, value) in &custom {
            if self.encoder.payload.is_too_large() {
                return;
            }
            if custom.len() > 1 && !names.insert(*key) {
                self.reject(displayed(key), Code::DuplicateField);
                continue;
            }
            if let Some(documented) = key::hint(key) {
                let findings = &mut self.encoder.findings;
                findings.warn_with(displayed(key), Code::KeyMisspelled, &[&documented]);
            }
            self.encoder
                .custom_value(key, &Name::Custom(key), value, &|| displayed(key));
        }
    }

    fn across_fields(&mut self) {
        let [subtotal, sale, shipping, tax] =
            [SUBTOTAL, SALE, SHIPPING, TAX].map(|index| self.amounts[index]);
        let is_time_given = self.sent[ORDER_TIME] || self.slots[ORDER_TIME].is_some();
        let found = [
            (SUBTOTAL, across::subtotal(subtotal, sale, shipping, tax)),
            (ORDER_ALIAS, self.alias_problem()),
            (
                ORDER_TIME,
                across::order_time(self.encoder.has_amounts(), is_time_given),
            ),
        ];
        for (index, code) in found {
            if let Some(code) = code {
                self.encoder.findings.warn(ORDER_FIELDS[index].name, code);
            }
        }
    }

    fn alias_problem(&self) -> Option<Code> {
        if !self.sent[ORDER_ALIAS] {
            return None;
        }
        let alias = text::of_value(self.slots[ORDER_ALIAS]?).ok()?;
        let order_id = text::of_value(self.slots[ORDER_ID]?).ok()?;
        across::alias(&alias, &order_id)
    }

    fn finish(self) -> Result<Checked, Vec<Problem>> {
        let Encoder {
            payload,
            mut findings,
            ..
        } = self.encoder;
        let payload = payload.finish();
        if payload.len() > Payload::MAX_SIZE {
            findings.reject_update(Code::PayloadTooLarge);
        }
        Ok(Checked {
            payload,
            warnings: findings.into_warnings()?,
            lane: self.lane.get(),
            stage: self.stage,
            order_id: self.order_id,
            order_time: self.encoder.order_time,
        })
    }

    fn reject(&mut self, path: impl Into<String>, code: Code) {
        self.encoder.findings.reject(path, code);
    }

    fn reject_with(&mut self, path: impl Into<String>, code: Code, details: &[&str]) {
        self.encoder.findings.reject_with(path, code, details);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_time(call: Call, fields: &Fields<'_>) -> Option<i64> {
        let context = Context {
            call,
            site_id: "abcd.com",
            zone: None,
            invalid: Invalid::Drop,
        };
        let checked = check(&context, &"1001".into(), fields).expect("valid");
        let json: serde_json::Value = serde_json::from_slice(&checked.payload).expect("JSON");
        assert_eq!(json["order_time"].is_null(), checked.order_time().is_none());
        checked.order_time()
    }

    #[test]
    fn order_time_is_the_time_that_is_sent() {
        let update =
            |time: &'static str| order_time(Call::Update, &Fields::new().set("order_time", time));
        assert_eq!(update("2018-01-01 01:23:40-08:00"), Some(1_514_798_620));
        assert_eq!(update("2024-02-29T23:59:59.9+05:30"), Some(1_709_231_399));
        assert_eq!(update("@-0.5"), Some(-1));
        assert_eq!(
            update("1850-01-01T00:00:00[Europe/Berlin]"),
            Some(-3_786_828_808)
        );
        assert_eq!(update("never"), None);
        let before = Timestamp::now().as_second();
        let stamped = order_time(Call::Report, &Fields::new()).expect("the time of the call");
        assert!((before..=before + 60).contains(&stamped));
    }
}
