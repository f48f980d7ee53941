//! Which operations of a memory disk fail.

use std::io;
use std::path::{Path, PathBuf};

/// The kinds of operations, for faults that hit only some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Open or create a file.
    Open,
    /// Read from one.
    Read,
    /// Write to one.
    Write,
    /// Make one's content durable.
    Sync,
    /// Cut or extend one.
    SetLen,
    /// Ask for length, time or kind.
    Metadata,
    /// Rename a file or directory.
    Rename,
    /// Remove one.
    Remove,
    /// List a directory.
    List,
    /// Create one.
    CreateDir,
    /// Make one's names durable.
    SyncDir,
}

/// A fault to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation with this number (from 0) fails once.
    Once {
        /// The number of the operation.
        at: u64,
        /// What the caller is told.
        error: io::ErrorKind,
    },
    /// It and all later ones fail.
    From {
        /// The number of the first operation that fails.
        at: u64,
        /// What the caller is told.
        error: io::ErrorKind,
    },
    /// Every operation of this kind fails.
    Every {
        /// The kind.
        operation: Operation,
        /// What the caller is told.
        error: io::ErrorKind,
    },
    /// The disk takes this many more bytes.
    Full {
        /// Bytes left.
        left: usize,
    },
}

#[derive(Clone, Default)]
pub(super) struct Faults {
    count: u64,
    planned: Option<Fault>,
    /// Only what lies below is hit.
    below: PathBuf,
}

/// How much of a write fits.
pub(super) struct Room {
    /// Bytes that do not fit.
    pub(super) missing: usize,
}

impl Faults {
    pub(super) fn plan(&mut self, fault: Fault, below: &Path) {
        self.planned = Some(fault);
        self.below = below.to_owned();
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn begin(&mut self, operation: Operation, path: &Path) -> io::Result<()> {
        let number = self.count;
        self.count += 1;
        match self.planned {
            _ if !path.starts_with(&self.below) => Ok(()),
            Some(Fault::Once { at, error }) if number == at => Err(error.into()),
            Some(Fault::From { at, error }) if number >= at => Err(error.into()),
            Some(Fault::Every { operation: hit, error }) if operation == hit => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// How much of a write of `length` bytes is done although it fails: different from one failure to the next, so that
    /// a scripted run meets none, some and all.
    pub(super) fn part_of_failed_write(&self, length: usize) -> usize {
        length * (self.count % 3) as usize / 2
    }

    /// Takes `growth` bytes from what is left.
    pub(super) fn room(&mut self, growth: usize, path: &Path) -> Room {
        match &mut self.planned {
            Some(Fault::Full { left }) if path.starts_with(&self.below) => {
                let missing = growth.saturating_sub(*left);
                *left -= growth - missing;
                Room { missing }
            }
            _ => Room { missing: 0 },
        }
    }
}
