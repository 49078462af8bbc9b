//! The rule for any text: one pass that tells blanks, control characters and whether JSON has
//! to escape something.

/// What one pass over a text found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::order) struct Traits {
    /// Nothing but white space, or nothing at all.
    pub blank: bool,
    /// A character below U+0020 other than tab and newline, or U+007F.
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

pub(in crate::order) fn traits(text: &str) -> Traits {
    let found = text
        .bytes()
        .fold(0, |found, byte| found | CLASS[usize::from(byte)]);
    let blank = found & VISIBLE == 0
        && found & CONTROL == 0
        && (found & NON_ASCII == 0 || text.trim().is_empty());
    Traits {
        blank,
        control: found & CONTROL != 0,
        escape: found & ESCAPE != 0,
    }
}

/// Whether a text begins or ends with white space.
pub(in crate::order) fn has_outer_blanks(text: &str) -> bool {
    text.trim().len() != text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_controls_and_escapes_are_told_apart() {
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
        assert_eq!(traits("\u{85}x"), plain);
        assert_eq!(
            traits("say \"hi\""),
            Traits {
                escape: true,
                ..plain
            }
        );
    }
}
