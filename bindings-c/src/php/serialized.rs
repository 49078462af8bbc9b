//! Reads the output of PHP's serialize() without copying text. It is PHP's fastest exact format: it
//! preserves types, any bytes of text, and floats.

use crate::input;
use katalys_core::{Fields, Value};
use std::borrow::Cow;
use std::ops::Range;

/// Why a text could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not the output of serialize() for an update.
    Malformed,
    /// It refers back to an earlier value, as PHP writes a variable that occurs twice.
    Reference,
}

/// Deeper arrays are refused: no order update has them.
const DEEPEST: usize = 32;
/// The minimum length of a key and its value.
const SHORTEST_PAIR: usize = "i:0;N;".len();

/// The keys by which the package marks values that serialize() cannot express, as the only key of an
/// array. No key of an update begins with a NUL.
const TIME: &str = "\0time";
const FLOAT: &str = "\0float";
const UNSUPPORTED: &str = "\0unsupported";

/// Reads `[order id, fields]`.
pub fn update(text: &[u8]) -> Result<(Value<'_>, Fields<'_>), Unreadable> {
    let mut reader = Reader::new(text);
    reader.expect(b"a:2:{i:0;")?;
    let order_id = reader.value(1)?;
    reader.expect(b"i:1;")?;
    let fields = reader.fields()?;
    reader.expect(b"}")?;
    reader.end()?;
    Ok((order_id, fields))
}

/// Reads an array of options.
pub fn options(text: &[u8]) -> Result<Fields<'_>, Unreadable> {
    let mut reader = Reader::new(text);
    let options = reader.fields()?;
    reader.end()?;
    Ok(options)
}

struct Reader<'t> {
    bytes: &'t [u8],
    /// The same as text, if it is all UTF-8: one check of the whole is faster than one of each part.
    text: Option<&'t str>,
    /// The position of the reader.
    at: usize,
}

impl<'t> Reader<'t> {
    fn new(bytes: &'t [u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok();
        Self { bytes, text, at: 0 }
    }

