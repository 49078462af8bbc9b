//! The rules for numbers: exact amounts, quantities and counts. Digits never pass through a binary
//! float unless the caller gave one.

use crate::order::problem::Code;
use crate::order::value::Value;
use std::borrow::Cow;

/// The maximum number of digits of an amount, before and after the point.
const MAX_DIGITS: usize = 30;
/// Binary floats are rounded to this many places.
const FLOAT_PLACES: usize = 4;

/// An amount in units of 10⁻⁸, for comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::order) struct Units {
    units: i128,
    /// Whether further digits were cut, so that the amount is slightly larger than `units`.
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
    /// Number of digits that fit into 64 bits.
    const FIT_64: usize = 19;
    /// The smallest difference that causes a warning: one cent.
    const CENT: i128 = 1_000_000;

    /// Checks the grammar `[+-] digits [. digits]` in ASCII, and reads the amount.
    pub(in crate::order) fn read(text: &str) -> Result<Self, Code> {
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let (mut sum, mut digits, mut point) = (0_u64, 0, None);
        for byte in unsigned {
            match byte {
                b'0'..=b'9' => {
                    sum = sum.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                    digits += 1;
                }
                b'.' if point.is_none() && digits > 0 => point = Some(digits),
                _ => return Err(Code::AmountFormat),
            }
        }
        let places = digits - point.unwrap_or(digits);
        if digits == 0 || (point.is_some() && places == 0) {
            return Err(Code::AmountFormat);
        }
        if digits > MAX_DIGITS {
            return Err(Code::AmountTooLong);
        }
        if digits > Self::FIT_64 || places > Self::PLACES {
            return Ok(Self::of_many_digits(unsigned, negative));
        }
        let units = i128::from(sum) * i128::from(POWERS_OF_TEN[Self::PLACES - places]);
        Ok(Self {
            units: if negative { -units } else { units },
            more: false,
        })
    }

    /// Reads digits that are known to be valid, in the width that always suffices.
    fn of_many_digits(plain: &[u8], negative: bool) -> Self {
        let point = plain
            .iter()
            .position(|byte| *byte == b'.')
            .unwrap_or(plain.len());
        let (whole, fraction) = (&plain[..point], plain.get(point + 1..).unwrap_or_default());
        let (fraction, cut) = fraction.split_at(fraction.len().min(Self::PLACES));
        let zeros = std::iter::repeat_n(&b'0', Self::PLACES - fraction.len());
        let digits = whole.iter().chain(fraction).chain(zeros);
        let units = digits.fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
        Self {
            units: if negative { -units } else { units },
            more: cut.iter().any(|digit| *digit != b'0'),
        }
    }

    fn is_zero(self) -> bool {
        self.units == 0 && !self.more
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

/// The plain notation of an amount, and its value. Digits stay exactly as given; a redundant sign
/// (`+5`, `-0`) is removed.
pub(in crate::order) fn plain<'v>(value: &'v Value<'_>) -> Result<(Cow<'v, str>, Units), Code> {
    let text = match value {
        Value::Text(text) => Cow::Borrowed(text.as_ref()),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Float(number) => Cow::Owned(float(*number)?),
        Value::Decimal(text) => decimal(text)?,
        Value::InvalidText => return Err(Code::InvalidUnicode),
        _ => return Err(Code::WrongType),
    };
    let units = Units::read(&text)?;
    let is_redundant = match text.as_bytes()[0] {
        b'+' => true,
        b'-' => units.is_zero(),
        _ => false,
    };
    Ok((
        if is_redundant {
            without_sign(text)
        } else {
            text
        },
        units,
    ))
}

fn without_sign(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[1..]),
        Cow::Owned(mut text) => {
            text.remove(0);
            Cow::Owned(text)
        }
    }
}

/// The text of a decimal in plain notation: `1E+2` becomes `100`.
fn decimal(text: &str) -> Result<Cow<'_, str>, Code> {
    match Units::read(text) {
        Ok(_) => return Ok(Cow::Borrowed(text)),
        Err(Code::AmountTooLong) => return Err(Code::AmountTooLong),
        Err(_) => {}
    }
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Err(Code::AmountNotFinite);
    };
    Units::read(mantissa)?;
    let exponent: i32 = exponent.parse().map_err(|_| Code::AmountTooLong)?;
    shift_point(mantissa, exponent).map(Cow::Owned)
}

fn shift_point(mantissa: &str, exponent: i32) -> Result<String, Code> {
    let negative = mantissa.starts_with('-');
    let unsigned = mantissa.trim_start_matches(['+', '-']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut digits = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).unwrap_or(i64::MAX) + i64::from(exponent);
    let max = i64::try_from(MAX_DIGITS).unwrap_or(i64::MAX);
    if digits.bytes().all(|digit| digit == b'0') && point > max {
        return Ok("0".to_owned());
    }
    if point > max || point < -max {
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
        let keep_one = usize::from(digits[leading..].starts_with('.') || leading == digits.len());
        digits.drain(..leading.saturating_sub(keep_one));
    }
    if negative {
        digits.insert(0, '-');
    }
    Units::read(&digits).map(|_| digits)
}

