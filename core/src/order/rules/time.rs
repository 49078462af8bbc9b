//! The rule for times: reads any ISO 8601 or RFC 3339 form, and writes the form of the vendor's page
//! with the caller's offset.

use crate::order::problem::Code;
use jiff::civil::{Date, DateTime, ISOWeekDate, Weekday};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;

/// A time further ahead of the clock than this is suspicious.
const FIVE_MINUTES: SignedDuration = SignedDuration::from_mins(5);

/// RFC 3339 limits an offset to less than a day.
const A_DAY: i32 = 24 * 60 * 60;

/// A moment with the offset in which it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::order) struct Moment {
    at: Timestamp,
    offset: Offset,
}

impl Moment {
    /// The number of bytes of the written form.
    pub(in crate::order) const LENGTH: usize = 25;

    /// The moment with the offset of a time zone, or in UTC.
    pub(in crate::order) fn in_zone(at: Timestamp, zone: Option<&TimeZone>) -> Self {
        Self {
            at,
            offset: zone.map_or(Offset::UTC, |zone| zone.to_offset(at)),
        }
    }

    /// Unix seconds.
    pub(in crate::order) fn unix_seconds(self) -> i64 {
        self.at.as_second()
    }

    /// The warning that the moment deserves, if any.
    pub(in crate::order) fn suspicion(self, now: Timestamp) -> Option<Code> {
        if self.at.duration_since(now) > FIVE_MINUTES {
            Some(Code::TimeFuture)
        } else if self.offset.to_datetime(self.at).year() < 2000 {
            Some(Code::TimeBefore2000)
        } else {
            None
        }
    }

    /// The form of the vendor's page: `2018-01-01 01:23:40-08:00`.
    pub(in crate::order) fn write(self) -> [u8; Self::LENGTH] {
        // Time zones of the 19th century have offsets with seconds, which the form cannot express.
        let minutes = self.offset.seconds() / 60;
        let offset = Offset::from_seconds(minutes * 60).unwrap_or(Offset::UTC);
        let local = offset.to_datetime(self.at);
        let year = i32::from(local.year());
        let mut text = *b"YYYY-MM-DD hh:mm:ss+hh:mm";
        if minutes < 0 {
            text[19] = b'-';
        }
        for (at, number) in [
            (0, year / 100),
            (2, year % 100),
            (5, local.month().into()),
            (8, local.day().into()),
            (11, local.hour().into()),
            (14, local.minute().into()),
            (17, local.second().into()),
            (20, minutes.abs() / 60),
            (23, minutes.abs() % 60),
        ] {
            let number = u8::try_from(number).unwrap_or_default();
            text[at] = b'0' + number / 10;
            text[at + 1] = b'0' + number % 10;
        }
        text
    }
}

/// Reads the two usual forms, the vendor's and RFC 3339 without a fraction, much faster than the
/// parser, which reads everything else.
fn usual_form(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let number = |at: usize| {
        let (tens, ones) = (
            bytes[at].wrapping_sub(b'0'),
            bytes[at + 1].wrapping_sub(b'0'),
        );
        (tens < 10 && ones < 10).then(|| i16::from(tens * 10 + ones))
    };
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let z = bytes.len() == 20 && bytes[19] == b'Z';
    let numeric = bytes.len() == 25 && matches!(bytes[19], b'+' | b'-') && bytes[22] == b':';
    if !(z || numeric)
        || !separators
            .iter()
            .all(|(at, separator)| bytes[*at] == *separator)
        || !matches!(bytes[10], b'T' | b' ')
    {
        return None;
    }
    let seconds = if z {
        0
    } else {
        let (hours, minutes) = (number(20)?, number(23)?);
        let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
        if hours > 23 || minutes > 59 {
            return None;
        }
        if bytes[19] == b'-' { -seconds } else { seconds }
    };
    let small = |at: usize| number(at).and_then(|number| i8::try_from(number).ok());
    let year = number(0)? * 100 + number(2)?;
    let (month, day) = (small(5)?, small(8)?);
    let (hour, minute, second) = (small(11)?, small(14)?, small(17)?);
    let local = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let offset = Offset::from_seconds(seconds).ok()?;
    let at = offset.to_timestamp(local).ok()?;
    (year > 0).then_some(Moment { at, offset })
}

/// Reads a time. One without an offset is read in `zone`, if given.
pub(in crate::order) fn parse(text: &str, zone: Option<&TimeZone>) -> Result<Moment, Code> {
    if let Some(moment) = usual_form(text) {
        return Ok(moment);
    }
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        return unix(seconds);
    }
    let form = calendar_form(text).unwrap_or_else(|| without_inner_blank(text));
    let pieces = Pieces::parse(form.as_ref()).map_err(|_| parse_problem(&form))?;
    let time = pieces.time().ok_or(Code::TimeFormat)?;
    let local = DateTime::from_parts(pieces.date(), time);
    if !(1..=9999).contains(&local.year()) {
        return Err(Code::TimeImpossible);
    }
    let moment = match pieces.to_numeric_offset() {
        Some(offset) if offset.seconds().abs() >= A_DAY => return Err(Code::TimeImpossible),
        Some(offset) => (offset.to_timestamp(local), offset),
        None => in_named_zone(&pieces, local, zone)?,
    };
    let at = moment.0.map_err(|_| Code::TimeImpossible)?;
    Ok(Moment {
        at: whole_second(at),
        offset: moment.1,
    })
}

