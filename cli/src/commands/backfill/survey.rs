//! Reads the whole file once, before anything is sent: checks its rows, their order and their number.

use super::progress::Progress;
use super::sort::{Entry, Order, Sorter};
use super::{Arguments, Refusal, check};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Row, Source};
use crate::signals::Interrupt;
use katalys_core::Client;
use memchr::memmem::Finder;
use std::path::Path;

/// What a file contains.
pub struct Survey {
    pub rows: u64,
    pub refused: u64,
    pub warnings: u64,
    /// The number of rows that are older than a row above them, and the line of the first.
    pub out_of_order: u64,
    first_out_of_order: u64,
    pub order: Order,
}

impl Survey {
    /// `None` if it was interrupted.
    pub fn of(
        arguments: &Arguments,
        client: &Client,
        interrupt: &Interrupt,
        progress: &Progress,
        mut on_refusal: impl FnMut(&Row<'_>, &Refusal) -> Result<(), Failure>,
    ) -> Result<Option<Self>, Failure> {
        let path = &arguments.file;
        let failed = |error| Failure::file(path, &error);
        let mut source = Source::open(path, &arguments.input)?;
        arguments.settings.require_site(&source)?;
        let mut sorter = arguments.sort.then(Sorter::default);
        let times = TimeFinder::default();
        let (call, mut newest) = (arguments.call(), i64::MIN);
        let mut survey = Self {
            rows: 0,
            refused: 0,
            warnings: 0,
            out_of_order: 0,
            first_out_of_order: 0,
            order: Order::AsInFile,
        };
        while let Some(row) = source.next_row().map_err(failed)? {
            survey.rows += 1;
            let mut time = i64::MIN;
            match check(client, call, &row) {
                Ok(checked) => {
                    survey.warnings += checked.warnings.len() as u64;
                    time = times.of(&checked.payload);
                    survey.compare(&mut newest, time, row.line);
                }
                Err(refusal) => {
                    survey.refused += 1;
                    on_refusal(&row, &refusal)?;
                }
            }
            let (offset, line) = (row.offset, row.line);
            if let Some(sorter) = &mut sorter {
                sorter.push(Entry { time, offset, line }).map_err(failed)?;
            }
            if survey.rows.is_multiple_of(1024) {
                progress.set(source.position());
                if interrupt.is_set() {
                    return Ok(None);
                }
            }
        }
        if let Some(sorter) = sorter {
            survey.order = sorter.sorted().map_err(failed)?;
            survey.out_of_order = 0;
        }
        Ok(Some(survey))
    }

    fn compare(&mut self, newest: &mut i64, time: i64, line: u64) {
        if time < *newest {
            self.out_of_order += 1;
            if self.out_of_order == 1 {
                self.first_out_of_order = line;
            }
        }
        *newest = (*newest).max(time);
    }

    /// Fails unless the oldest row comes first.
    pub fn require_order(&self, path: &Path) -> Result<(), Failure> {
        if self.out_of_order == 0 {
            return Ok(());
        }
        let (path, line, count) = (path.display(), self.first_out_of_order, self.out_of_order);
        let rows = if count == 1 { "row is" } else { "rows are" };
        let text = format!(
            "{path}:{line}: this row's order_time is before that of a row above it; {count} {rows} \
             out of order. Orders are sent oldest first: sort the file, or use --sort"
        );
        Err(Failure::new(Exit::Problems, text))
    }
}

/// Finds the time in a payload, which has one format: `2018-01-01 01:23:40-08:00`.
struct TimeFinder(Finder<'static>);

const KEY: &[u8] = br#""order_time":""#;

impl Default for TimeFinder {
    fn default() -> Self {
        Self(Finder::new(KEY))
    }
}

impl TimeFinder {
    /// The time in Unix seconds; the minimum if there is none.
    fn of(&self, payload: &[u8]) -> i64 {
        let found = self.0.find(payload).map(|at| &payload[at + KEY.len()..]);
        found.and_then(seconds).unwrap_or(i64::MIN)
    }
}

fn seconds(text: &[u8]) -> Option<i64> {
    let text = text.get(..25)?;
    let number = |at: usize, digits: usize| {
        let digits = text[at..at + digits].iter();
        digits.fold(0, |sum, digit| {
            sum * 10 + i64::from(digit.wrapping_sub(b'0'))
        })
    };
    let days = days_from_civil(number(0, 4), number(5, 2), number(8, 2));
    let clock = number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2);
    let offset = number(20, 2) * 3600 + number(23, 2) * 60;
    let offset = if text[19] == b'-' { -offset } else { offset };
    Some(days * 86_400 + clock - offset)
}

/// Days since 1970-01-01, in the proleptic Gregorian calendar (Howard Hinnant's algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_payload_is_found() {
        let times = TimeFinder::default();
        let at = |text: &str| times.of(format!(r#"{{"order_time":"{text}"}}"#).as_bytes());
        assert_eq!(at("1970-01-01 00:00:00+00:00"), 0);
        assert_eq!(at("2018-01-01 01:23:40-08:00"), 1_514_798_620);
        assert_eq!(at("2024-02-29 23:59:59+05:30"), 1_709_231_399);
        assert_eq!(times.of(b"{}"), i64::MIN);
    }
}
