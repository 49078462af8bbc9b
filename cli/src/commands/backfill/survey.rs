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
                    time = checked.order_time().unwrap_or(i64::MIN);
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
