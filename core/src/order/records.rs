//! Discounts and line items: gathered from lists and from numbered keys alike, then numbered
//! and written.

use super::check::{Fate, Walk, shown_key};
use super::fields::{Field, GROUPS, Group, Kind};
use super::key;
use super::payload::Name;
use super::problem::Code;
use super::rules::amount::Units;
use super::value::{Fields, Value};

/// Where the caller wrote a value.
#[derive(Clone, Copy)]
pub(super) enum Place<'w> {
    /// Under a numbered key, such as `discount_1_code`.
    Flat { key: &'w str },
    /// In a list, at this index, under this key.
    Listed { index: usize, key: &'w str },
}

/// All records of one group.
pub(super) struct Records<'w, 'v> {
    pub(super) group: usize,
    /// By number.
    records: Vec<Record<'w, 'v>>,
}

struct Record<'w, 'v> {
    number: u32,
    /// Set for a record of a list: its index there.
    index: Option<usize>,
    entries: Vec<Entry<'w, 'v>>,
}

struct Entry<'w, 'v> {
    part: &'w str,
    /// Its row within the group, if it has one.
    row: Option<usize>,
    place: Place<'w>,
    value: &'w Value<'v>,
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

const MOST_PARTS: usize = 8;

impl<'w, 'v> Records<'w, 'v> {
    pub(super) fn new(group: usize) -> Self {
        Self {
            group,
            records: Vec::new(),
        }
    }

    /// Takes one value of a numbered key.
    pub(super) fn take(
        &mut self,
        number: u32,
        part: &'w str,
        place: Place<'w>,
        value: &'w Value<'v>,
    ) {
        let row = key::part_index(&GROUPS[self.group], part);
        self.record(number, None).entries.push(Entry {
            part,
            row,
            place,
            value,
        });
    }

    /// Takes one record of a list; it is there even if it holds nothing.
    pub(super) fn take_record(&mut self, number: u32, index: usize, record: &'w Fields<'v>) {
        let group = &GROUPS[self.group];
        let entries = &mut self.record(number, Some(index)).entries;
        for (key, value) in record.pairs() {
            if !matches!(value, Value::Null) {
                entries.push(Entry {
                    part: key,
                    row: key::part_index(group, key),
                    place: Place::Listed { index, key },
                    value,
                });
            }
        }
    }

    fn record(&mut self, number: u32, index: Option<usize>) -> &mut Record<'w, 'v> {
        let last = self.records.last().map_or(0, |record| record.number);
        let found = if number > last {
            Err(self.records.len())
        } else {
            self.records
                .binary_search_by_key(&number, |record| record.number)
        };
        let at = found.unwrap_or_else(|at| {
            self.records.insert(
                at,
                Record {
                    number,
                    index: None,
                    entries: Vec::with_capacity(MOST_PARTS),
                },
            );
            at
        });
        let record = &mut self.records[at];
        record.index = record.index.or(index);
        record
    }

    /// Writes the records one after the other. In the caller's own numbering a gap is an error;
    /// a gap that leaving out a record would make is closed.
    pub(super) fn write(self, walk: &mut Walk<'w, 'v>) {
        let group = &GROUPS[self.group];
        let mut expected = 1;
        let mut sent = 0;
        for record in &self.records {
            if record.number == 0 {
                walk.refuse(record.first_path(group), Code::NumberingStart);
                continue;
            }
            if record.number != expected {
                walk.refuse(record.first_path(group), Code::NumberingGap);
                if walk.drops_invalid() {
                    return;
                }
            }
            expected = record.number.saturating_add(1);
            let mark = walk.payload.mark();
            let outcome = record.write(group, sent + 1, walk);
            if outcome.blank_only && record.index.is_none() {
                walk.payload.back_to(mark);
                if !walk.drops_invalid() {
                    expected = record.number;
                }
            } else if record.judge(group, &outcome, walk) && outcome.written {
                sent += 1;
            } else {
                walk.payload.back_to(mark);
            }
        }
    }
}

impl<'w, 'v> Record<'w, 'v> {
    fn write(&self, group: &'static Group, number: u32, walk: &mut Walk<'w, 'v>) -> Outcome {
        let mut outcome = Outcome {
            written: false,
            parts: [false; MOST_PARTS],
            refused: [false; MOST_PARTS],
            amount: None,
            blank_only: !self.entries.is_empty(),
        };
        for (part, field) in group.fields.iter().enumerate() {
            self.write_part(group, part, field, number, walk, &mut outcome);
        }
        for entry in &self.entries {
            if entry.row.is_none() {
                outcome.written |= entry.write_own(group, number, walk) == Fate::Sent;
                outcome.blank_only = false;
            }
        }
        outcome
    }

    fn write_part(
        &self,
        group: &'static Group,
        part: usize,
        field: &'static Field,
        number: u32,
        walk: &mut Walk<'w, 'v>,
        outcome: &mut Outcome,
    ) {
        let mut given = self.entries.iter().filter(|entry| entry.row == Some(part));
        let Some(entry) = given.next() else { return };
        for again in given {
            outcome.blank_only = false;
            let flat = if matches!(again.place, Place::Flat { .. }) {
                again
            } else {
                entry
            };
            walk.refuse(flat.path(group), Code::DuplicateField);
        }
        let name = Name::Numbered {
            prefix: group.prefix,
            number,
            field,
        };
        let written = walk.value(field, &name, entry.value, &|| entry.path(group));
        match written.fate {
            Fate::Sent => {
                outcome.parts[part] = true;
                outcome.written = true;
            }
            Fate::Blank => return walk.warn(entry.path(group), Code::Empty),
            Fate::Refused => outcome.refused[part] = true,
        }
        outcome.blank_only = false;
        if field.kind == Kind::Amount {
            outcome.amount = written.amount.map(|units| (part, units));
        }
    }

    /// Whether the record as a whole can be sent; says what is missing.
    fn judge(&self, group: &'static Group, outcome: &Outcome, walk: &mut Walk<'w, 'v>) -> bool {
        let missing = |part: &usize| !outcome.parts[*part];
        if group.all_or_nothing {
            let lacking: Vec<usize> = (0..group.fields.len()).filter(missing).collect();
            for part in &lacking {
                if !outcome.refused[*part] {
                    walk.refuse(self.part_path(group, *part), Code::DiscountIncomplete);
                }
            }
            if let (Some((part, amount)), Some(sale)) = (outcome.amount, walk.sale())
                && amount > sale
            {
                walk.warn(self.part_path(group, part), Code::DiscountExceedsSale);
            }
            return lacking.is_empty();
        }
        let lacking: Vec<usize> = (0..group.identifying).filter(missing).collect();
        let unreported: Vec<&str> = lacking
            .iter()
            .filter(|part| !outcome.refused[**part])
            .map(|part| group.fields[*part].name)
            .collect();
        if lacking.len() == group.identifying {
            if unreported.len() == group.identifying {
                walk.refuse(self.path(group), Code::ItemEmpty);
            }
            return false;
        }
        if !unreported.is_empty() {
            walk.warn_with(
                self.path(group),
                Code::ItemIncomplete,
                &unreported.join(" and "),
            );
        }
        true
    }

    fn path(&self, group: &Group) -> String {
        match self.index {
            Some(index) => format!("{}[{index}]", group.list),
            None => format!("{}_{}", group.prefix, self.number),
        }
    }

    fn part_path(&self, group: &Group, part: usize) -> String {
        let name = group.fields[part].name;
        match self.entries.iter().find(|entry| entry.row == Some(part)) {
            Some(entry) => entry.path(group),
            None if self.index.is_some() => format!("{}.{name}", self.path(group)),
            None => format!("{}_{name}", self.path(group)),
        }
    }

    fn first_path(&self, group: &Group) -> String {
        self.entries
            .first()
            .map_or_else(|| self.path(group), |entry| entry.path(group))
    }
}

impl<'w, 'v> Entry<'w, 'v> {
    fn write_own(&self, group: &'static Group, number: u32, walk: &mut Walk<'w, 'v>) -> Fate {
        if let Some(meant) = key::part_hint(group, self.part) {
            let meant = match self.place {
                Place::Flat { .. } => format!("{}_{number}_{meant}", group.prefix),
                Place::Listed { .. } => meant.to_owned(),
            };
            walk.warn_with(self.path(group), Code::KeyMisspelled, &meant);
        }
        let name = Name::OwnNumbered {
            prefix: group.prefix,
            number,
            part: self.part,
        };
        walk.own_value(self.part, &name, self.value, &|| self.path(group))
    }

    fn path(&self, group: &Group) -> String {
        match self.place {
            Place::Flat { key } => shown_key(key),
            Place::Listed { index, key } => format!("{}[{index}].{}", group.list, shown_key(key)),
        }
    }
}
