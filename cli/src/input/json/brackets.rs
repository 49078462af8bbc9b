//! Finds the ends of brackets in one pass. After an unreadable row, every line may begin the next row;
//! without this, each attempt would search the rest of the file for its end.

use crate::input::window::MAX_ROW;
use std::collections::{BTreeMap, VecDeque};

/// The brackets of the file from one offset on, as far as they were scanned.
pub struct Brackets {
    /// The offset up to which the file was scanned.
    at: u64,
    /// The open brackets, the outermost first.
    open: VecDeque<u64>,
    /// Where the other brackets end; [`NEVER`] for those that cannot.
    ends: BTreeMap<u64, u64>,
    is_in_text: bool,
    is_escaped: bool,
}

/// The known extent of a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It ends before this offset.
    Ends(u64),
    /// The bracket is not closed, or not within the maximum length of a row.
    Broken,
    /// More of the file must be scanned.
    Open,
    /// It was not scanned.
    Unknown,
}

/// For brackets around a string with a line end, which JSON does not allow.
const NEVER: u64 = u64::MAX;

impl Brackets {
    /// Scans `bytes`, which begin at `offset` of the file, outside of a string.
    pub fn of(offset: u64, bytes: &[u8]) -> Self {
        let mut brackets = Self {
            at: offset,
            open: VecDeque::new(),
            ends: BTreeMap::new(),
            is_in_text: false,
            is_escaped: false,
        };
        brackets.resume(bytes);
        brackets
    }

    /// The offset up to which the file was scanned.
    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn resume(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.scan(*byte);
            self.at += 1;
        }
    }

    fn scan(&mut self, byte: u8) {
        match byte {
            b'\n' if self.is_in_text => {
                self.ends
                    .extend(self.open.drain(..).map(|start| (start, NEVER)));
                (self.is_in_text, self.is_escaped) = (false, false);
            }
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_in_text => self.is_escaped = true,
            b'"' => self.is_in_text = !self.is_in_text,
            _ if self.is_in_text => {}
            b'{' | b'[' => self.open.push_back(self.at),
            b'}' | b']' => {
                if let Some(start) = self.open.pop_back() {
                    self.ends.insert(start, self.at + 1);
                }
            }
            _ => {}
        }
    }

    pub fn extent(&self, bracket: u64) -> Extent {
        match self.ends.get(&bracket) {
            Some(end) if end - bracket <= MAX_ROW as u64 => Extent::Ends(*end),
            Some(_) => Extent::Broken,
            None if !self.is_open(bracket) => Extent::Unknown,
            None if self.at - bracket > MAX_ROW as u64 => Extent::Broken,
            None => Extent::Open,
        }
    }

    pub fn is_open(&self, bracket: u64) -> bool {
        self.open.binary_search(&bracket).is_ok()
    }

    /// Removes the brackets before an offset.
    pub fn forget_before(&mut self, offset: u64) {
        while self.open.front().is_some_and(|start| *start < offset) {
            self.open.pop_front();
        }
        while self
            .ends
            .first_key_value()
            .is_some_and(|(start, _)| *start < offset)
        {
            self.ends.pop_first();
        }
    }
}