    /// An array, whatever its keys are.
    fn fields(&mut self) -> Result<Fields<'t>, Unreadable> {
        self.expect(b"a:")?;
        let count = self.array_start()?;
        let mut fields = Fields::with_capacity(self.possible(count));
        for _ in 0..count {
            let key: Cow<'t, str> = self.key()?.into();
            fields.push(key, self.value(1)?);
        }
        self.expect(b"}")?;
        Ok(fields)
    }

    fn value(&mut self, depth: usize) -> Result<Value<'t>, Unreadable> {
        match self.kind()? {
            b"s:" => self.text_value(),
            b"i:" => self.integer().map(Value::Int),
            b"d:" => self.float().map(Value::Float),
            b"b:" => Ok(Value::Bool(self.until(b';')? == b"1")),
            b"N;" => Ok(Value::Null),
            b"a:" if depth < DEEPEST => self.array(depth),
            b"R:" | b"r:" => Err(Unreadable::Reference),
            _ => Err(Unreadable::Malformed),
        }
    }

    /// A list if all its keys are numbers, as of a list that was filtered; otherwise a record.
    fn array(&mut self, depth: usize) -> Result<Value<'t>, Unreadable> {
        let count = self.array_start()?;
        let mut items = Vec::new();
        let mut numbers = Numbers::default();
        while items.len() < count {
            match self.key()? {
                Key::Number(number) => numbers.push(items.len(), number),
                Key::Text(key) => {
                    let first = items.into_iter().enumerate();
                    let first = first.map(|(index, item)| (numbers.key(index), item));
                    return self.record(first.collect(), key, count, depth);
                }
            }
            items.push(self.value(depth + 1)?);
        }
        self.expect(b"}")?;
        Ok(Value::List(items))
    }

    /// A record whose first keys may have been those of a list.
    fn record(
        &mut self,
        mut fields: Fields<'t>,
        mut key: Cow<'t, str>,
        count: usize,
        depth: usize,
    ) -> Result<Value<'t>, Unreadable> {
        loop {
            let value = self.value(depth + 1)?;
            if count == 1
                && let Some(marked) = marked(&key, &value)
            {
                self.expect(b"}")?;
                return Ok(marked);
            }
            fields.push(key, value);
            if fields.len() == count {
                break;
            }
            key = self.key()?.into();
        }
        self.expect(b"}")?;
        Ok(Value::Map(fields))
    }

    fn key(&mut self) -> Result<Key<'t>, Unreadable> {
        match self.kind()? {
            b"s:" => {
                let part = self.part()?;
                Ok(Key::Text(
                    match self.text.and_then(|text| text.get(part.clone())) {
                        Some(text) => Cow::Borrowed(text),
                        None => input::key(&self.bytes[part]),
                    },
                ))
            }
            b"i:" => self.integer().map(Key::Number),
            _ => Err(Unreadable::Malformed),
        }
    }

    fn text_value(&mut self) -> Result<Value<'t>, Unreadable> {
        let part = self.part()?;
        match self.text.and_then(|text| text.get(part.clone())) {
            Some(text) => Ok(Value::from(text)),
            None => Ok(input::text(&self.bytes[part])),
        }
    }

    /// The range of a text with a stated length, which may contain any bytes.
    fn part(&mut self) -> Result<Range<usize>, Unreadable> {
        let len = self.count()?;
        let start = self.at + 1;
        let end = start.checked_add(len).ok_or(Unreadable::Malformed)?;
        self.expect(b"\"")?;
        self.at = end;
        self.expect(b"\";")?;
        Ok(start..end)
    }

    fn array_start(&mut self) -> Result<usize, Unreadable> {
        let count = self.count()?;
        self.expect(b"{")?;
        Ok(count)
    }

    /// Digits and the colon after them.
    fn count(&mut self) -> Result<usize, Unreadable> {
        let mut count = 0_usize;
        loop {
            let byte = *self.bytes.get(self.at).ok_or(Unreadable::Malformed)?;
            self.at += 1;
            match byte {
                b'0'..=b'9' => {
                    let more = count.checked_mul(10).ok_or(Unreadable::Malformed)?;
                    count = more.saturating_add(usize::from(byte - b'0'));
                }
                b':' => return Ok(count),
                _ => return Err(Unreadable::Malformed),
            }
        }
    }

    fn integer(&mut self) -> Result<i64, Unreadable> {
        number(self.until(b';')?)
    }

    fn float(&mut self) -> Result<f64, Unreadable> {
        match self.until(b';')? {
            b"NAN" => Ok(f64::NAN),
            b"INF" => Ok(f64::INFINITY),
            b"-INF" => Ok(f64::NEG_INFINITY),
            digits => number(digits),
        }
    }

    /// The two bytes that name the type of the next value.
    fn kind(&mut self) -> Result<&'t [u8; 2], Unreadable> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let kind = rest.first_chunk().ok_or(Unreadable::Malformed)?;
        self.at += 2;
        Ok(kind)
    }

    fn until(&mut self, end: u8) -> Result<&'t [u8], Unreadable> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == end);
        let len = found.ok_or(Unreadable::Malformed)?;
        self.at += len + 1;
        Ok(&rest[..len])
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<(), Unreadable> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(wanted) {
            return Err(Unreadable::Malformed);
        }
        self.at += wanted.len();
        Ok(())
    }

    fn end(&self) -> Result<(), Unreadable> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        Err(Unreadable::Malformed)
    }

    /// The number of pairs that the rest of the text can contain, at most the stated one.
    fn possible(&self, count: usize) -> usize {
        count.min(self.bytes.len() / SHORTEST_PAIR)
    }
}

/// A key of a PHP array.
enum Key<'t> {
    Number(i64),
    Text(Cow<'t, str>),
}

impl<'t> From<Key<'t>> for Cow<'t, str> {
    fn from(key: Key<'t>) -> Self {
        match key {
            Key::Number(number) => number_key(number),
            Key::Text(text) => text,
        }
    }
}

/// The numeric keys of an array so far; stored only if they differ from the items' positions.
#[derive(Default)]
struct Numbers(Vec<i64>);

impl Numbers {
    fn push(&mut self, position: usize, number: i64) {
        if !self.0.is_empty() {
            self.0.push(number);
        } else if usize::try_from(number) != Ok(position) {
            self.0.extend((0..).take(position));
            self.0.push(number);
        }
    }

    fn key(&self, position: usize) -> Cow<'static, str> {
        match self.0.get(position) {
            Some(number) => number_key(*number),
            None => position.to_string().into(),
        }
    }
}

fn number_key(number: i64) -> Cow<'static, str> {
    number.to_string().into()
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Result<N, Unreadable> {
    let digits = std::str::from_utf8(digits).ok();
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(Unreadable::Malformed)
}

