//! Converts the string into which `lib/pack.js` packs values into the core's values.
//!
//! One long string crosses the boundary several times faster than twenty properties. It is a
//! list of tokens, each `\0`, a tag and its text. Text that holds a `\0`, or that may not be valid
//! Unicode, has to be escaped, which costs more and is rarely needed.

use crate::shapes::Shapes;
use katalys_core::{Fields, Value};
use std::borrow::Cow;

/// The string cannot be read unless its text is escaped.
#[derive(Debug, PartialEq, Eq)]
pub struct Unescaped;

/// Reads an order id and the fields of its order from a string of that many tokens.
pub fn order<'p>(
    packed: &'p str,
    tokens: u32,
    shapes: &'p Shapes,
) -> Result<(Value<'p>, Fields<'p>), Unescaped> {
    let mut reader = Reader::new(packed, tokens, shapes)?;
    let order_id = reader.value()?;
    Ok((order_id, reader.last_record()?))
}

/// Reads one record from a string of that many tokens.
pub fn record<'p>(
    packed: &'p str,
    tokens: u32,
    shapes: &'p Shapes,
) -> Result<Fields<'p>, Unescaped> {
    Reader::new(packed, tokens, shapes)?.last_record()
}

struct Reader<'p> {
    /// What comes after the next token's `\0`; nothing after the last token.
    rest: Option<&'p str>,
    /// The number of tokens that are not read yet.
    expected: usize,
    shapes: &'p Shapes,
}

/// The tag of a record's or a list's last token.
const END: u8 = b'.';

impl<'p> Reader<'p> {
    /// A replacement character may stand for half a surrogate pair.
    fn new(packed: &'p str, tokens: u32, shapes: &'p Shapes) -> Result<Self, Unescaped> {
        let replaced = !packed.is_ascii() && packed.contains(char::REPLACEMENT_CHARACTER);
        let rest = packed.strip_prefix('\0').filter(|_| !replaced);
        Ok(Self {
            rest: Some(rest.ok_or(Unescaped)?),
            expected: tokens as usize,
            shapes,
        })
    }

    /// If there are more tokens than JavaScript wrote, a value held a `\0`.
    fn last_record(mut self) -> Result<Fields<'p>, Unescaped> {
        let Value::Map(fields) = self.value()? else {
            return Err(Unescaped);
        };
        if self.rest.is_none() && self.expected == 0 {
            Ok(fields)
        } else {
            Err(Unescaped)
        }
    }

    fn value(&mut self) -> Result<Value<'p>, Unescaped> {
        let (tag, text) = self.token()?;
        self.value_of(tag, text)
    }

    fn value_of(&mut self, tag: u8, text: &'p str) -> Result<Value<'p>, Unescaped> {
        Ok(match tag {
            b's' => Value::Text(Cow::Borrowed(text)),
            b'e' => Value::Text(Cow::Owned(unescaped(text)?)),
            b'i' => whole_number(text),
            b'f' => Value::Float(text.parse().map_err(|_| Unescaped)?),
            b'd' => Value::Decimal(Cow::Borrowed(text)),
            b't' => Value::Time(Cow::Borrowed(text)),
            b'b' => Value::Bool(text == "true"),
            b'n' => Value::Null,
            b'x' => Value::InvalidText,
            b'u' => Value::UnsupportedType(Cow::Borrowed(text)),
            b'[' => Value::List(self.list()?),
            b'{' => Value::Map(self.pairs()?),
            b'#' => Value::Map(self.values_of_shape(text)?),
            _ => return Err(Unescaped),
        })
    }

    fn list(&mut self) -> Result<Vec<Value<'p>>, Unescaped> {
        let mut list = Vec::new();
        loop {
            let (tag, text) = self.token()?;
            if tag == END {
                return Ok(list);
            }
            list.push(self.value_of(tag, text)?);
        }
    }

    fn pairs(&mut self) -> Result<Fields<'p>, Unescaped> {
        let mut fields = Fields::new();
        loop {
            let (tag, text) = self.token()?;
            let key = match tag {
                b's' => Cow::Borrowed(text),
                b'e' => Cow::Owned(unescaped(text)?),
                END => return Ok(fields),
                _ => return Err(Unescaped),
            };
            fields.push(key, self.value()?);
        }
    }

    fn values_of_shape(&mut self, number: &str) -> Result<Fields<'p>, Unescaped> {
        let number = number.parse().map_err(|_| Unescaped)?;
        let keys = self.shapes.keys(number).ok_or(Unescaped)?;
        let mut fields = Fields::with_capacity(keys.len());
        for key in keys {
            let (tag, text) = self.token()?;
            if tag == b's' {
                fields.push(&**key, Value::Text(Cow::Borrowed(text)));
            } else {
                fields.push(&**key, self.value_of(tag, text)?);
            }
        }
        Ok(fields)
    }

    /// The next tag and its text.
    #[inline]
    fn token(&mut self) -> Result<(u8, &'p str), Unescaped> {
        let rest = self.rest.ok_or(Unescaped)?;
        let length = rest.bytes().position(|byte| byte == 0);
        let (token, after) = match length {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let (tag, text) = token.split_at_checked(1).ok_or(Unescaped)?;
        self.expected = self.expected.checked_sub(1).ok_or(Unescaped)?;
        self.rest = after;
        Ok((tag.as_bytes()[0], text))
    }
}

