//! The rules for numbers: exact amounts, quantities and counts, never through a binary float
//! unless the caller has nothing else.

use crate::order::problem::Code;
use crate::order::value::Value;
use std::borrow::Cow;

/// The longest amount, in digits before and after the point.
const MOST_DIGITS: usize = 30;
/// Binary floats are rounded to this many places.
const FLOAT_PLACES: usize = 4;

/// An amount in units of 10⁻⁸, for comparing amounts with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::order) struct Units {
    units: i128,
    /// Whether there are more digits, which were cut: a hair more than the units say.
    more: bool,
}

const POWERS_OF_TEN: [u64; Units::PLACES + 1] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

impl Units {
    const PLACES: usize = 8;
    /// With [`Self::PLACES`] more, still below 2⁶⁴.
    const FIT_64: usize = 11;
    /// The smallest difference that is worth a warning: one cent.
    const CENT: i128 = 1_000_000;

    /// Reads a plain decimal of at most [`MOST_DIGITS`] digits, which always fits.
    pub(in crate::order) fn of(plain: &str) -> Self {
        let negative = plain.starts_with('-');
        let unsigned = plain.trim_start_matches(['+', '-']);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let (fraction, cut) = fraction.split_at(fraction.len().min(Self::PLACES));
        let missing = Self::PLACES - fraction.len();
        let units = if whole.len() <= Self::FIT_64 {
            let digits = whole.bytes().chain(fraction.bytes());
            let scaled = digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            i128::from(scaled * POWERS_OF_TEN[missing])
        } else {
            let zeros = std::iter::repeat_n(b'0', missing);
            let digits = whole.bytes().chain(fraction.bytes()).chain(zeros);
            digits.fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'))
        };
        let more = cut.bytes().any(|digit| digit != b'0');
        Self {
            units: if negative { -units } else { units },
            more,
        }
    }

    pub(in crate::order) fn is_negative(self) -> bool {
        self.units < 0
    }

    /// Whether `self` and `parts[0] - parts[1] - …` are a cent or more apart.
    pub(in crate::order) fn differs_by_a_cent(self, parts: [Self; 3]) -> bool {
        let [sale, shipping, tax] = parts.map(|part| part.units);
        let difference = sale
            .saturating_sub(shipping)
            .saturating_sub(tax)
            .saturating_sub(self.units);
        difference.saturating_abs() >= Self::CENT
    }
}

/// The plain notation of an amount: exactly the caller's digits, if they were digits.
pub(in crate::order) fn plain<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, Code> {
    match value {
        Value::Text(text) => plain_text(text).map(|()| Cow::Borrowed(text.as_ref())),
        Value::Int(number) => Ok(Cow::Owned(number.to_string())),
        Value::Float(number) => float(*number).map(Cow::Owned),
        Value::Decimal(text) => decimal(text),
        Value::InvalidText => Err(Code::InvalidUnicode),
        _ => Err(Code::WrongType),
    }
}

/// Checks the grammar `[+-] digits [. digits]` in ASCII.
fn plain_text(text: &str) -> Result<(), Code> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err(Code::AmountFormat);
    }
    if whole.len() + fraction.map_or(0, str::len) > MOST_DIGITS {
        return Err(Code::AmountTooLong);
    }
    Ok(())
}

/// A decimal object's text in plain notation: `1E+2` becomes `100`.
fn decimal<'v>(text: &'v str) -> Result<Cow<'v, str>, Code> {
    match plain_text(text) {
        Ok(()) => return Ok(Cow::Borrowed(text)),
        Err(Code::AmountTooLong) => return Err(Code::AmountTooLong),
        Err(_) => {}
    }
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Err(Code::AmountNotFinite);
    };
    plain_text(mantissa)?;
    let exponent: i32 = exponent.parse().map_err(|_| Code::AmountTooLong)?;
    shift_point(mantissa, exponent).map(Cow::Owned)
}