/// The value of an array with one of the package's marks.
fn marked<'t>(key: &str, value: &Value<'t>) -> Option<Value<'t>> {
    match (key, value) {
        (TIME, Value::Text(text)) => Some(Value::Time(text.clone())),
        (FLOAT, Value::Text(digits)) => digits.parse().ok().map(Value::Float),
        (UNSUPPORTED, _) => Some(Value::Unsupported),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_was() {
        let text = b"a:2:{i:0;i:1001;i:1;a:9:{s:1:\"t\";s:3:\"a;\"\";s:1:\"x\";s:1:\"\xff\";\
            s:1:\"i\";i:-5;s:1:\"d\";d:25.67;s:1:\"n\";d:-INF;s:1:\"b\";b:1;s:1:\"z\";N;\
            i:7;a:2:{i:0;s:1:\"y\";i:1;N;}s:1:\"m\";a:2:{i:0;i:4;s:1:\"k\";a:0:{}}}}";
        let (order_id, fields) = update(text).unwrap();
        assert!(order_id == Value::Int(1001));
        let list = Value::List(vec![Value::from("y"), Value::Null]);
        let record = Fields::new().set("0", 4).set("k", Value::List(Vec::new()));
        let expected = Fields::new()
            .set("t", "a;\"")
            .set("x", Value::InvalidText)
            .set("i", -5)
            .set("d", 25.67)
            .set("n", f64::NEG_INFINITY)
            .set("b", true)
            .set("z", Value::Null)
            .set("7", list)
            .set("m", Value::Map(record));
        assert!(fields == expected);
    }

    #[test]
    fn fields_are_a_record_even_if_they_look_like_a_list() {
        assert!(options(b"a:1:{i:0;s:1:\"x\";}").unwrap() == Fields::new().set("0", "x"));
        assert!(options(b"a:0:{}").unwrap() == Fields::new());
    }

    #[test]
    fn an_array_whose_keys_are_numbers_is_a_list_and_any_text_among_them_makes_it_a_record() {
        let text = b"a:3:{s:1:\"l\";a:2:{i:17;s:1:\"x\";i:-3;s:1:\"y\";}\
            s:1:\"r\";a:3:{i:0;i:1;i:5;i:2;s:1:\"k\";i:3;}\
            s:1:\"s\";a:3:{s:1:\"k\";i:1;i:7;i:2;i:0;i:3;}}";
        let list = Value::List(vec![Value::from("x"), Value::from("y")]);
        let numbers_first = Fields::new().set("0", 1).set("5", 2).set("k", 3);
        let text_first = Fields::new().set("k", 1).set("7", 2).set("0", 3);
        let expected = Fields::new()
            .set("l", list)
            .set("r", Value::Map(numbers_first))
            .set("s", Value::Map(text_first));
        assert!(options(text).unwrap() == expected);
    }

    #[test]
    fn marks_stand_for_what_php_cannot_serialize() {
        let text = b"a:4:{s:1:\"t\";a:1:{s:5:\"\0time\";s:20:\"2018-01-01T00:00:00Z\";}\
            s:1:\"f\";a:1:{s:6:\"\0float\";s:3:\"0.1\";}\
            s:1:\"u\";a:1:{s:12:\"\0unsupported\";N;}s:1:\"o\";a:1:{s:4:\"time\";N;}}";
        let expected = Fields::new()
            .set("t", Value::Time("2018-01-01T00:00:00Z".into()))
            .set("f", 0.1)
            .set("u", Value::Unsupported)
            .set("o", Value::Map(Fields::new().set("time", Value::Null)));
        assert!(options(text).unwrap() == expected);
    }

    #[test]
    fn a_reference_is_distinguished_from_malformed_input() {
        let reference = b"a:2:{s:1:\"a\";s:1:\"x\";s:1:\"b\";R:2;}";
        assert!(matches!(options(reference), Err(Unreadable::Reference)));
        let malformed: &[&[u8]] = &[
            b"",
            b"N;",
            b"a:1:{}",
            b"a:0:{}x",
            b"a:1:{s:9:\"short\";N;}",
            b"a:1:{s:1:\"a\";O:1:\"X\":0:{}}",
            b"a:1:{N;N;}",
            b"a:99999999999999:{",
            b"a:1:{s:99999999999999999999:\"",
            b"a:1:{s:1:\"a\";a:9223372036854775807:{i:0;N;",
        ];
        for text in malformed {
            let shown = String::from_utf8_lossy(text);
            assert!(
                matches!(options(text), Err(Unreadable::Malformed)),
                "{shown}"
            );
        }
        let nested = "a:1:{i:0;".repeat(100_000);
        assert!(matches!(
            options(nested.as_bytes()),
            Err(Unreadable::Malformed)
        ));
    }
}
