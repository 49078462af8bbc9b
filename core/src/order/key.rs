//! Resolves a key to a row of the table, a list or a numbered field; any other key is a custom one,
//! with a hint if it looks like a misspelling.

use super::fields::{GROUPS, Group, ORDER_FIELDS};
use std::borrow::Cow;

/// A key, resolved against the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    /// A field of the order, by its index in the table.
    Field(usize),
    /// A whole list of records, by the index of its group.
    List(usize),
    /// One field of one record, as in `discount_1_code`.
    Numbered {
        group: usize,
        number: u32,
        part: &'k str,
        renamed: bool,
    },
    /// A numbered key whose number has leading zeros or is far too large.
    BadNumber,
    /// Not in the table: passed through.
    Other,
}

pub(super) fn resolve(key: &str) -> Key<'_> {
    if let Some(index) = FIELD_INDEX.find(key) {
        return Key::Field(index);
    }
    // Words are compared only if their first letters match.
    let first = key.as_bytes().first();
    for (place, group) in GROUPS.iter().enumerate() {
        if first != group.prefix.as_bytes().first() {
            continue;
        }
        if key == group.list {
            return Key::List(place);
        }
        if let Some(found) = numbered(key, place, group) {
            return found;
        }
    }
    Key::Other
}

fn numbered<'k>(key: &'k str, place: usize, group: &Group) -> Option<Key<'k>> {
    let (rest, renamed) = match after_prefix(key, group.prefix) {
        Some(rest) => (rest, false),
        None => (
            group
                .other_prefixes
                .iter()
                .find_map(|p| after_prefix(key, p))?,
            true,
        ),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let part = rest[digits..].strip_prefix('_')?;
    if digits == 0 || part.is_empty() {
        return None;
    }
    if digits > 1 && rest.starts_with('0') {
        return Some(Key::BadNumber);
    }
    let number = match rest.as_bytes()[0] {
        digit if digits == 1 => Ok(u32::from(digit - b'0')),
        _ => rest[..digits].parse(),
    };
    Some(match number {
        Ok(number) => Key::Numbered {
            group: place,
            number,
            part,
            renamed,
        },
        Err(_) => Key::BadNumber,
    })
}

fn after_prefix<'k>(key: &'k str, prefix: &str) -> Option<&'k str> {
    key.strip_prefix(prefix)?.strip_prefix('_')
}

/// The index of a record's field in its group.
pub(super) fn part_index(group: &Group, part: &str) -> Option<usize> {
    group.fields.iter().position(|field| field.name == part)
}

/// Whether a custom key can be sent. A replacement character shows that the key was not valid text.
pub(super) fn is_usable(key: &str) -> bool {
    const MAX_LENGTH: usize = 200;
    let is_wrong = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    !key.trim().is_empty() && key.len() <= MAX_LENGTH && !key.chars().any(is_wrong)
}

/// Whether a key is a number, as where a list was given for the fields.
pub(super) fn is_numeric(key: &str) -> bool {
    let digits = key.strip_prefix('-').unwrap_or(key);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A custom key in a form for messages: visible characters, and of bounded length.
pub(super) fn displayed(key: &str) -> String {
    const MAX_LENGTH: usize = 60;
    // A binding passes the type of a key that is not text, after a NUL.
    if let Some(class) = key.strip_prefix('\0').filter(|class| !class.is_empty()) {
        return format!("(a key of type {})", displayed(class));
    }
    let mut shown: String = key
        .chars()
        .take(MAX_LENGTH)
        .flat_map(char::escape_debug)
        .collect();
    if shown.is_empty() {
        shown.push_str("\"\"");
    }
    shown
}

/// The documented key that `key` is probably a misspelling of.
pub(super) fn hint(key: &str) -> Option<Cow<'static, str>> {
    let folded = fold(key);
    let field = ORDER_FIELDS
        .iter()
        .find(|field| is_near(&folded, field.name, field.also_called))
        .map(|field| Cow::Borrowed(field.name));
    field.or_else(|| numbered_hint(&folded))
}

/// The documented part of a record's key that `part` is probably a misspelling of.
pub(super) fn part_hint(group: &Group, part: &str) -> Option<&'static str> {
    let folded = fold(part);
    group
        .fields
        .iter()
        .find(|field| is_near(&folded, field.name, field.also_called))
        .map(|field| field.name)
}

/// Hints for `discount1code`, `discounts_1_code` and the like: a similar prefix with a number behind it.
fn numbered_hint(folded: &str) -> Option<Cow<'static, str>> {
    let digits_at = folded.find(|c: char| c.is_ascii_digit());
    let (prefix, rest) = folded.split_at(digits_at.unwrap_or(folded.len()));
    let group = GROUPS.iter().find(|group| {
        one_edit(prefix, &fold(group.prefix)) || one_edit(prefix, &fold(group.list))
    })?;
    if digits_at.is_none() {
        return Some(Cow::Borrowed(group.list));
    }
    let part = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let field = group
        .fields
        .iter()
        .find(|field| is_near(part, field.name, field.also_called));
    let part = field.unwrap_or(&group.fields[0]).name;
    Some(Cow::Owned(format!("{}_1_{part}", group.prefix)))
}

