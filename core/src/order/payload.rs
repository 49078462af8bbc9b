//! Writes the payload: one flat JSON object with keys in the order of the table, text and numbers only.

use super::fields::Field;

/// The payload while it is written.
///
/// To remove what was written since, as for an incomplete record, a caller keeps
/// [`mark`](Self::mark) and calls [`back_to`](Self::back_to).
#[derive(Default)]
pub(super) struct Payload {
    json: Vec<u8>,
}

impl Payload {
    /// The maximum size. The endpoint documents none; a larger order is certainly a mistake.
    pub(super) const MAX_SIZE: usize = 256 * 1024;
    /// Larger than almost every update, so that one allocation usually suffices.
    const TYPICAL: usize = 1024;

    pub(super) fn new() -> Self {
        Self {
            json: Vec::with_capacity(Self::TYPICAL),
        }
    }

    /// Text that needs no escaping, the usual case.
    pub(super) fn plain_text(&mut self, key: &Name<'_>, text: &str) {
        self.key(key);
        self.json.extend_from_slice(text.as_bytes());
        self.json.push(b'"');
    }

    /// Text with characters that JSON has to escape.
    pub(super) fn escaped_text(&mut self, key: &Name<'_>, text: &str) {
        self.key(key);
        self.json.pop();
        self.escaped(text);
    }

    /// A number that is already in JSON form.
    pub(super) fn number(&mut self, key: &Name<'_>, digits: &str) {
        self.key(key);
        self.json.pop();
        self.json.extend_from_slice(digits.as_bytes());
    }

    pub(super) fn mark(&self) -> usize {
        self.json.len()
    }

    /// Whether the maximum size is exceeded already, so that checking the rest is of no use.
    pub(super) fn is_too_large(&self) -> bool {
        self.mark() > Self::MAX_SIZE
    }

    pub(super) fn back_to(&mut self, mark: usize) {
        self.json.truncate(mark);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        match self.json.first_mut() {
            Some(comma) => *comma = b'{',
            None => self.json.push(b'{'),
        }
        self.json.push(b'}');
        self.json
    }

    /// Every key has a comma before it (the first one becomes the opening brace) and the opening quote
    /// of a text after it (which is removed for other values).
    fn key(&mut self, name: &Name<'_>) {
        match name {
            Name::Field(field) => self.json.extend_from_slice(field.json_key.as_bytes()),
            Name::Numbered {
                prefix,
                number,
                field,
            } => {
                self.json.extend_from_slice(b",\"");
                self.json.extend_from_slice(prefix.as_bytes());
                self.json.push(b'_');
                self.decimal(*number);
                self.json.extend_from_slice(field.json_part.as_bytes());
            }
            Name::Custom(key) => self.custom_key(key),
            Name::CustomNumbered {
                prefix,
                number,
                part,
            } => {
                self.custom_key(&format!("{prefix}_{number}_{part}"));
            }
        }
    }

    fn custom_key(&mut self, key: &str) {
        self.json.push(b',');
        self.escaped(key);
        self.json.extend_from_slice(b":\"");
    }

    fn decimal(&mut self, number: u32) {
        match u8::try_from(number) {
            Ok(digit @ 0..10) => self.json.push(b'0' + digit),
            _ => self.json.extend_from_slice(number.to_string().as_bytes()),
        }
    }

    fn escaped(&mut self, text: &str) {
        let written = serde_json::to_writer(&mut self.json, text);
        debug_assert!(written.is_ok(), "writing text to a Vec does not fail");
    }
}

/// A key as it is sent.
pub(super) enum Name<'n> {
    /// A row of the table.
    Field(&'static Field),
    /// A row of a record.
    Numbered {
        prefix: &'static str,
        number: u32,
        field: &'static Field,
    },
    /// A custom key.
    Custom(&'n str),
    /// A custom key within a record.
    CustomNumbered {
        prefix: &'static str,
        number: u32,
        part: &'n str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::fields::GROUPS;

    #[test]
    fn numbers_in_keys_are_written_in_full() {
        let (prefix, field) = (GROUPS[1].prefix, &GROUPS[1].fields[4]);
        let mut payload = Payload::new();
        for number in [1, 10, 4_294_967_295] {
            payload.number(
                &Name::Numbered {
                    prefix,
                    number,
                    field,
                },
                "2",
            );
        }
        payload.escaped_text(&Name::Custom("say \"x\""), "a\tb");
        let json = String::from_utf8(payload.finish()).expect("UTF-8");
        assert_eq!(
            json,
            r#"{"line_item_1_qty":2,"line_item_10_qty":2,"line_item_4294967295_qty":2,"say \"x\"":"a\tb"}"#
        );
    }
}
