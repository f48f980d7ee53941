//! Cutting a log's end, as a follower does where it differs from its leader.

use base::ids::Offset;
use base::time::Now;

use crate::epochs;
use crate::error::{Error, IoContext};
use crate::log::{Active, Log};
use crate::producers::Producers;
use crate::recover::{load_producers, resume};
use crate::segment::Segment;
use std::sync::Arc;

impl Log {
    /// Cuts the log so that it ends at `offset`, or where the batch that holds it begins; nothing happens if it ends
    /// before. What was staged and not written is forgotten. The caller writes the checkpoints before it appends: an older
    /// recovery point would vouch for what is written anew below it.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good.
    pub fn truncate_to(&mut self, offset: Offset, now: Now) -> Result<(), Error> {
        self.check_online()?;
        self.write_staged(now)?;
        if offset >= self.ends.log_end {
            return Ok(());
        }
        if offset < self.segments()[0].base() {
            return self.truncate_fully_and_start_at(offset, now);
        }
        self.try_truncate_to(offset, now).map_err(|error| self.fail(error))
    }

    /// Empties the log; it goes on at `offset`.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset, now: Now) -> Result<(), Error> {
        self.check_online()?;
        self.write_staged(now)?;
        self.try_start_at(offset, now).map_err(|error| self.fail(error))
    }

    fn try_truncate_to(&mut self, offset: Offset, now: Now) -> Result<(), Error> {
        let mut segments = self.segments().to_vec();
        let kept = segments.partition_point(|segment| segment.base() <= offset);
        let gone = segments.split_off(kept);
        let last = segments.last().expect("the first segment begins at or before the offset").clone();
        let cut = last.find(offset, last.size())?;
        let (position, end) = match cut {
            Some(batch) => (batch.position, offset.min(batch.base_offset)),
            None => (last.size(), offset),
        };
        // Readers lose sight of what goes before it goes.
        self.cut_ends(end);
        self.durability.on_cut(end);
        last.set_size(position);
        self.active = Active::new(last.clone(), now.wall);
        self.publish_segments(segments);
        // From the end, so that whatever a crash leaves is a log without a hole.
        for segment in gone.iter().rev() {
            self.retire(segment, now)?;
        }
        if !gone.is_empty() {
            // The cut below is durable at once; what came later must not be back behind it.
            self.sync_names()?;
        }
        last.truncate(position, end)?;
        self.active = resume(&last, now)?.0;
        self.remove_snapshots(|snapshot| snapshot > end)?;
        self.sync_names()?;
        self.producers = load_producers(
            &self.home,
            &self.config,
            &self.segments(),
            &self.snapshots,
            self.ends.log_start..end,
            &mut Vec::new(),
            now,
        )?;
        self.cut_epochs(|epochs| epochs.truncate_from_end(end))?;
        self.set_high_watermark(self.ends.high_watermark);
        Ok(())
    }

    fn try_start_at(&mut self, offset: Offset, now: Now) -> Result<(), Error> {
        for segment in self.segments().iter().rev() {
            self.retire(segment, now)?;
        }
        self.remove_snapshots(|_| true)?;
        self.durability.on_cut(Offset(i64::MIN));
        self.cut_epochs(|epochs| {
            epochs.clear();
            true
        })?;
        self.producers = Producers::starting_at(offset);
        let segment = Arc::new(Segment::create(self.home.clone(), offset)?);
        self.durability.names_changed = true;
        self.active = Active::new(segment.clone(), now.wall);
        self.cut_ends(offset);
        self.ends.log_start = offset;
        self.ends.local_log_start = offset;
        self.ends.durable_end = offset;
        self.ends.log_end = offset;
        self.ends.high_watermark = offset;
        self.next_offset = offset;
        self.recovery_point = offset;
        self.publish_segments(vec![segment]);
        self.sync_names()
    }

    /// What was removed must not come back after a crash and go on where the log then ends.
    fn sync_names(&self) -> Result<(), Error> {
        let dir = self.home.dir();
        self.home.disk().sync_dir(&dir).context("sync", &dir)
    }

    fn cut_ends(&mut self, end: Offset) {
        self.cleaning.cancel();
        self.first_dirty = self.first_dirty.map(|first| first.min(end));
        self.next_offset = end;
        self.recovery_point = self.recovery_point.min(end);
        self.ends.log_end = end;
        self.ends.durable_end = self.ends.durable_end.min(end);
        self.ends.high_watermark = self.ends.high_watermark.min(end);
        self.ends.log_start = self.ends.log_start.min(end);
        self.ends.local_log_start = self.ends.local_log_start.min(end);
    }

    fn cut_epochs(&mut self, cut: impl FnOnce(&mut epochs::Epochs) -> bool) -> Result<(), Error> {
        let changed = cut(&mut self.reader.epochs());
        self.epochs_changed |= changed;
        self.latest_epoch = self.reader.epochs().latest();
        self.write_epochs()
    }
}
