//! The owner's part in a compaction: giving out the job, taking its results. Renames and no sync.

use std::collections::HashMap;
use std::sync::Arc;

use base::time::Now;

use super::filter::LastRecord;
use super::job::CleanDone;
use super::output::CleanedSegment;
use super::plan::first_dirty;
use super::{CleanJob, Cleanable};
use crate::directory::suffix;
use crate::error::Error;
use crate::log::Log;
use crate::producers::ProducerEntry;

impl Log {
    /// A job that does what `plan` says, or as much of it as is synced; one given out before is over. `None` if there is
    /// nothing to do any more.
    pub fn clean_job(&mut self, plan: &Cleanable, now: Now) -> Option<CleanJob> {
        if self.offline || !self.config.cleanup_policy.compact {
            return None;
        }
        let segments = self.segments();
        let active = segments.len() - 1;
        // A result is durable when it replaces its sources, so that the recovery point may pass them: they must be, too.
        let unsynced = self.durability.closed.iter().map(|segment| segment.base()).min();
        let limit = plan.first_uncleanable.min(unsynced.unwrap_or(plan.first_uncleanable));
        let limit = limit.min(self.ends.last_stable);
        let end = segments[..active].iter().take_while(|segment| segment.base() < limit).count();
        // One that begins below the limit and goes on behind it is left out.
        let end = if segments[end].base() > limit { end.saturating_sub(1) } else { end };
        // The log may have been cut since the plan was made.
        let first_dirty = first_dirty(self.first_dirty, self.ends);
        let plan = Cleanable { first_dirty, first_uncleanable: segments[end].base(), ..*plan };
        if plan.first_uncleanable <= plan.first_dirty {
            return None;
        }
        // Written down before the first swap: from then on gaps between segments are no loss.
        self.first_dirty = Some(first_dirty);
        self.reader.view().first_dirty = self.first_dirty;
        let last_records: HashMap<_, _> =
            self.producers.entries().map(|(id, entry)| (id, last_record(entry))).collect();
        Some(CleanJob {
            home: self.home.clone(),
            config: self.config.clone(),
            segments,
            end,
            plan,
            last_records,
            cancelled: self.cleaning.begin(),
            now: now.wall,
        })
    }

    /// Puts a result in the place of the segments it was made from; false, and it is gone, if the log has changed.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good.
    pub fn swap(&mut self, cleaned: CleanedSegment, now: Now) -> Result<bool, Error> {
        self.check_online()?;
        let segments = self.segments();
        let first = segments.iter().position(|segment| Arc::ptr_eq(segment, &cleaned.sources[0]));
        let end = first.unwrap_or(0) + cleaned.sources.len();
        let same = first.is_some_and(|first| {
            end < segments.len()
                && segments[first..end]
                    .iter()
                    .zip(&cleaned.sources)
                    .all(|(one, other)| Arc::ptr_eq(one, other))
        });
        if !same || cleaned.cancelled.get() || !self.cleaning.is(&cleaned.cancelled) {
            return Ok(false);
        }
        let mut replaced = segments.to_vec();
        replaced.splice(end - cleaned.sources.len()..end, [cleaned.segment.clone()]);
        self.try_swap(cleaned, replaced, now).map_err(|error| self.fail(error))?;
        Ok(true)
    }

    /// Everything that a job set out to do was swapped.
    pub fn cleaned(&mut self, done: CleanDone) -> bool {
        if !self.cleaning.is(&done.cancelled) {
            return false;
        }
        self.first_dirty = Some(done.up_to);
        self.reader.view().first_dirty = self.first_dirty;
        true
    }

    fn try_swap(
        &mut self,
        mut cleaned: CleanedSegment,
        replaced: Vec<Arc<crate::segment::Segment>>,
        now: Now,
    ) -> Result<(), Error> {
        for source in &cleaned.sources {
            source.hold_open()?;
        }
        cleaned.is_swapped = true;
        cleaned.segment.rename_files(suffix::CLEANED, suffix::SWAP)?;
        // Oldest first: whatever a crash leaves of them follows what is in their place.
        for source in &cleaned.sources {
            self.retire(source, now)?;
        }
        cleaned.segment.rename_files(suffix::SWAP, "")?;
        self.durability.names_changed = true;
        self.reader.view().segments = replaced.into();
        let gone: Vec<_> = cleaned.sources[1..].iter().map(|source| source.base()).collect();
        let newest = self.snapshots.last().copied();
        self.remove_snapshots(|snapshot| gone.contains(&snapshot) && Some(snapshot) != newest)
    }
}

fn last_record(entry: &ProducerEntry) -> LastRecord {
    match entry.last_batch() {
        Some(batch) => LastRecord::Data(batch.last_offset),
        None => LastRecord::Marker(entry.epoch()),
    }
}
