//! The rule for text: one pass finds blanks, control characters and characters that JSON escapes.

use super::amount;
use crate::order::problem::Code;
use crate::order::value::Value;
use std::borrow::Cow;

/// The properties of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::order) struct Traits {
    /// Only white space, or empty.
    pub blank: bool,
    /// A character below U+0020 other than tab and newline, or one of U+007F to U+009F.
    pub control: bool,
    /// A character that JSON writes with a backslash.
    pub escape: bool,
}

const CONTROL: u8 = 1;
const ESCAPE: u8 = 2;
const VISIBLE: u8 = 4;
const NON_ASCII: u8 = 8;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [VISIBLE; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte < 0x20 || byte == 0x7F {
            table[byte] = CONTROL;
        } else if byte >= 0x80 {
            table[byte] = NON_ASCII;
        }
        byte += 1;
    }
    table[b' ' as usize] = 0;
    table[b'\t' as usize] = ESCAPE;
    table[b'\n' as usize] = ESCAPE;
    table[b'"' as usize] = VISIBLE | ESCAPE;
    table[b'\\' as usize] = VISIBLE | ESCAPE;
    table
}

/// A value as text, for fields that hold text.
pub(in crate::order) fn of_value<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, Code> {
    match value {
        Value::Text(text) | Value::Time(text) => Ok(Cow::Borrowed(text)),
        Value::Int(number) => Ok(Cow::Owned(number.to_string())),
        Value::Float(number) => amount::custom_number(*number).map(Cow::Owned),
        Value::Decimal(text) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Cow::Borrowed(text)),
        Value::Decimal(_) => amount::plain(value).map(|(text, _)| text),
        Value::InvalidText => Err(Code::InvalidUnicode),
        _ => Err(Code::WrongType),
    }
}

/// Whether a value is text without any visible character.
pub(in crate::order) fn is_blank(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(text) if traits(text).blank)
}

pub(in crate::order) fn traits(text: &str) -> Traits {
    let found = text
        .bytes()
        .fold(0, |found, byte| found | CLASS[usize::from(byte)]);
    let control = found & CONTROL != 0 || (found & NON_ASCII != 0 && has_c1_control(text));
    let blank =
        found & VISIBLE == 0 && !control && (found & NON_ASCII == 0 || text.trim().is_empty());
    Traits {
        blank,
        control,
        escape: found & ESCAPE != 0,
    }
}

/// Finds U+0080 to U+009F (two bytes in UTF-8), which terminals and some databases interpret.
fn has_c1_control(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .windows(2)
        .any(|pair| pair[0] == 0xC2 && pair[1] < 0xA0)
}

/// Whether a text begins or ends with white space.
pub(in crate::order) fn has_outer_blanks(text: &str) -> bool {
    text.trim().len() != text.len()
}

/// A text in a form that is safe in a terminal or a log line: control characters, line ends and marks
/// that change the direction of writing are escaped as `\u{…}`.
///
/// ```
/// use katalys_core::order::visible;
/// assert_eq!(visible("Zürich"), "Zürich");
/// assert_eq!(visible("a\nb\u{9b}31m\u{202e}"), "a\\nb\\u{9b}31m\\u{202e}");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_invisible(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

const fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Marks of direction, and line and paragraph separators.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_controls_and_escapes_are_distinguished() {
        let plain = Traits {
            blank: false,
            control: false,
            escape: false,
        };
        assert_eq!(traits("abc"), plain);
        assert_eq!(
            traits(""),
            Traits {
                blank: true,
                ..plain
            }
        );
        assert_eq!(
            traits(" \u{a0}\u{3000}"),
            Traits {
                blank: true,
                ..plain
            }
        );
        assert_eq!(
            traits("\t\n"),
            Traits {
                blank: true,
                escape: true,
                ..plain
            }
        );
        assert_eq!(
            traits("a\u{7f}"),
            Traits {
                control: true,
                ..plain
            }
        );
        assert_eq!(
            traits("\u{0}"),
            Traits {
                control: true,
                ..plain
            }
        );
        for c1 in ["\u{80}", "\u{85}x", "x\u{9b}31m", "\u{9f}"] {
            let control = Traits {
                control: true,
                ..plain
            };
            assert_eq!(traits(c1), control, "{c1:?}");
        }
        // The same second byte with another first one, and bidirectional marks, are text.
        assert_eq!(traits("\u{c5}\u{a0}x"), plain);
        assert_eq!(traits("\u{202e}x"), plain);
        assert_eq!(
            traits("say \"hi\""),
            Traits {
                escape: true,
                ..plain
            }
        );
    }
}