/// The shortest decimal that reads back as the same float, rounded half away from zero.
fn float(number: f64) -> Result<String, Code> {
    if !number.is_finite() {
        return Err(Code::AmountNotFinite);
    }
    let text = short_float(number).unwrap_or_else(|| round(&number.to_string()));
    if is_inexact(number) && text.len() <= MAX_DIGITS {
        return Err(Code::NumberInexact);
    }
    Ok(text)
}

/// Whether a double of this size may differ from the whole number that was meant.
pub(in crate::order) fn is_inexact(number: f64) -> bool {
    const LARGEST_SAFE: f64 = 9_007_199_254_740_991.0;
    number.abs() > LARGEST_SAFE
}

/// Most amounts have at most four places and fewer than 15 digits. A double holds such decimals
/// exactly enough that the digits of the scaled integer are the shortest form.
fn short_float(number: f64) -> Option<String> {
    const SCALE: f64 = 10_000.0;
    const SAFE: f64 = 1e15;
    let scaled = (number * SCALE).round();
    #[allow(clippy::float_cmp, reason = "exact equality is intended")]
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
pub(in crate::order) fn count<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, Code> {
    let text = json_number(value, Code::CountInvalid)?;
    let point = text
        .bytes()
        .position(|byte| byte == b'.')
        .unwrap_or(text.len());
    if !is_positive(&text)
        || text[point..]
            .bytes()
            .any(|byte| !matches!(byte, b'.' | b'0'))
    {
        return Err(Code::CountInvalid);
    }
    Ok(if point == text.len() {
        text
    } else {
        Cow::Owned(text[..point].to_owned())
    })
}

/// A quantity as a JSON number above 0.
pub(in crate::order) fn quantity<'v>(value: &'v Value<'_>) -> Result<Cow<'v, str>, Code> {
    let text = json_number(value, Code::QuantityInvalid)?;
    if is_positive(&text) {
        Ok(text)
    } else {
        Err(Code::QuantityInvalid)
    }
}

fn is_positive(plain: &str) -> bool {
    !plain.starts_with('-') && plain.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A number in JSON form: without the `+` and the leading zeros that amounts (sent as text) may have.
fn json_number<'v>(value: &'v Value<'_>, code: Code) -> Result<Cow<'v, str>, Code> {
    let (plain, _) = plain(value).map_err(|problem| match problem {
        Code::WrongType | Code::InvalidUnicode | Code::NumberInexact => problem,
        _ => code,
    })?;
    if matches!(plain.as_bytes(), [b'1'..=b'9', ..]) {
        return Ok(plain);
    }
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
    Ok(Cow::Owned(format!("{sign}{zero}{trimmed}")))
}

/// The number of a custom key: shortest form, not rounded.
pub(in crate::order) fn custom_number(number: f64) -> Result<String, Code> {
    if !number.is_finite() {
        return Err(Code::AmountNotFinite);
    }
    if is_inexact(number) {
        return Err(Code::NumberInexact);
    }
    let text = number.to_string();
    Ok(if text == "-0" { "0".to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: impl Into<Value<'static>>) -> Result<String, Code> {
        plain(&value.into()).map(|(text, _)| text.into_owned())
    }

    fn sent_decimal(text: &'static str) -> Result<String, Code> {
        plain(&Value::Decimal(text.into())).map(|(text, _)| text.into_owned())
    }

    #[test]
    fn text_keeps_its_digits() {
        let thirty = "123456789012345678901234567.890";
        for text in ["25.67", "1.50", "0", "-0.000000001", "007.50", thirty] {
            assert_eq!(sent(text), Ok(text.to_owned()));
        }
        for (given, plain) in [
            ("+5", "5"),
            ("+1.50", "1.50"),
            ("-0", "0"),
            ("-0.00", "0.00"),
        ] {
            assert_eq!(sent(given), Ok(plain.to_owned()));
            assert_eq!(sent_decimal(given), Ok(plain.to_owned()));
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
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1e15, "1000000000000000"),
            (99.999_96, "100"),
            (123_456_789_012.345_6, "123456789012.3456"),
        ];
        for (number, text) in cases {
            assert_eq!(sent(number), Ok(text.to_owned()), "{number}");
        }
        assert_eq!(sent(f64::NAN), Err(Code::AmountNotFinite));
        assert_eq!(sent(1e300), Err(Code::AmountTooLong));
        assert_eq!(sent(9_007_199_254_740_992.0), Err(Code::NumberInexact));
        assert_eq!(sent(-1e21), Err(Code::NumberInexact));
    }

    #[test]
    fn decimals_are_written_without_exponents() {
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
    fn amounts_differ_from_one_cent_on() {
        let of = |text| Units::read(text).expect("an amount");
        let parts = [of("25.67"), of("4.99"), of("1.48")];
        assert!(!of("19.20").differs_by_a_cent(parts));
        assert!(!of("19.2099").differs_by_a_cent(parts));
        assert!(of("19.21").differs_by_a_cent(parts));
        assert!(of("999999999999999999999999999999").differs_by_a_cent(parts));
    }
}
