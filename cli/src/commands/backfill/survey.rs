//! Reads the whole file once, before anything is sent: whether its rows are right, in which order
//! they are, and how many.

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

/// What is in a file.
pub struct Survey {
    pub rows: u64,
    pub refused: u64,
    pub warnings: u64,
    /// Rows that are older than one before them, and the line of the first.
    pub disorder: u64,
    first_disorder: u64,
    pub order: Order,
}

impl Survey {
    /// None if it was interrupted.
    pub fn of(
        arguments: &Arguments,
        client: &Client,
        interrupt: &Interrupt,
        progress: &Progress,
        mut on_refusal: impl FnMut(&Row<'_>, &Refusal) -> Result<(), Failure>,
    ) -> Result<Option<Self>, Failure> {
        let path = &arguments.file;
        let failed = |error| Failure::file(path, &error);
        let mut source = Source::open(path, &arguments.reading)?;
        arguments.settings.demand_site(&source)?;
        let mut sorter = arguments.sort.then(Sorter::default);
        let times = Times::default();
        let (call, mut newest) = (arguments.call(), i64::MIN);
        let mut survey = Self {
            rows: 0,
            refused: 0,
            warnings: 0,
            disorder: 0,
            first_disorder: 0,
            order: Order::OfFile,
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
                progress.at(source.position());
                if interrupt.came() {
                    return Ok(None);
                }
            }
        }
        if let Some(sorter) = sorter {
            survey.order = sorter.sorted().map_err(failed)?;
            survey.disorder = 0;
        }
        Ok(Some(survey))
    }

    fn compare(&mut self, newest: &mut i64, time: i64, line: u64) {
        if time < *newest {
            self.disorder += 1;
            if self.disorder == 1 {
                self.first_disorder = line;
            }
        }
        *newest = (*newest).max(time);
    }

    /// Oldest first, or nothing is sent.
    pub fn demand_order(&self, path: &Path) -> Result<(), Failure> {
        if self.disorder == 0 {
            return Ok(());
        }
        let (path, line, count) = (path.display(), self.first_disorder, self.disorder);
        let rows = if count == 1 { "row is" } else { "rows are" };
        let text = format!(
            "{path}:{line}: this row's order_time is before that of a row above it; {count} {rows} \
             out of order. Orders are sent oldest first: sort the file, or use --sort"
        );
        Err(Failure::new(Exit::Problems, text))
    }
}

/// Finds the time in a payload, where it stands in one form only: `2018-01-01 01:23:40-08:00`.
struct Times(Finder<'static>);

const KEY: &[u8] = br#""order_time":""#;

impl Default for Times {
    fn default() -> Self {
        Self(Finder::new(KEY))
    }
}

impl Times {
    /// In Unix seconds.
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
    fn the_payloads_form_of_a_time_is_read() {
        let times = Times::default();
        let at = |text: &str| times.of(format!(r#"{{"order_time":"{text}"}}"#).as_bytes());
        assert_eq!(at("1970-01-01 00:00:00+00:00"), 0);
        assert_eq!(at("2018-01-01 01:23:40-08:00"), 1_514_798_620);
        assert_eq!(at("2024-02-29 23:59:59+05:30"), 1_709_231_399);
        assert_eq!(times.of(b"{}"), i64::MIN);
    }
}