fn shift_point(mantissa: &str, exponent: i32) -> Result<String, Code> {
    let negative = mantissa.starts_with('-');
    let unsigned = mantissa.trim_start_matches(['+', '-']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut digits = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX) + i64::from(exponent);
    let most = i64::try_from(MOST_DIGITS).unwrap_or(i64::MAX);
    if digits.bytes().all(|digit| digit == b'0') && point > most {
        return Ok("0".to_owned());
    }
    if point > most || point < -most {
        return Err(Code::AmountTooLong);
    }
    if point <= 0 {
        let zeros = usize::try_from(1 - point).unwrap_or(1);
        digits.insert_str(0, &"0".repeat(zeros));
        digits.insert(1, '.');
    } else {
        let point = usize::try_from(point).unwrap_or(0);
        if digits.len() < point {
            digits.push_str(&"0".repeat(point - digits.len()));
        }
        if digits.len() > point {
            digits.insert(point, '.');
        }
        let leading = digits.bytes().take_while(|digit| *digit == b'0').count();
        let keep_one = if digits[leading..].starts_with(['.']) || leading == digits.len() {
            1
        } else {
            0
        };
        digits.drain(..leading.saturating_sub(keep_one));
    }
    if negative {
        digits.insert(0, '-');
    }
    plain_text(&digits).map(|()| digits)
}

/// The shortest decimal that reads back as the same float, rounded half away from zero.
fn float(number: f64) -> Result<String, Code> {
    if !number.is_finite() {
        return Err(Code::AmountNotFinite);
    }
    let text = short_float(number).unwrap_or_else(|| round(&number.to_string()));
    plain_text(&text).map(|()| text)
}

/// Most amounts have at most four places and fewer than 15 digits; then the scaled integer's
/// digits are the shortest form, since decimals that short survive the way through a double.
fn short_float(number: f64) -> Option<String> {
    const SCALE: f64 = 10_000.0;
    const SAFE: f64 = 1e15;
    let scaled = (number * SCALE).round();
    #[allow(clippy::float_cmp, reason = "equality is the question")]
    if scaled.abs() >= SAFE || scaled / SCALE != number {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "below 1e15")]
    let scaled = scaled as i64;
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, places) = (
        scaled.unsigned_abs() / 10_000,
        scaled.unsigned_abs() % 10_000,
    );
    if places == 0 {
        return Some(format!("{sign}{whole}"));
    }
    let mut text = format!("{sign}{whole}.{places:04}");
    text.truncate(text.trim_end_matches('0').len());
    Some(text)
}