type Resolved = (Result<Timestamp, jiff::Error>, Offset);

/// Resolves a local time in the time zone it names, or else in the client's. In a gap it moves
/// forward, in a fold it is the earlier one (RFC 5545).
fn in_named_zone(
    pieces: &Pieces<'_>,
    local: DateTime,
    zone: Option<&TimeZone>,
) -> Result<Resolved, Code> {
    let own = pieces.to_time_zone().map_err(|_| Code::TimeFormat)?;
    let zone = own.as_ref().or(zone).ok_or(Code::TimeNoOffset)?;
    let at = zone
        .to_ambiguous_timestamp(local)
        .compatible()
        .map_err(|_| Code::TimeImpossible)?;
    Ok((Ok(at), zone.to_offset(at)))
}

fn whole_second(at: Timestamp) -> Timestamp {
    let whole = at.as_nanosecond().div_euclid(1_000_000_000);
    i64::try_from(whole)
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .unwrap_or(at)
}

/// Reads `@` and Unix seconds; a fraction is cut.
fn unix(text: &str) -> Result<Moment, Code> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(digits) || !all_digits(fraction) {
        return Err(Code::TimeFormat);
    }
    let seconds: i64 = whole.parse().map_err(|_| Code::TimeImpossible)?;
    // Rounds towards the past, as for every other time: `@-0.5` becomes `@-1`.
    let before = whole.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
    let at = Timestamp::from_second(seconds.saturating_sub(i64::from(before)));
    let at = at.map_err(|_| Code::TimeImpossible)?;
    let moment = Moment {
        at,
        offset: Offset::UTC,
    };
    if (1..=9999).contains(&Offset::UTC.to_datetime(at).year()) {
        Ok(moment)
    } else {
        Err(Code::TimeImpossible)
    }
}

