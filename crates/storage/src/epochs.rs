//! Where each leader epoch of a log begins (KIP-101, KIP-279): `leader-epoch-checkpoint`.
//!
//! ```text
//! epoch      3            5                 6
//! offset     0 ........   17 ............   42 ... log end
//! ```
//! Invariant: both epochs and offsets strictly increase.

use std::fmt::Write as _;
use std::path::Path;

use base::ids::{LeaderEpoch, Offset};

use crate::checkpoint::{head, read_lines};
use crate::disk::{Disk, replace_file};
use crate::error::{Error, IoContext};

/// The file's name in a partition's directory.
pub const FILE_NAME: &str = "leader-epoch-checkpoint";

/// The epochs of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    entries: Vec<EpochStart>,
}

/// The first offset that a leader of this epoch appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Its first offset.
    pub start: Offset,
}

impl Epochs {
    /// Reads the checkpoint; empty if there is none.
    ///
    /// # Errors
    /// The disk failed, or the file is damaged.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let mut epochs = Self::default();
        for entry in read_entries(disk, path)? {
            epochs.assign(entry.epoch, entry.start);
        }
        Ok(epochs)
    }

    /// Replaces the checkpoint.
    ///
    /// # Errors
    /// The disk failed; the old file is still there.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> Result<(), Error> {
        let mut text = head(self.entries.len());
        for entry in &self.entries {
            let _ = writeln!(text, "{} {}", entry.epoch, entry.start);
        }
        replace_file(disk, path, text.as_bytes()).context("write", path)
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// Notes that `epoch` has a record at `start`; whether that was news. Entries that it contradicts go, as happens
    /// after an unclean election.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if epoch.0 < 0 || start.0 < 0 {
            return false;
        }
        if let Some(last) = self.entries.last()
            && (last.epoch == epoch && start >= last.start)
        {
            return false;
        }
        let kept = self.entries.partition_point(|entry| entry.epoch < epoch && entry.start < start);
        self.entries.truncate(kept);
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// The largest epoch not above `epoch`, and the first offset after it; `log_end` ends the newest. `None` if the log
    /// cannot tell.
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if epoch == LeaderEpoch::NONE {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some((epoch, log_end));
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        // An epoch that the log has not seen yet: it cannot know where that ends.
        let end = self.entries.get(higher)?.start;
        // Older than everything here: its records, if there were any, ended where the first entry begins.
        let floor = if higher == 0 { epoch } else { self.entries[higher - 1].epoch };
        Some((floor, end))
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        epoch_of(&self.entries, offset)
    }

    /// Forgets what begins at `end` or later; whether anything did.
    pub fn truncate_from_end(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start < end);
        self.entries.len() != before
    }

    /// Forgets what ended before `start`; the epoch that goes on there begins there. Whether anything changed.
    pub fn truncate_from_start(&mut self, start: Offset) -> bool {
        let begun = self.entries.partition_point(|entry| entry.start <= start);
        if begun == 0 || (begun == 1 && self.entries[0].start == start) {
            return false;
        }
        self.entries.drain(..begun - 1);
        self.entries[0].start = start;
        true
    }

    /// Puts the entries of `earlier` before the first of these; those that begin after it go.
    pub(crate) fn prepend(&mut self, mut earlier: Self) {
        if let Some(first) = self.entries.first() {
            earlier.truncate_from_end(first.start);
        }
        for entry in std::mem::take(&mut self.entries) {
            earlier.assign(entry.epoch, entry.start);
        }
        *self = earlier;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The entries of a checkpoint as they stand, contradictions included; none if there is no file.
pub(crate) fn read_entries(disk: &dyn Disk, path: &Path) -> Result<Vec<EpochStart>, Error> {
    let mut entries = Vec::new();
    read_lines(disk, path, |line| {
        let (epoch, start) = line.trim().split_once(' ')?;
        let (epoch, start) = (LeaderEpoch(epoch.parse().ok()?), Offset(start.parse().ok()?));
        entries.push(EpochStart { epoch, start });
        Some(())
    })?;
    Ok(entries)
}

/// The epoch of the record at `offset`, by entries that rise.
pub(crate) fn epoch_of(entries: &[EpochStart], offset: Offset) -> Option<LeaderEpoch> {
    let after = entries.partition_point(|entry| entry.start <= offset);
    after.checked_sub(1).map(|at| entries[at].epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::MemoryDisk;
    use crate::disk::read_file;

    fn epochs(entries: &[(i32, i64)]) -> Epochs {
        let mut epochs = Epochs::default();
        for &(epoch, start) in entries {
            epochs.assign(LeaderEpoch(epoch), Offset(start));
        }
        epochs
    }

    fn listed(epochs: &Epochs) -> Vec<(i32, i64)> {
        epochs.entries.iter().map(|entry| (entry.epoch.0, entry.start.0)).collect()
    }

    #[test]
    fn later_entries_that_are_contradicted_go() {
        let check = |assigned: &[(i32, i64)], expect: &[(i32, i64)]| {
            assert_eq!(listed(&epochs(assigned)), expect, "{assigned:?}");
        };
        check(&[(0, 0), (0, 5), (1, 7)], &[(0, 0), (1, 7)]);
        check(&[(0, 0), (2, 5), (1, 7)], &[(0, 0), (1, 7)]);
        check(&[(0, 0), (2, 5), (3, 5)], &[(0, 0), (3, 5)]);
        check(&[(1, 10), (2, 20), (2, 15)], &[(1, 10), (2, 15)]);
        check(&[(1, 10), (2, 20), (3, 0)], &[(3, 0)]);
        check(&[(-1, 0), (1, -1)], &[]);
    }

    #[test]
    fn the_end_of_an_epoch() {
        let check = |entries: &[(i32, i64)], asked: i32, expect: Option<(i32, i64)>| {
            let found = epochs(entries).end_offset_for(LeaderEpoch(asked), Offset(100));
            assert_eq!(found.map(|(epoch, end)| (epoch.0, end.0)), expect, "{entries:?} {asked}");
        };
        let some = [(2, 10), (4, 20), (7, 30)];
        check(&some, 7, Some((7, 100)));
        check(&some, 4, Some((4, 30)));
        check(&some, 5, Some((4, 30)));
        check(&some, 2, Some((2, 20)));
        check(&some, 1, Some((1, 10)));
        check(&some, 8, None);
        check(&some, -1, None);
        check(&[], 0, None);
    }

    #[test]
    fn both_ends_can_be_cut() {
        let check = |start: i64, end: i64, expect: &[(i32, i64)]| {
            let mut cut = epochs(&[(2, 10), (4, 20), (7, 30)]);
            cut.truncate_from_start(Offset(start));
            cut.truncate_from_end(Offset(end));
            assert_eq!(listed(&cut), expect, "{start} {end}");
        };
        check(0, 100, &[(2, 10), (4, 20), (7, 30)]);
        check(10, 30, &[(2, 10), (4, 20)]);
        check(15, 31, &[(2, 15), (4, 20), (7, 30)]);
        check(25, 100, &[(4, 25), (7, 30)]);
        check(90, 100, &[(7, 90)]);
        check(0, 5, &[]);
    }

    #[test]
    fn what_was_forgotten_at_the_begin_is_put_back() {
        let check = |earlier: &[(i32, i64)], expect: &[(i32, i64)]| {
            let mut known = epochs(&[(4, 20), (7, 30)]);
            known.prepend(epochs(earlier));
            assert_eq!(listed(&known), expect, "{earlier:?}");
        };
        check(&[], &[(4, 20), (7, 30)]);
        check(&[(2, 10)], &[(2, 10), (4, 20), (7, 30)]);
        check(&[(2, 10), (4, 15)], &[(2, 10), (4, 15), (7, 30)]);
        check(&[(2, 10), (3, 25)], &[(2, 10), (4, 20), (7, 30)]);
    }

    #[test]
    fn what_is_written_is_read() {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        let path = Path::new("/d").join(FILE_NAME);
        let written = epochs(&[(2, 10), (4, 20)]);
        written.write(&disk, &path).unwrap();
        assert_eq!(read_file(&disk, &path).unwrap().unwrap(), b"0\n2\n2 10\n4 20\n");
        assert_eq!(Epochs::read(&disk, &path).unwrap(), written);
        disk.set_content(&path, b"0\n1\n2 x\n");
        assert!(Epochs::read(&disk, &path).is_err());
    }
}
