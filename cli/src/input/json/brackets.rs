//! Which brackets ahead have an end, found in one pass. After a broken row every line may begin the next
//! one; without this, each would search the rest of the file for its end.

use super::LONGEST_ROW;
use std::collections::{BTreeMap, VecDeque};

/// The brackets from one place of the file on, as far as they have been looked at.
pub struct Brackets {
    /// What is before this offset is known.
    at: u64,
    /// The brackets without an end yet, the outermost first.
    open: VecDeque<u64>,
    /// Where the others end; [`NEVER`] for those that cannot.
    ends: BTreeMap<u64, u64>,
    is_in_text: bool,
    is_escaped: bool,
}

/// What is known of a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It ends before this offset.
    Ends(u64),
    /// It has no end, or none within the longest row.
    Broken,
    /// More of the file is needed.
    Open,
    /// It is not among those that were looked at.
    Unknown,
}

/// A line ends in the middle of a text, and no text goes over a line's end in JSON.
const NEVER: u64 = u64::MAX;

impl Brackets {
    /// Those within `bytes`, which begin at `offset` of the file, and not within a text.
    pub fn of(offset: u64, bytes: &[u8]) -> Self {
        let mut brackets = Self {
            at: offset,
            open: VecDeque::new(),
            ends: BTreeMap::new(),
            is_in_text: false,
            is_escaped: false,
        };
        brackets.go_on(bytes);
        brackets
    }

    /// Where the bytes begin that have not been looked at.
    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn go_on(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.see(*byte);
            self.at += 1;
        }
    }

    fn see(&mut self, byte: u8) {
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
            Some(end) if end - bracket <= LONGEST_ROW as u64 => Extent::Ends(*end),
            Some(_) => Extent::Broken,
            None if !self.is_open(bracket) => Extent::Unknown,
            None if self.at - bracket > LONGEST_ROW as u64 => Extent::Broken,
            None => Extent::Open,
        }
    }

    pub fn is_open(&self, bracket: u64) -> bool {
        self.open.binary_search(&bracket).is_ok()
    }

    /// Drops what is before this offset and no longer needed.
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
