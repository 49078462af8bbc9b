//! Discounts and line items: collects them from lists and from numbered keys alike, and writes them
//! in the order of their numbers.

use super::encoder::{Encoder, Written};
use super::fields::{Field, GROUPS, Group, Kind};
use super::key::{self, displayed};
use super::payload::Name;
use super::problem::Code;
use super::rules::across;
use super::rules::amount::Units;
use super::rules::numbering::Numbering;
use super::rules::record::{Completeness, Parts};
use super::value::{Fields, Value};
use std::collections::HashSet;

/// Where the caller wrote a value.
#[derive(Clone, Copy)]
pub(super) enum Place<'w> {
    /// Under a numbered key, such as `discount_1_code`.
    Flat { key: &'w str },
    /// In a list, at this index, under this key.
    Listed { index: usize, key: &'w str },
    /// The record of a list itself, which exists even if it holds nothing.
    Record { index: usize },
}

/// One value of one record, or the record of a list itself.
pub(super) struct Entry<'w, 'v> {
    group: usize,
    number: u32,
    part: &'w str,
    /// Its row within the group, if it has one.
    row: Option<usize>,
    place: Place<'w>,
    value: &'w Value<'v>,
}

impl<'w, 'v> Entry<'w, 'v> {
    pub(super) fn new(
        group: usize,
        number: u32,
        part: &'w str,
        place: Place<'w>,
        value: &'w Value<'v>,
    ) -> Self {
        let row = key::part_index(&GROUPS[group], part);
        Self {
            group,
            number,
            part,
            row,
            place,
            value,
        }
    }
}

/// The entries of one record of a list.
pub(super) fn entries_of<'w, 'v>(
    group: usize,
    number: u32,
    index: usize,
    record: &'w Fields<'v>,
) -> impl Iterator<Item = Entry<'w, 'v>> {
    let itself = Entry::new(group, number, "", Place::Record { index }, &Value::Null);
    let given = record
        .pairs()
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Null));
    let entries = given.map(move |(key, value)| {
        Entry::new(group, number, key, Place::Listed { index, key }, value)
    });
    std::iter::once(itself).chain(entries)
}

/// Writes all records in the order of their groups and numbers. `sale` is the order's `sale_amount`.
pub(super) fn write_all(
    mut entries: Vec<Entry<'_, '_>>,
    encoder: &mut Encoder<'_>,
    sale: Option<Units>,
) {
    entries.sort_by_key(|entry| (entry.group, entry.number));
    for group in entries.chunk_by(|left, right| left.group == right.group) {
        write_group(group, encoder, sale);
    }
}

fn write_group(entries: &[Entry<'_, '_>], encoder: &mut Encoder<'_>, sale: Option<Units>) {
    let mut numbering = Numbering::new();
    let drops_invalid = encoder.findings.drops_invalid();
    for entries in entries.chunk_by(|left, right| left.number == right.number) {
        if encoder.payload.is_too_large() {
            return;
        }
        let record = Record::of(entries);
        if let Err(code) = numbering.check(record.number) {
            encoder.findings.reject(record.first_path(), code);
            if code == Code::NumberingStart {
                continue;
            }
            if drops_invalid {
                return;
            }
        }
        let mark = encoder.payload.mark();
        let result = record.write(numbering.next(), encoder);
        let is_left_out = result.is_blank && record.index.is_none();
        if is_left_out || !record.report_completeness(&result, encoder, sale) || !result.has_any {
            encoder.payload.back_to(mark);
        } else {
            numbering.count_sent();
        }
        if !is_left_out || drops_invalid {
            numbering.continue_behind(record.number);
        }
    }
}

/// The entries that share a number.
struct Record<'e, 'w, 'v> {
    group: &'static Group,
    number: u32,
    /// The index in the list, if it comes from one.
    index: Option<usize>,
    entries: &'e [Entry<'w, 'v>],
}

/// The result of writing one record.
struct WrittenRecord {
    /// Whether any of its values was sent.
    has_any: bool,
    parts: Parts,
    /// The amount of a discount, and the index of its field.
    amount: Option<(usize, Units)>,
    /// Whether all values are blank.
    is_blank: bool,
}

impl<'e, 'w, 'v> Record<'e, 'w, 'v> {
    fn of(entries: &'e [Entry<'w, 'v>]) -> Self {
        let index = entries.iter().find_map(|entry| match entry.place {
            Place::Record { index } => Some(index),
            _ => None,
        });
        let (group, number) = (&GROUPS[entries[0].group], entries[0].number);
        Self {
            group,
            number,
            index,
            entries,
        }
    }

