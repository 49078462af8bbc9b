//! Walks an order update once: sorts the values by the table, has each one looked at and
//! written, then looks across fields. Collects every problem on the way.

use super::fields::{self, Field, GROUPS, ORDER_FIELDS, Required, STATUSES, Stage};
use super::key::{self, Key};
use super::payload::{Name, Payload};
use super::problem::{Code, Problem, Severity};
use super::records::{self, Entry, Place};
use super::rules::amount::Units;
use super::rules::text;
use super::rules::time::Moment;
use super::value::{Fields, Value};
use super::write::{Fate, as_text, is_blank};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

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
    /// How far the order is by its status.
    pub(crate) stage: Stage,
    /// Where the payload has the text of `order_id`, with its quotes.
    order_id: Range<usize>,
}

impl Checked {
    /// The order it is about.
    pub fn order_id(&self) -> String {
        let text = self.payload.get(self.order_id.clone()).unwrap_or_default();
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// The same number for every update of one order of one site.
    pub fn lane(&self) -> u64 {
        self.lane
    }
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
    pub invalid: Invalid,
}

/// What happens to an invalid optional field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// The update is refused.
    Raise,
    /// The field is left out, with a warning.
    Drop,
}

/// The most keys and list entries of one update, nested ones included: more cannot fit into the
/// largest payload. A binding stops converting once it has more than this many; the check then
/// refuses the update (`payload_too_large`) whatever came behind them.
pub const MAX_KEYS: usize = 50_000;

/// The endpoint's limit is not documented; an order beyond this is surely a mistake.
const LARGEST_PAYLOAD: usize = 256 * 1024;
const LONGEST_ORDER_ID: usize = 150;
/// What `wrong_type` asks for where a list is needed, and of the entries of one.
const LIST_WANTED: &str = "a list of records, whose entries have no keys of their own";
const RECORD_WANTED: &str = "a record with named fields";
/// Values of discounts and line items in a small order.
const USUAL_ENTRIES: usize = 16;

const SITE_ID: usize = fields::index_of("site_id");
const ORDER_ID: usize = fields::index_of("order_id");
const ORDER_STATUS: usize = fields::index_of("order_status");
const ORDER_TIME: usize = fields::index_of("order_time");
const ORDER_ALIAS: usize = fields::index_of("order_alias");
const SALE: usize = fields::index_of("sale_amount");
const SUBTOTAL: usize = fields::index_of("subtotal_amount");
const SHIPPING: usize = fields::index_of("shipping_amount");
const TAX: usize = fields::index_of("tax_amount");
// Their rows are the first: the lane is made of both, in this order, before any other row is checked.
const _: () = assert!(SITE_ID == 0 && ORDER_ID == 1);
/// Without these nothing can be sent, so `invalid = "drop"` does not apply to them.
const INDISPENSABLE: [usize; 3] = [SITE_ID, ORDER_ID, ORDER_STATUS];

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
    let mut walk = Walk::new(context);
    walk.slots[SITE_ID] = Some(&site_id).filter(|_| !context.site_id.is_empty());
    walk.slots[ORDER_ID] = Some(order_id).filter(|value| !matches!(value, Value::Null));
    walk.sort(fields);
    for index in 0..ORDER_FIELDS.len() {
        walk.order_field(index);
    }
    records::write_all(&mut walk);
    walk.own_keys();
    walk.across_fields();
    walk.finish()
}