/// Rounds plain digits to [`FLOAT_PLACES`], half away from zero, without trailing zeros or `-0`.
fn round(plain: &str) -> String {
    let (sign, unsigned) = plain
        .strip_prefix('-')
        .map_or(("", plain), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let kept = &fraction[..fraction.len().min(FLOAT_PLACES)];
    let mut digits = format!("{whole}{kept}").into_bytes();
    if fraction
        .as_bytes()
        .get(FLOAT_PLACES)
        .is_some_and(|next| *next >= b'5')
    {
        increment(&mut digits);
    }
    let point = digits.len() - kept.len();
    let digits: String = digits.into_iter().map(char::from).collect();
    let fraction = digits[point..].trim_end_matches('0');
    let whole = &digits[..point];
    match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (_, "") => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// A count as a JSON number: whole and 1 or more.
pub(in crate::order) fn count(value: &Value<'_>) -> Result<String, Code> {
    let text = json_number(value, Code::CountInvalid)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if text.starts_with('-')
        || text.bytes().all(|byte| matches!(byte, b'0' | b'.'))
        || fraction.bytes().any(|digit| digit != b'0')
    {
        return Err(Code::CountInvalid);
    }
    Ok(whole.to_owned())
}

/// A quantity as a JSON number above 0.
pub(in crate::order) fn quantity(value: &Value<'_>) -> Result<String, Code> {
    let text = json_number(value, Code::QuantityInvalid)?;
    let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if zero || text.starts_with('-') {
        Err(Code::QuantityInvalid)
    } else {
        Ok(text)
    }
}

/// JSON forbids `+` and leading zeros, which amounts (sent as text) may have.
fn json_number(value: &Value<'_>, code: Code) -> Result<String, Code> {
    let plain = plain(value).map_err(|problem| match problem {
        Code::WrongType | Code::InvalidUnicode => problem,
        _ => code,
    })?;
    let (sign, unsigned) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let trimmed = unsigned.trim_start_matches('0');
    let zero = if trimmed.is_empty() || trimmed.starts_with('.') {
        "0"
    } else {
        ""
    };
    Ok(format!("{sign}{zero}{trimmed}"))
}

/// A number for a key of the caller's own: shortest form, not rounded.
pub(in crate::order) fn own_number(number: f64) -> Result<String, Code> {
    if number.is_finite() {
        let text = number.to_string();
        Ok(if text == "-0" { "0".to_owned() } else { text })
    } else {
        Err(Code::AmountNotFinite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: impl Into<Value<'static>>) -> Result<String, Code> {
        plain(&value.into()).map(Cow::into_owned)
    }

    fn sent_decimal(text: &'static str) -> Result<String, Code> {
        plain(&Value::Decimal(text.into())).map(Cow::into_owned)
    }

    #[test]
    fn text_keeps_its_digits() {
        let thirty = "123456789012345678901234567.890";
        for text in ["25.67", "1.50", "0", "-0", "+1.50", "007.50", thirty] {
            assert_eq!(sent(text), Ok(text.to_owned()));
        }
        assert_eq!(
            sent("1234567890123456789012345678901"),
            Err(Code::AmountTooLong)
        );
        for text in [
            "$1",
            "1,234.50",
            "25,67",
            "25.67 EUR",
            "0x10",
            "NaN",
            "٢٥",
            ".5",
            "5.",
            "1e2",
            " 1",
            "-",
            ".",
            "",
            "--1",
            "1.2.3",
        ] {
            assert_eq!(sent(text), Err(Code::AmountFormat), "{text}");
        }
    }

    #[test]
    fn floats_are_short_and_rounded() {
        let cases = [
            (25.67, "25.67"),
            (0.1 + 0.2, "0.3"),
            (19.999_999, "20"),
            (1e-7, "0"),
            (-0.0, "0"),
            (-0.000_01, "0"),
            (0.000_05, "0.0001"),
            (2.000_05, "2.0001"),
            (-1.5, "-1.5"),
            (1e21, "1000000000000000000000"),
            (1e15, "1000000000000000"),
            (99.999_96, "100"),
            (123_456_789_012.345_6, "123456789012.3456"),
        ];
        for (number, text) in cases {
            assert_eq!(sent(number), Ok(text.to_owned()), "{number}");
        }
        assert_eq!(sent(f64::NAN), Err(Code::AmountNotFinite));
        assert_eq!(sent(1e300), Err(Code::AmountTooLong));
    }

    #[test]
    fn decimals_leave_exponents_behind() {
        let cases = [
            ("1E+2", "100"),
            ("1.50E+1", "15.0"),
            ("-1E-7", "-0.0000001"),
            ("12.5e0", "12.5"),
            ("0E+50", "0"),
            ("0E-8", "0.00000000"),
            ("123E-2", "1.23"),
            ("0.5E1", "5"),
            ("0.05E1", "0.5"),
            ("1.50", "1.50"),
        ];
        for (text, plain) in cases {
            assert_eq!(sent_decimal(text), Ok(plain.to_owned()), "{text}");
        }
        assert_eq!(sent_decimal("NaN"), Err(Code::AmountNotFinite));
        assert_eq!(sent_decimal("-Infinity"), Err(Code::AmountNotFinite));
        assert_eq!(sent_decimal("1E+40"), Err(Code::AmountTooLong));
        assert_eq!(sent_decimal("1E-999999999999"), Err(Code::AmountTooLong));
    }

    #[test]
    fn counts_and_quantities_become_json_numbers() {
        assert_eq!(count(&"02".into()).as_deref(), Ok("2"));
        assert_eq!(count(&2.0.into()).as_deref(), Ok("2"));
        assert_eq!(count(&"2.00".into()).as_deref(), Ok("2"));
        for bad in [
            Value::from(0),
            2.5.into(),
            "-1".into(),
            "two".into(),
            f64::NAN.into(),
        ] {
            assert_eq!(count(&bad), Err(Code::CountInvalid));
        }
        assert_eq!(quantity(&"1.50".into()).as_deref(), Ok("1.50"));
        assert_eq!(quantity(&"+00.5".into()).as_deref(), Ok("0.5"));
        for bad in [Value::from(0), "-1".into(), "0.00".into(), "x".into()] {
            assert_eq!(quantity(&bad), Err(Code::QuantityInvalid));
        }
        assert_eq!(count(&true.into()), Err(Code::WrongType));
    }

    #[test]
    fn a_cent_makes_a_difference_and_less_does_not() {
        let of = Units::of;
        let parts = [of("25.67"), of("4.99"), of("1.48")];
        assert!(!of("19.20").differs_by_a_cent(parts));
        assert!(!of("19.2099").differs_by_a_cent(parts));
        assert!(of("19.21").differs_by_a_cent(parts));
        assert!(of("999999999999999999999999999999").differs_by_a_cent(parts));
    }
}