    /// The values, without the record itself.
    fn values(&self) -> impl Iterator<Item = &'e Entry<'w, 'v>> {
        let is_value = |entry: &&Entry<'_, '_>| !matches!(entry.place, Place::Record { .. });
        self.entries.iter().filter(is_value)
    }

    fn write(&self, number: u32, encoder: &mut Encoder<'_>) -> WrittenRecord {
        let mut result = WrittenRecord {
            has_any: false,
            parts: Parts::default(),
            amount: None,
            is_blank: self.values().next().is_some(),
        };
        for (part, field) in self.group.fields.iter().enumerate() {
            self.write_part(part, field, number, encoder, &mut result);
        }
        let mut custom = HashSet::new();
        for entry in self.values().filter(|entry| entry.row.is_none()) {
            if !custom.insert(entry.part) {
                encoder.findings.reject(entry.path(), Code::DuplicateField);
                continue;
            }
            result.has_any |= entry.write_custom(number, encoder) == Written::Sent;
            result.is_blank = false;
        }
        result
    }

    fn write_part(
        &self,
        part: usize,
        field: &'static Field,
        number: u32,
        encoder: &mut Encoder<'_>,
        result: &mut WrittenRecord,
    ) {
        let mut given = self.values().filter(|entry| entry.row == Some(part));
        let Some(entry) = given.next() else { return };
        for duplicate in given {
            result.is_blank = false;
            let is_flat = matches!(duplicate.place, Place::Flat { .. });
            let shown = if is_flat { duplicate } else { entry };
            encoder.findings.reject(shown.path(), Code::DuplicateField);
        }
        let name = Name::Numbered {
            prefix: self.group.prefix,
            number,
            field,
        };
        let outcome = encoder.value(field, &name, entry.value, &|| entry.path());
        match outcome.written {
            Written::Sent => {
                result.parts.mark_sent(part);
                result.has_any = true;
            }
            Written::Blank => return encoder.findings.warn(entry.path(), Code::Empty),
            Written::Rejected => result.parts.mark_rejected(part),
        }
        result.is_blank = false;
        if field.kind == Kind::Amount {
            result.amount = outcome.amount.map(|units| (part, units));
        }
    }

    /// Reports what the record lacks; returns whether it can be sent.
    fn report_completeness(
        &self,
        result: &WrittenRecord,
        encoder: &mut Encoder<'_>,
        sale: Option<Units>,
    ) -> bool {
        let completeness = result.parts.completeness(self.group);
        match &completeness {
            Completeness::Complete => {}
            Completeness::Partial(missing) => {
                let names: Vec<&str> = missing.iter().map(|part| self.name_of(*part)).collect();
                let details = [names.join(" and ")];
                encoder
                    .findings
                    .warn_with(self.path(), Code::ItemIncomplete, &[&details[0]]);
            }
            Completeness::Incomplete(missing) => {
                for part in missing {
                    encoder
                        .findings
                        .reject(self.part_path(*part), Code::DiscountIncomplete);
                }
            }
            Completeness::Unidentified => encoder.findings.reject(self.path(), Code::ItemEmpty),
        }
        if self.group.all_or_nothing
            && let Some((part, amount)) = result.amount
            && let Some(code) = across::discount(amount, sale)
        {
            encoder.findings.warn(self.part_path(part), code);
        }
        matches!(
            completeness,
            Completeness::Complete | Completeness::Partial(_)
        )
    }

    fn name_of(&self, part: usize) -> &'static str {
        self.group.fields[part].name
    }

    fn path(&self) -> String {
        match self.index {
            Some(index) => format!("{}[{index}]", self.group.list),
            None => format!("{}_{}", self.group.prefix, self.number),
        }
    }

    fn part_path(&self, part: usize) -> String {
        let name = self.name_of(part);
        match self.values().find(|entry| entry.row == Some(part)) {
            Some(entry) => entry.path(),
            None if self.index.is_some() => format!("{}.{name}", self.path()),
            None => format!("{}_{name}", self.path()),
        }
    }

    fn first_path(&self) -> String {
        self.values()
            .next()
            .map_or_else(|| self.path(), Entry::path)
    }
}

impl Entry<'_, '_> {
    /// Writes the value of a key that is not in the table.
    fn write_custom(&self, number: u32, encoder: &mut Encoder<'_>) -> Written {
        let group = &GROUPS[self.group];
        if let Some(documented) = key::part_hint(group, self.part) {
            let hint = match self.place {
                Place::Flat { .. } => format!("{}_{number}_{documented}", group.prefix),
                _ => documented.to_owned(),
            };
            encoder
                .findings
                .warn_with(self.path(), Code::KeyMisspelled, &[&hint]);
        }
        let name = Name::CustomNumbered {
            prefix: group.prefix,
            number,
            part: self.part,
        };
        let key = match self.place {
            Place::Flat { key } => key,
            _ => self.part,
        };
        encoder.custom_value(key, &name, self.value, &|| self.path())
    }

    fn path(&self) -> String {
        let list = GROUPS[self.group].list;
        match self.place {
            Place::Flat { key } => displayed(key),
            Place::Listed { index, key } => format!("{list}[{index}].{}", displayed(key)),
            Place::Record { index } => format!("{list}[{index}]"),
        }
    }
}