/// One update while it is being checked.
pub(super) struct Walk<'w, 'v> {
    context: &'w Context<'w>,
    /// What was given for each row of the table.
    slots: [Option<&'w Value<'v>>; ORDER_FIELDS.len()],
    /// What was written of them.
    sent: [bool; ORDER_FIELDS.len()],
    /// What the amounts come to that are compared with others.
    amounts: [Option<Units>; ORDER_FIELDS.len()],
    /// Discounts and line items.
    pub(super) entries: Vec<Entry<'w, 'v>>,
    /// Keys of the caller's own.
    own: Vec<(&'w str, &'w Value<'v>)>,
    any_amount: bool,
    site_overridden: bool,
    lane: u64,
    stage: Stage,
    order_id: Range<usize>,
    problems: Vec<Problem>,
    pub(super) payload: Payload,
}

impl<'w, 'v> Walk<'w, 'v> {
    fn new(context: &'w Context<'w>) -> Self {
        Self {
            context,
            slots: [None; ORDER_FIELDS.len()],
            sent: [false; ORDER_FIELDS.len()],
            amounts: [None; ORDER_FIELDS.len()],
            entries: Vec::new(),
            own: Vec::new(),
            any_amount: false,
            site_overridden: false,
            lane: LANE_SEED,
            stage: Stage::Unknown,
            order_id: 0..0,
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
                        self.warn_with(shown_key(key), Code::KeyRenamed, &[&sent]);
                    }
                    if self.entries.is_empty() {
                        self.entries.reserve(USUAL_ENTRIES);
                    }
                    self.entries
                        .push(Entry::new(group, number, part, Place::Flat { key }, value));
                }
                Key::BadNumber => self.refuse(shown_key(key), Code::KeyInvalid),
                Key::Other => self.own.push((key, value)),
            }
        }
    }

    fn take_slot(&mut self, index: usize, value: &'w Value<'v>) {
        match self.slots[index] {
            // The client's own site_id is a default, which a call may override.
            Some(_) if index == SITE_ID && !self.site_overridden => self.site_overridden = true,
            Some(earlier) if index == ORDER_ID && as_text(earlier) == as_text(value) => return,
            Some(_) => return self.refuse(ORDER_FIELDS[index].name, Code::DuplicateField),
            None => self.site_overridden |= index == SITE_ID,
        }
        self.slots[index] = Some(value);
    }

    fn take_list(&mut self, group: usize, value: &'w Value<'v>) {
        let name = GROUPS[group].list;
        let Value::List(items) = value else {
            let details = [value.kind_name(), LIST_WANTED];
            return self.refuse_with(name, Code::WrongType, &details);
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
                    self.refuse_with(path, Code::WrongType, &details);
                }
            }
        }
    }

    fn order_field(&mut self, index: usize) {
        let field = &ORDER_FIELDS[index];
        let Some(value) = self.slots[index] else {
            if self.is_required(field) {
                let code = match field.required {
                    Required::InReportUnless(_) => Code::SubtotalMissing,
                    _ => Code::Required,
                };
                self.refuse(field.name, code);
            }
            return self.stamp(index);
        };
        let mark = self.payload.mark();
        let written = self.value(field, &Name::Field(field), value, &|| field.name.into());
        self.sent[index] = written.fate == Fate::Sent;
        self.amounts[index] = written.amount;
        if index <= ORDER_ID {
            self.identify(index, value);
        }
        if self.sent[index] {
            self.note_for_queue(index, value, mark);
        }
        match written.fate {
            Fate::Sent => return,
            Fate::Blank if self.is_required(field) => {
                self.push_error(Problem::empty_required(field.name));
            }
            Fate::Blank => self.warn(field.name, Code::Empty),
            Fate::Refused => {}
        }
        self.stamp(index);
    }

    /// Keeps what the queue needs to know of a field that was written from `mark` on.
    fn note_for_queue(&mut self, index: usize, value: &Value<'_>, mark: usize) {
        match index {
            ORDER_ID => {
                let quote = ORDER_FIELDS[index].json_key.len() - 1;
                self.order_id = mark + quote..self.payload.mark();
            }
            ORDER_STATUS => {
                self.stage = as_text(value).map_or(Stage::Unknown, |text| stage_of(&text));
            }
            _ => {}
        }
    }

    /// A report says when the order was placed even if it then waits in a queue.
    fn stamp(&mut self, index: usize) {
        if index == ORDER_TIME && self.context.call == Call::Report {
            let moment = Moment::in_zone(Timestamp::now(), self.context.zone);
            self.moment(&Name::Field(&ORDER_FIELDS[index]), moment);
            self.sent[index] = true;
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

    /// What `site_id` and `order_id` add: the lane, and what is odd about an order id.
    fn identify(&mut self, index: usize, value: &Value<'_>) {
        let Ok(text) = as_text(value) else { return };
        self.lane = extend_lane(self.lane, text.as_bytes());
        if index == ORDER_ID && self.sent[index] {
            if text::has_outer_blanks(&text) {
                self.warn(ORDER_FIELDS[index].name, Code::OrderIdBlanks);
            }
            if text.len() > LONGEST_ORDER_ID && text.chars().count() > LONGEST_ORDER_ID {
                self.warn(ORDER_FIELDS[index].name, Code::OrderIdLong);
            }
        }
    }

    fn own_keys(&mut self) {
        let own = std::mem::take(&mut self.own);
        let mut names = HashSet::new();
        for (key, value) in &own {
            if self.is_full() {
                return;
            }
            if own.len() > 1 && !names.insert(*key) {
                self.refuse(shown_key(key), Code::DuplicateField);
                continue;
            }
            if let Some(meant) = key::hint(key) {
                self.warn_with(shown_key(key), Code::KeyMisspelled, &[&meant]);
            }
            self.own_value(key, &Name::Own(key), value, &|| shown_key(key));
        }
    }

    /// The rules that look at several fields.
    fn across_fields(&mut self) {
        let amounts = [SALE, SHIPPING, TAX].map(|index| self.amounts[index]);
        if let ([Some(sale), Some(shipping), Some(tax)], Some(subtotal)) =
            (amounts, self.amounts[SUBTOTAL])
            && subtotal.differs_by_a_cent([sale, shipping, tax])
        {
            self.warn(ORDER_FIELDS[SUBTOTAL].name, Code::SubtotalMismatch);
        }
        if let (Some(alias), Some(id)) = (self.slots[ORDER_ALIAS], self.slots[ORDER_ID])
            && self.sent[ORDER_ALIAS]
            && as_text(alias) == as_text(id)
        {
            self.warn(ORDER_FIELDS[ORDER_ALIAS].name, Code::AliasSame);
        }
        if self.any_amount && !self.sent[ORDER_TIME] && self.slots[ORDER_TIME].is_none() {
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
            stage: self.stage,
            order_id: self.order_id,
        })
    }

    /// Whether the payload is too large already: then nothing more is looked at.
    pub(super) fn is_full(&self) -> bool {
        self.payload.mark() > LARGEST_PAYLOAD
    }

    /// Notes that the update says something of money.
    pub(super) fn saw_amount(&mut self) {
        self.any_amount = true;
    }

    pub(super) fn sale(&self) -> Option<Units> {
        self.amounts[SALE]
    }

    pub(super) fn drops_invalid(&self) -> bool {
        self.context.invalid == Invalid::Drop
    }

    pub(super) fn zone(&self) -> Option<&'w TimeZone> {
        self.context.zone
    }

    pub(super) fn warn(&mut self, path: impl Into<String>, code: Code) {
        self.warn_with(path, code, &[]);
    }

    pub(super) fn warn_with(&mut self, path: impl Into<String>, code: Code, details: &[&str]) {
        let mut problem = Problem::with_details(path, code, details);
        problem.severity = Severity::Warning;
        self.problems.push(problem);
    }

    pub(super) fn refuse(&mut self, path: impl Into<String>, code: Code) {
        self.refuse_with(path, code, &[]);
    }

    pub(super) fn refuse_with(&mut self, path: impl Into<String>, code: Code, details: &[&str]) {
        self.push_error(Problem::with_details(path, code, details));
    }

    /// An error, unless the client was told to leave out what is invalid.
    fn push_error(&mut self, mut problem: Problem) {
        problem.severity = Severity::Error;
        if self.drops_invalid() && !is_indispensable(&problem.path) {
            problem.leave_out();
        }
        self.problems.push(problem);
    }
}

fn is_indispensable(path: &str) -> bool {
    INDISPENSABLE
        .iter()
        .any(|index| ORDER_FIELDS[*index].name == path)
}

/// A key of the caller's own, fit for a message: visible and of bounded length.
pub(super) fn shown_key(key: &str) -> String {
    const LONGEST: usize = 60;
    // In place of a key that is no text, a binding gives its type.
    if let Some(class) = key.strip_prefix('\0').filter(|class| !class.is_empty()) {
        return format!("(a key of type {})", shown_key(class));
    }
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

fn stage_of(status: &str) -> Stage {
    let documented = STATUSES.iter().find(|row| row.name == status);
    documented.map_or(Stage::Unknown, |row| row.stage)
}

const LANE_SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with a separator: two ids can't run into each other. Two orders that share a lane by
/// chance wait for each other and nothing worse.
fn extend_lane(lane: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    (bytes.iter().fold(lane, mix) ^ 0xFF).wrapping_mul(PRIME)
}
