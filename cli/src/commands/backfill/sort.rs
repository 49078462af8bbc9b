//! The order in which rows are sent. An external merge sort: it sorts the positions of the rows in
//! runs, writes the runs to temporary files, and merges them while they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

/// Maximum number of entries per run: 12 MB.
const RUN: usize = if cfg!(test) { 1_000 } else { 1 << 19 };
const ENTRY: usize = 24;

/// A row's time and position; rows with equal times keep the order of the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub time: i64,
    pub offset: u64,
    pub line: u64,
}

/// The order in which rows are sent.
pub enum Order {
    AsInFile,
    Sorted(Sorted),
}

/// Sorts any number of entries.
#[derive(Default)]
pub struct Sorter {
    run: Vec<Entry>,
    runs: Vec<File>,
}

impl Sorter {
    pub fn push(&mut self, entry: Entry) -> io::Result<()> {
        self.run.push(entry);
        if self.run.len() >= RUN {
            self.write_run()?;
        }
        Ok(())
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.run.sort_unstable();
        let mut out = BufWriter::new(temporary_file(self.runs.len())?);
        for Entry { time, offset, line } in self.run.drain(..) {
            out.write_all(&time.to_le_bytes())?;
            out.write_all(&offset.to_le_bytes())?;
            out.write_all(&line.to_le_bytes())?;
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    pub fn sorted(mut self) -> io::Result<Order> {
        self.run.sort_unstable();
        let mut merge = Merge::default();
        for file in self.runs {
            merge.add(Run::File(BufReader::new(file)))?;
        }
        merge.add(Run::Memory(self.run.into_iter()))?;
        Ok(Order::Sorted(Sorted(merge)))
    }
}

/// A file that no other process can open, and that is removed with this process.
fn temporary_file(number: usize) -> io::Result<File> {
    let name = format!("katalys-sort-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    #[cfg(unix)]
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Entries in order.
pub struct Sorted(Merge);

impl Sorted {
    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        self.0.next()
    }
}

enum Run {
    Memory(std::vec::IntoIter<Entry>),
    File(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        let Self::File(file) = self else {
            let Self::Memory(entries) = self else {
                return Ok(None);
            };
            return Ok(entries.next());
        };
        let mut bytes = [0; ENTRY];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            word
        };
        Ok(Some(Entry {
            time: i64::from_le_bytes(word(0)),
            offset: u64::from_le_bytes(word(8)),
            line: u64::from_le_bytes(word(16)),
        }))
    }
}

#[derive(Default)]
struct Merge {
    runs: Vec<Run>,
    /// The first entry of each run.
    heads: BinaryHeap<Reverse<(Entry, usize)>>,
}

impl Merge {
    fn add(&mut self, run: Run) -> io::Result<()> {
        self.runs.push(run);
        self.advance(self.runs.len() - 1)
    }

    fn advance(&mut self, run: usize) -> io::Result<()> {
        if let Some(entry) = self.runs[run].next()? {
            self.heads.push(Reverse((entry, run)));
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Entry>> {
        let Some(Reverse((entry, run))) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(run)?;
        Ok(Some(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runs_are_merged_in_order() {
        let mut sorter = Sorter::default();
        let count = (RUN * 2 + 7) as u64;
        for offset in 0..count {
            let time = i64::try_from(offset * 7_919 % 1_009).unwrap();
            let line = offset + 1;
            sorter.push(Entry { time, offset, line }).unwrap();
        }
        let Ok(Order::Sorted(mut merged)) = sorter.sorted() else {
            panic!("sorted");
        };
        let (mut last, mut seen) = (None, 0);
        while let Some(entry) = merged.next().unwrap() {
            assert!(Some(entry) > last);
            last = Some(entry);
            seen += 1;
        }
        assert_eq!(seen, count);
    }
}
