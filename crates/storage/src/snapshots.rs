//! The producer snapshots of a log: written at each roll and stop, and now and then in a large segment, so that a restart
//! replays little; deleted with the segments they belong to.

use std::io::IoSlice;

use base::ids::Offset;

use crate::directory::FileKind;
use crate::disk::{OpenMode, remove_if_there};
use crate::error::{Error, IoContext};
use crate::log::Log;

/// Bytes of a segment after which its next snapshot is due: a start after a crash of the process walks over so many.
/// A snapshot knows but the newest batch of each producer, and what producers send again is older; so the last two are kept
/// and the older one counts.
const BYTES_BETWEEN: u64 = 16 << 20;

impl Log {
    /// Writes the producers' state at the log end, unless the newest snapshot is of there.
    ///
    /// # Errors
    /// The disk failed.
    pub fn take_producer_snapshot(&mut self) -> Result<(), Error> {
        self.take_producer_snapshot_at(self.next_offset)
    }

    /// Writes the producers' state at the log end when the active segment has grown enough since the last time.
    pub(crate) fn take_producer_snapshot_now_and_then(&mut self) -> Result<(), Error> {
        let size = self.active.segment.size();
        if size < self.active.snapshot_at + BYTES_BETWEEN {
            return Ok(());
        }
        self.active.snapshot_at = size;
        let (base, before) = (self.active.segment.base(), self.snapshots.last().copied());
        self.take_producer_snapshot_at(self.next_offset)?;
        self.remove_snapshots(|snapshot| snapshot > base && Some(snapshot) < before)
    }

    pub(crate) fn take_producer_snapshot_at(&mut self, end: Offset) -> Result<(), Error> {
        debug_assert!(self.producers.end() <= end);
        if self.snapshots.last() >= Some(&end) || (end == Offset::ZERO && self.producers.is_empty()) {
            return Ok(());
        }
        // Not synced here: a torn snapshot is seen by its checksum, and one more is replayed from.
        let path = self.home.path(FileKind::ProducerSnapshot, end);
        let file = self.home.disk().open(&path, OpenMode::Truncate).context("create", &path)?;
        file.write_at(&mut [IoSlice::new(&self.producers.to_snapshot())], 0).context("write", &path)?;
        self.producers.advance(end);
        self.snapshots.push(end);
        self.durability.snapshots.push(end);
        self.durability.names_changed = true;
        Ok(())
    }

    /// Removes snapshots below `start`, but never the newest.
    pub(crate) fn remove_snapshots_before(&mut self, start: Offset) -> Result<(), Error> {
        let newest = self.snapshots.last().copied();
        self.remove_snapshots(|snapshot| snapshot < start && Some(snapshot) != newest)
    }

    /// Removes the snapshots that `goes` names.
    pub(crate) fn remove_snapshots(&mut self, goes: impl Fn(Offset) -> bool) -> Result<(), Error> {
        for snapshot in self.snapshots.iter().filter(|snapshot| goes(**snapshot)) {
            let path = self.home.path(FileKind::ProducerSnapshot, *snapshot);
            remove_if_there(self.home.disk(), &path).context("remove", &path)?;
        }
        // A snapshot that a crash brings back would speak of batches that were cut off.
        self.durability.names_changed = true;
        self.snapshots.retain(|snapshot| !goes(*snapshot));
        self.durability.snapshots.retain(|snapshot| !goes(*snapshot));
        Ok(())
    }
}
