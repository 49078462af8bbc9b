//! Discounts and line items: gathered from lists and from numbered keys alike, then numbered
//! and written.

use super::check::{Walk, shown_key};
use super::fields::{Field, GROUPS, Group, Kind};
use super::key;
use super::payload::Name;
use super::problem::Code;
use super::rules::amount::Units;
use super::value::{Fields, Value};
use super::write::Fate;
use std::collections::HashSet;

/// Where the caller wrote a value.
#[derive(Clone, Copy)]
pub(super) enum Place<'w> {
    /// Under a numbered key, such as `discount_1_code`.
    Flat { key: &'w str },
    /// In a list, at this index, under this key.
    Listed { index: usize, key: &'w str },
    /// The record of a list itself; it is there even if it holds nothing.
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

/// Writes all records, in the order of their groups and numbers.
pub(super) fn write_all(walk: &mut Walk<'_, '_>) {
    let mut entries = std::mem::take(&mut walk.entries);
    entries.sort_by_key(|entry| (entry.group, entry.number));
    for group in entries.chunk_by(|left, right| left.group == right.group) {
        write_group(group, walk);
    }
}

/// Writes the records of one group. In the caller's own numbering a gap is an error; a gap that
/// leaving out a record would make is closed.
fn write_group<'w, 'v>(entries: &[Entry<'w, 'v>], walk: &mut Walk<'w, 'v>) {
    let mut expected = 1;
    let mut sent = 0;
    for entries in entries.chunk_by(|left, right| left.number == right.number) {
        if walk.is_full() {
            return;
        }
        let record = Record::of(entries);
        if record.number == 0 {
            walk.refuse(record.first_path(), Code::NumberingStart);
            continue;
        }
        if record.number != expected {
            walk.refuse(record.first_path(), Code::NumberingGap);
            if walk.drops_invalid() {
                return;
            }
        }
        let mark = walk.payload.mark();
        let outcome = record.write(sent + 1, walk);
        let gone = outcome.blank_only && record.index.is_none();
        if gone || !record.judge(&outcome, walk) || !outcome.written {
            walk.payload.back_to(mark);
        } else {
            sent += 1;
        }
        if !gone || walk.drops_invalid() {
            expected = record.number.saturating_add(1);
        }
    }
}

/// The entries that share a number.
struct Record<'e, 'w, 'v> {
    group: &'static Group,
    number: u32,
    /// Set for a record of a list: its index there.
    index: Option<usize>,
    entries: &'e [Entry<'w, 'v>],
}

/// What came of writing one record.
struct Outcome {
    written: bool,
    /// The rows that were written, by their place in the group.
    parts: [bool; MOST_PARTS],
    /// The rows that were refused and are reported already.
    refused: [bool; MOST_PARTS],
    amount: Option<(usize, Units)>,
    blank_only: bool,
}

/// The largest number of rows of a group.
const MOST_PARTS: usize = 8;

const _: () = {
    let mut group = 0;
    while group < GROUPS.len() {
        let Group {
            fields,
            identifying,
            ..
        } = GROUPS[group];
        assert!(fields.len() <= MOST_PARTS, "raise MOST_PARTS");
        assert!(
            identifying <= fields.len(),
            "a group has its identifying rows"
        );
        group += 1;
    }
};

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

    fn write(&self, number: u32, walk: &mut Walk<'w, 'v>) -> Outcome {
        let mut outcome = Outcome {
            written: false,
            parts: [false; MOST_PARTS],
            refused: [false; MOST_PARTS],
            amount: None,
            blank_only: self.values().next().is_some(),
        };
        for (part, field) in self.group.fields.iter().enumerate() {
            self.write_part(part, field, number, walk, &mut outcome);
        }
        let mut own_parts = HashSet::new();
        for entry in self.values().filter(|entry| entry.row.is_none()) {
            if !own_parts.insert(entry.part) {
                walk.refuse(entry.path(), Code::DuplicateField);
                continue;
            }
            outcome.written |= entry.write_own(number, walk) == Fate::Sent;
            outcome.blank_only = false;
        }
        outcome
    }

    fn write_part(
        &self,
        part: usize,
        field: &'static Field,
        number: u32,
        walk: &mut Walk<'w, 'v>,
        outcome: &mut Outcome,
    ) {
        let mut given = self.values().filter(|entry| entry.row == Some(part));
        let Some(entry) = given.next() else { return };
        for again in given {
            outcome.blank_only = false;
            let flat = if matches!(again.place, Place::Flat { .. }) {
                again
            } else {
                entry
            };
            walk.refuse(flat.path(), Code::DuplicateField);
        }
        let name = Name::Numbered {
            prefix: self.group.prefix,
            number,
            field,
        };
        let written = walk.value(field, &name, entry.value, &|| entry.path());
        match written.fate {
            Fate::Sent => {
                outcome.parts[part] = true;
                outcome.written = true;
            }
            Fate::Blank => return walk.warn(entry.path(), Code::Empty),
            Fate::Refused => outcome.refused[part] = true,
        }
        outcome.blank_only = false;
        if field.kind == Kind::Amount {
            outcome.amount = written.amount.map(|units| (part, units));
        }
    }

    /// Whether the record as a whole can be sent; says what is missing.
    fn judge(&self, outcome: &Outcome, walk: &mut Walk<'w, 'v>) -> bool {
        if self.group.all_or_nothing {
            self.judge_whole(outcome, walk)
        } else {
            self.judge_identity(outcome, walk)
        }
    }

    fn judge_whole(&self, outcome: &Outcome, walk: &mut Walk<'w, 'v>) -> bool {
        let parts = 0..self.group.fields.len();
        for part in parts
            .clone()
            .filter(|part| !outcome.parts[*part] && !outcome.refused[*part])
        {
            walk.refuse(self.part_path(part), Code::DiscountIncomplete);
        }
        if let (Some((part, amount)), Some(sale)) = (outcome.amount, walk.sale())
            && amount > sale
        {
            walk.warn(self.part_path(part), Code::DiscountExceedsSale);
        }
        parts.clone().all(|part| outcome.parts[part])
    }

    fn judge_identity(&self, outcome: &Outcome, walk: &mut Walk<'w, 'v>) -> bool {
        let parts = 0..self.group.identifying;
        if parts.clone().all(|part| outcome.parts[part]) {
            return true;
        }
        let is_unreported = |part: &usize| !outcome.parts[*part] && !outcome.refused[*part];
        let unreported: Vec<usize> = parts.clone().filter(is_unreported).collect();
        if !parts.clone().any(|part| outcome.parts[part]) {
            if unreported.len() == self.group.identifying {
                walk.refuse(self.path(), Code::ItemEmpty);
            }
            return false;
        }
        if !unreported.is_empty() {
            let names: Vec<&str> = unreported
                .iter()
                .map(|part| self.group.fields[*part].name)
                .collect();
            walk.warn_with(self.path(), Code::ItemIncomplete, &[&names.join(" and ")]);
        }
        true
    }

    fn path(&self) -> String {
        match self.index {
            Some(index) => format!("{}[{index}]", self.group.list),
            None => format!("{}_{}", self.group.prefix, self.number),
        }
    }

    fn part_path(&self, part: usize) -> String {
        let name = self.group.fields[part].name;
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

impl<'w, 'v> Entry<'w, 'v> {
    fn write_own(&self, number: u32, walk: &mut Walk<'w, 'v>) -> Fate {
        let group = &GROUPS[self.group];
        if let Some(meant) = key::part_hint(group, self.part) {
            let meant = match self.place {
                Place::Flat { .. } => format!("{}_{number}_{meant}", group.prefix),
                _ => meant.to_owned(),
            };
            walk.warn_with(self.path(), Code::KeyMisspelled, &[&meant]);
        }
        let name = Name::OwnNumbered {
            prefix: group.prefix,
            number,
            part: self.part,
        };
        let key = match self.place {
            Place::Flat { key } => key,
            _ => self.part,
        };
        walk.own_value(key, &name, self.value, &|| self.path())
    }

    fn path(&self) -> String {
        let list = GROUPS[self.group].list;
        match self.place {
            Place::Flat { key } => shown_key(key),
            Place::Listed { index, key } => format!("{list}[{index}].{}", shown_key(key)),
            Place::Record { index } => format!("{list}[{index}]"),
        }
    }
}