/// Removes a blank before the offset (`2018-01-01 01:23:40 -08:00`), which the parser does not accept.
fn without_inner_blank(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((front, offset))
            if offset.starts_with(['+', '-', 'Z', 'z'])
                && front.ends_with(|c: char| c.is_ascii_digit()) =>
        {
            Cow::Owned(format!("{front}{offset}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Converts week dates (`2018-W01-1`) and ordinal dates (`2018-001`) of ISO 8601 to calendar dates.
fn calendar_form(text: &str) -> Option<Cow<'_, str>> {
    let (date, rest) = text.split_at(text.find(['T', 't', ' '])?);
    let compact: String = date.chars().filter(|c| *c != '-').collect();
    let year: i16 = compact.get(..4)?.parse().ok()?;
    let date = match compact.get(4..5)? {
        "W" | "w" => {
            let week = compact.get(5..7)?.parse().ok()?;
            let day = Weekday::from_monday_one_offset(compact.get(7..8)?.parse().ok()?).ok()?;
            (compact.len() == 8)
                .then(|| ISOWeekDate::new(year, week, day).ok())??
                .date()
        }
        _ if compact.len() == 7 => {
            let first = Date::new(year, 1, 1).ok()?;
            let ordinal: i16 = compact.get(4..)?.parse().ok()?;
            (1..=first.days_in_year())
                .contains(&ordinal)
                .then(|| first.checked_add(jiff::Span::new().days(ordinal - 1)).ok())??
        }
        _ => return None,
    };
    Some(Cow::Owned(format!("{date}{}", without_inner_blank(rest))))
}

/// The problem of a text that did not parse: an impossible date, or not a time at all.
fn parse_problem(text: &str) -> Code {
    let text = text.split_once('[').map_or(text, |(time, _)| time);
    let looks_right = text
        .split_once(['T', 't', ' '])
        .is_some_and(|(date, time)| {
            let (time, offset) =
                time.split_at(time.find(['Z', 'z', '+', '-']).unwrap_or(time.len()));
            let (time, fraction) = time.split_once(['.', ',']).unwrap_or((time, "0"));
            is_date(date) && is_clock(time) && has_digits(fraction, 1..=9) && is_offset(offset)
        });
    if looks_right {
        Code::TimeImpossible
    } else {
        Code::TimeFormat
    }
}

/// `2018-02-30`, `20180230`, or an ordinal or week date.
fn is_date(text: &str) -> bool {
    let dashes = text.len() - text.replace('-', "").len();
    let compact = text.replace(['-', 'W'], "");
    match (text.len() - dashes, dashes) {
        (8, 2 | 0) => has_digits(&compact, 7..=8),
        (7, 1 | 0) => has_digits(&compact, 7..=7),
        _ => false,
    }
}

/// `25:00:00`, `250000`, `25:00`.
fn is_clock(text: &str) -> bool {
    let colons = text.len() - text.replace(':', "").len();
    let compact = text.replace(':', "");
    has_digits(&compact, 2..=6)
        && compact.len().is_multiple_of(2)
        && (colons == 0 || colons == compact.len() / 2 - 1)
}

fn is_offset(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    matches!(text, "" | "Z" | "z") || (text.len() - digits.len() == 1 && is_clock(digits))
}

fn has_digits(text: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str) -> Result<String, Code> {
        sent_in(text, None)
    }

    fn sent_in(text: &str, zone: Option<&str>) -> Result<String, Code> {
        let zone = zone.map(|name| TimeZone::get(name).expect("zone"));
        parse(text, zone.as_ref())
            .map(|moment| String::from_utf8(moment.write().to_vec()).expect("ASCII"))
    }

    #[test]
    fn all_forms_are_read_and_one_is_sent() {
        for (text, wire) in [
            ("2018-01-01 01:23:40-08:00", "2018-01-01 01:23:40-08:00"),
            ("2018-01-01T01:23:40Z", "2018-01-01 01:23:40+00:00"),
            ("2018-01-01t01:23:40z", "2018-01-01 01:23:40+00:00"),
            ("2018-01-01T01:23:40-0800", "2018-01-01 01:23:40-08:00"),
            ("2018-01-01T01:23:40-08", "2018-01-01 01:23:40-08:00"),
            ("2018-01-01 01:23:40 +05:45", "2018-01-01 01:23:40+05:45"),
            ("2018-01-01 01:23:40 Z", "2018-01-01 01:23:40+00:00"),
            ("2018-01-01T01:23:40.999+14:00", "2018-01-01 01:23:40+14:00"),
            ("2018-01-01T01:23:40,5-00:00", "2018-01-01 01:23:40+00:00"),
            ("20180101T012340Z", "2018-01-01 01:23:40+00:00"),
            ("2018-01-01T01:23Z", "2018-01-01 01:23:00+00:00"),
            ("2016-12-31T23:59:60Z", "2016-12-31 23:59:59+00:00"),
            (
                "2024-07-01T10:00:00-04:00[America/New_York]",
                "2024-07-01 10:00:00-04:00",
            ),
            (
                "2024-07-01T10:00:00[America/New_York]",
                "2024-07-01 10:00:00-04:00",
            ),
            ("2018-W01-1T01:23:40Z", "2018-01-01 01:23:40+00:00"),
            ("2018-001T01:23:40Z", "2018-01-01 01:23:40+00:00"),
            ("@1514798620", "2018-01-01 09:23:40+00:00"),
            ("@1514798620.75", "2018-01-01 09:23:40+00:00"),
            ("@-1", "1969-12-31 23:59:59+00:00"),
            ("@-0.5", "1969-12-31 23:59:59+00:00"),
            (" 2018-01-01T01:23:40Z\n", "2018-01-01 01:23:40+00:00"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59+00:00"),
        ] {
            assert_eq!(sent(text), Ok(wire.to_owned()), "{text}");
        }
    }

    #[test]
    fn impossible_times_are_distinguished_from_other_text() {
        for text in [
            "2018-02-30T01:23:40Z",
            "2019-02-29 00:00:00+01:00",
            "2018-13-01T00:00:00Z",
            "2018-01-01T25:00:00Z",
            "2018-01-01T01:61:00Z",
            "2018-01-01T00:00:00+25:00",
            "@99999999999999",
        ] {
            assert_eq!(sent(text), Err(Code::TimeImpossible), "{text}");
        }
        for text in [
            "",
            "now",
            "2018-01-01",
            "yesterday at noon",
            "1514798620",
            "@",
            "@x",
            "2018-01-01 01:23:40 PST",
            "2018-1-1T1:23:40Z",
            "2018/01/01 01:23:40Z",
            "2018-01-01T01:23:40.Z",
            "2018-01-01T01:23:40Z+01:00",
            "01/02/2018 10:00",
        ] {
            assert_eq!(sent(text), Err(Code::TimeFormat), "{text}");
        }
        assert_eq!(sent("2018-01-01T01:23:40"), Err(Code::TimeNoOffset));
    }

    #[test]
    fn a_time_zone_supplies_the_offset_of_the_day() {
        let zone = Some("America/New_York");
        for (text, wire) in [
            ("2018-01-01 01:23:40", "2018-01-01 01:23:40-05:00"),
            ("2018-07-01 01:23:40", "2018-07-01 01:23:40-04:00"),
            ("2018-03-11 02:30:00", "2018-03-11 03:30:00-04:00"),
            ("2018-11-04 01:30:00", "2018-11-04 01:30:00-04:00"),
            ("2018-01-01T01:23:40Z", "2018-01-01 01:23:40+00:00"),
        ] {
            assert_eq!(sent_in(text, zone), Ok(wire.to_owned()), "{text}");
        }
    }
}