/// Beyond 64 bits, the digits themselves.
fn whole_number(digits: &str) -> Value<'_> {
    digits
        .parse()
        .map_or(Value::Decimal(Cow::Borrowed(digits)), Value::Int)
}

fn unescaped(json: &str) -> Result<String, Unescaped> {
    serde_json::from_str(json).map_err(|_| Unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    #[test]
    fn every_tag_becomes_its_value() {
        let packed = "\0{\0sa\0st\0sb\0i-5\0sc\0f0.5\0sd\0d1E+2\0se\0t2018\0sf\0btrue\0sg\0n\
                      \0sh\0x\0si\0ua Set\0sj\0[\0i1\0{\0sk\0s\0.\0.\0sl\0i9223372036854775808\0.";
        let inner = Value::Map(Fields::new().set("k", ""));
        let expected = Fields::new()
            .set("a", "t")
            .set("b", -5)
            .set("c", 0.5)
            .set("d", Value::Decimal("1E+2".into()))
            .set("e", Value::Time("2018".into()))
            .set("f", true)
            .set("g", Value::Null)
            .set("h", Value::InvalidText)
            .set("i", Value::UnsupportedType("a Set".into()))
            .set("j", Value::List(vec![Value::Int(1), inner]))
            .set("l", Value::Decimal("9223372036854775808".into()));
        assert!(read(packed).unwrap() == expected);
    }

    #[test]
    fn a_known_shape_is_replaced_by_its_keys() {
        let mut shapes = Shapes::default();
        let number = shapes.add("a\0b", 2);
        let packed = format!("\0#{number}\0sx\0[\0#{number}\0i1\0n\0.");
        let inner = Fields::new().set("a", 1).set("b", Value::Null);
        let expected = Fields::new()
            .set("a", "x")
            .set("b", Value::List(vec![Value::Map(inner)]));
        assert!(record(&packed, 7, &shapes).unwrap() == expected);
        assert_eq!(read("\0#0").unwrap_err(), Unescaped);
    }

    #[test]
    fn text_with_a_separator_or_a_lost_character_has_to_be_escaped() {
        let with_separator = "\0{\0sa\0sx\0y\0.";
        assert_eq!(
            record(with_separator, 4, &Shapes::default()).unwrap_err(),
            Unescaped
        );
        let mut shapes = Shapes::default();
        let number = shapes.add("a", 1);
        let at_the_end = format!("\0#{number}\0sx\0");
        assert_eq!(record(&at_the_end, 2, &shapes).unwrap_err(), Unescaped);
        let replaced = "\0{\0sa\0s\u{fffd}\0.";
        assert_eq!(read(replaced).unwrap_err(), Unescaped);
        let packed = "\0{\0sa\0e\"x\\u0000y\\ufffd\"\0.";
        let fields = read(packed).unwrap();
        assert!(fields == Fields::new().set("a", "x\0y\u{fffd}"));
    }

    #[test]
    fn malformed_input_is_refused_without_a_panic() {
        for packed in [
            "",
            "\0",
            "\0{",
            "\0{\0sa",
            "\0{\0sa\0.",
            "\0{\0i1\0i1\0.",
            "\0[\0.",
            "\0é",
            "\0fx",
        ] {
            assert_eq!(read(packed).unwrap_err(), Unescaped, "{packed:?}");
        }
    }

    fn read(packed: &str) -> Result<Fields<'_>, Unescaped> {
        static SHAPES: LazyLock<Shapes> = LazyLock::new(Shapes::default);
        let tokens = u32::try_from(packed.matches('\0').count()).unwrap();
        record(packed, tokens, &SHAPES)
    }
}
