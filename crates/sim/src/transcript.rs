//! What happened in a run, line by line, and one number that stands for all of it.

use std::fmt;

/// How many of the last lines are kept when a run is not traced.
const KEPT: usize = 400;

/// The lines of a run. The hash covers all of them, also those that are no longer kept.
#[derive(Clone, Debug)]
pub struct Transcript {
    lines: std::collections::VecDeque<String>,
    count: u64,
    hash: u64,
    /// Every line is kept, and printed as it comes.
    traced: bool,
}

impl Transcript {
    /// An empty one.
    pub fn new(traced: bool) -> Self {
        Self { lines: Default::default(), count: 0, hash: 0xcbf2_9ce4_8422_2325, traced }
    }

    /// Adds a line.
    pub fn line(&mut self, line: fmt::Arguments<'_>) {
        let line = line.to_string();
        for byte in line.bytes().chain([b'\n']) {
            // FNV-1a.
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.traced {
            println!("{:6} {line}", self.count);
        }
        self.count += 1;
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Stands for all lines: runs with the same hash were the same.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The last lines with their numbers.
    pub fn last(&self, most: usize) -> impl Iterator<Item = (u64, &str)> {
        let from = self.lines.len().saturating_sub(most);
        let first = self.count - (self.lines.len() - from) as u64;
        self.lines
            .iter()
            .skip(from)
            .enumerate()
            .map(move |(index, line)| (first + index as u64, line.as_str()))
    }
}
