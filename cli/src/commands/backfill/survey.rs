//! Reads the whole file once, before anything is sent: checks its rows, their order and their number.

use super::arguments::Arguments;
use super::check::{Refusal, check};
use super::progress::Progress;
use super::sort::{Entry, Order, Sorter};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Row, Source};
use crate::signals::Interrupt;
use katalys_core::Client;
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
            "{path}:{line}: the order_time of this row is earlier than that of a row above it; \
             {count} {rows} out of order. Orders are sent oldest first: sort the file, or use --sort"
        );
        Err(Failure::new(Exit::Problems, text))
    }
}