fn is_near(folded: &str, name: &str, also_called: &[&str]) -> bool {
    one_edit(folded, &fold(name)) || also_called.iter().any(|other| folded == fold(other))
}

/// Whether two words are equal, or one insertion, deletion, substitution or transposition apart; short
/// words must be equal.
fn one_edit(left: &str, right: &str) -> bool {
    const MIN_LENGTH: usize = 4;
    left == right
        || (left.len().abs_diff(right.len()) <= 1
            && left.len().min(right.len()) >= MIN_LENGTH
            && strsim::osa_distance(left, right) <= 1)
}

/// Removes case and separators, so that `saleAmount`, `Sale-Amount` and `sale_amount` are equal.
fn fold(key: &str) -> String {
    key.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' ' | '.'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Finds a field by name without comparing every row: an open-addressed hash table, which the compiler
/// builds from the field table.
struct FieldIndex {
    slots: [u8; FieldIndex::SIZE],
}

static FIELD_INDEX: FieldIndex = FieldIndex::build();

impl FieldIndex {
    const SIZE: usize = 64;
    const FREE: u8 = u8::MAX;

    const fn build() -> Self {
        assert!(
            ORDER_FIELDS.len() * 2 <= Self::SIZE,
            "enlarge SIZE for the longer table"
        );
        let mut slots = [Self::FREE; Self::SIZE];
        let mut index = 0;
        while index < ORDER_FIELDS.len() {
            let mut slot = Self::slot(ORDER_FIELDS[index].name.as_bytes());
            while slots[slot] != Self::FREE {
                slot = (slot + 1) % Self::SIZE;
            }
            #[allow(clippy::cast_possible_truncation, reason = "asserted above")]
            {
                slots[slot] = index as u8;
            }
            index += 1;
        }
        Self { slots }
    }

    const fn slot(name: &[u8]) -> usize {
        let middle = name[name.len() / 2] as usize;
        let last = name[name.len() - 1] as usize;
        (name[0] as usize * 7 + middle * 31 + last * 3 + name.len() * 13) % Self::SIZE
    }

    fn find(&self, key: &str) -> Option<usize> {
        if key.is_empty() {
            return None;
        }
        let mut slot = Self::slot(key.as_bytes());
        while self.slots[slot] != Self::FREE {
            let index = usize::from(self.slots[slot]);
            if ORDER_FIELDS[index].name == key {
                return Some(index);
            }
            slot = (slot + 1) % Self::SIZE;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_matches_only_the_exact_name_of_a_row() {
        for (index, field) in ORDER_FIELDS.iter().enumerate() {
            assert_eq!(resolve(field.name), Key::Field(index));
            assert_eq!(resolve(&format!("{}x", field.name)), Key::Other);
        }
        assert_eq!(resolve(""), Key::Other);
    }

    #[test]
    fn all_spellings_of_a_group_begin_with_the_same_letter() {
        for group in GROUPS {
            let first = group.prefix.chars().next();
            let others = group.other_prefixes.iter().chain([&group.list]);
            others.for_each(|other| assert_eq!(other.chars().next(), first));
        }
    }

    #[test]
    fn numbered_keys_are_split_at_their_number() {
        assert_eq!(
            resolve("line_item_12_sku"),
            Key::Numbered {
                group: 1,
                number: 12,
                part: "sku",
                renamed: false
            }
        );
        assert_eq!(
            resolve("lineitem_1_title"),
            Key::Numbered {
                group: 1,
                number: 1,
                part: "title",
                renamed: true
            }
        );
        assert_eq!(resolve("discount_01_code"), Key::BadNumber);
        assert_eq!(resolve("discount_99999999999_code"), Key::BadNumber);
        assert_eq!(resolve("discount__code"), Key::Other);
        assert_eq!(resolve("discount_1_"), Key::Other);
    }

    #[test]
    fn hints_name_the_documented_key() {
        let hints = [
            ("saleAmount", "sale_amount"),
            ("sale_ammount", "sale_amount"),
            ("Order_Status", "order_status"),
            ("shiping_city", "shipping_city"),
            ("total", "sale_amount"),
            ("email", "email_address"),
            ("discounts_1_code", "discount_1_code"),
            ("discount1_amount", "discount_1_amount"),
            ("lineItems", "line_items"),
        ];
        for (written, documented) in hints {
            assert_eq!(hint(written).as_deref(), Some(documented), "{written}");
        }
        for custom in ["action_type", "billing_city", "customer_group", "x"] {
            assert_eq!(hint(custom), None, "{custom}");
        }
    }

    #[test]
    fn invalid_text_and_control_characters_make_a_key_unusable() {
        assert!(is_usable("Größe"));
        assert!(!is_usable("gr\u{FFFD}e"));
        assert!(!is_usable("a\nb"));
    }
}
