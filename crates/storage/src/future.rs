//! Moving a log to another directory of its node while it is written (`AlterReplicaLogDirs`).
//!
//! ```text
//!  /a/orders-3                     written and read all the while
//!  /b/orders-3.<32 hex>-future     create_future ─► copy_from … copy_from ─┐ until little is missing
//!                                                                          ▼
//!  owner of /a/orders-3:  replace_by: the rest is copied ─► all is synced ─► /b/…-future → /b/orders-3 ─► /a/orders-3 → /a/…-delete
//! ```
//! Invariants: readers and producers notice nothing, for offsets, ends and the state of producers stay; a directory without
//! a suffix holds all that was ever acknowledged; a crash leaves the old one, both with the same content, or the new one.

use std::path::Path;

use base::ids::{LeaderEpoch, Offset};
use base::time::Now;
use bytes::Bytes;
use wire::batch::Batches;

use crate::error::Error;
use crate::log::{Log, LogSpec};
use crate::read::{LogReader, ReadError};

/// Every epoch: what is copied was taken by the log that it is copied from.
const ANY_EPOCH: LeaderEpoch = LeaderEpoch(i32::MAX);
/// How much is copied at a time by the owner of the log that is replaced.
const REST_BYTES: usize = 1 << 20;

/// Why a log could not be moved. It goes on where it is.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The log that is moved cannot be read.
    #[error("the replica that is moved: {0}")]
    Source(Error),
    /// The directory that it is moved to failed.
    #[error("the directory it is moved to: {0}")]
    Target(Error),
}

impl Log {
    /// Makes the log that is to replace the one of `source`; `spec.dir` ends in `-future`.
    ///
    /// # Errors
    /// The disk failed, or the directory is there already.
    pub fn create_future(spec: LogSpec, source: &LogReader, now: Now) -> Result<Self, Error> {
        let mut future = Self::create(spec, now)?;
        // What is compacted later is copied as it was: it is dirty here.
        future.first_dirty = source.first_dirty();
        Ok(future)
    }

    /// Appends what follows in `source`, at most `max_bytes` but always one batch if there is any; how many bytes.
    ///
    /// # Errors
    /// One of the two disks failed, or what was read cannot be appended.
    pub fn copy_from(&mut self, source: &LogReader, max_bytes: usize, now: Now) -> Result<usize, MoveError> {
        self.follow_cut(source, now)?;
        let ends = source.ends();
        let bytes = self.next_of(source, max_bytes)?;
        if let Some(bytes) = &bytes {
            let base = first_offset(bytes).unwrap_or(self.ends.log_end);
            if self.size_bytes() == 0 && base != self.ends.log_end {
                self.truncate_fully_and_start_at(base, now).map_err(MoveError::Target)?;
            }
            self.take_copy(bytes.clone(), source, now)?;
        }
        self.set_high_watermark(ends.high_watermark);
        let log_start = ends.log_start.min(self.ends.high_watermark);
        self.advance_log_start(log_start).map_err(MoveError::Target)?;
        Ok(bytes.map_or(0, |bytes| bytes.len()))
    }

    /// Puts `future` in the place of this log: what is still missing is copied, all of it is made durable, the directories
    /// get their names, that of this log becoming `set_aside`. The shared side stays the same one.
    ///
    /// # Errors
    /// It was not replaced, and goes on where it is. An error of [`MoveError::Source`] that comes of the last renaming is
    /// only told by the returned value, because then it was.
    pub fn replace_by(
        &mut self,
        mut future: Self,
        set_aside: &Path,
        now: Now,
    ) -> Result<Result<(), Error>, MoveError> {
        self.check_online().map_err(MoveError::Source)?;
        self.write_staged(now).map_err(MoveError::Source)?;
        let source = self.reader.clone();
        while future.ends.log_end < self.ends.log_end {
            if future.copy_from(&source, REST_BYTES, now)? == 0 {
                let reason = format!("nothing at offset {} before the log's end", future.ends.log_end);
                return Err(MoveError::Source(Error::corrupt(&self.home.dir(), 0, reason)));
            }
        }
        future.copy_from(&source, 0, now)?;
        future.take_state_of(self, now).map_err(MoveError::Target)?;
        let dir = future.home.dir().with_file_name(self.topic_partition.dir_name());
        future.home.rename(&dir).map_err(MoveError::Target)?;
        // From here on the new directory counts, also after a crash.
        let old = self.become_log(future);
        Ok(old.home.rename(set_aside))
    }

    fn size_bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.size()).sum()
    }

    /// The source may have been cut and written anew since it was copied.
    fn follow_cut(&mut self, source: &LogReader, now: Now) -> Result<(), MoveError> {
        let common = self.reader.latest_epoch().and_then(|epoch| source.end_offset_for_epoch(epoch));
        let end = common.map_or(self.ends.log_end, |(_, end)| end).min(source.ends().log_end);
        if end < self.ends.log_end {
            self.truncate_to(end, now).map_err(MoveError::Target)?;
        }
        Ok(())
    }

    /// The batches that follow in the source; `None` if there are none.
    fn next_of(&self, source: &LogReader, max_bytes: usize) -> Result<Option<Bytes>, MoveError> {
        let (from, ends) = (self.ends.log_end.max(source.ends().log_start), source.ends());
        if from >= ends.log_end || max_bytes == 0 {
            return Ok(None);
        }
        let read = source.read(from, ends.log_end, max_bytes, true).map_err(|error| match error {
            ReadError::Storage(error) => MoveError::Source(error),
            other => MoveError::Source(Error::corrupt(&source.dir(), 0, other.to_string())),
        })?;
        let Some(records) = read.records else { return Ok(None) };
        let failed = |error| Error::Io { action: "read", path: source.dir().to_path_buf(), source: error };
        records.to_bytes().map(Some).map_err(|error| MoveError::Source(failed(error)))
    }

    fn take_copy(&mut self, bytes: Bytes, source: &LogReader, now: Now) -> Result<(), MoveError> {
        if let Err(refusal) = self.stage_replicated(now, ANY_EPOCH, bytes) {
            return Err(match self.check_online() {
                Err(error) => MoveError::Target(error),
                Ok(()) => MoveError::Source(Error::corrupt(&source.dir(), 0, refusal.reason)),
            });
        }
        self.write_staged(now).map_err(MoveError::Target)
    }

    /// Takes over what the records alone do not tell, and makes everything durable.
    fn take_state_of(&mut self, source: &Self, now: Now) -> Result<(), Error> {
        debug_assert_eq!(self.ends.log_end, source.ends.log_end);
        self.config = source.config.clone();
        self.latest_epoch = source.latest_epoch;
        self.ends.log_start = source.ends.log_start;
        self.ends.local_log_start = source.ends.local_log_start;
        self.ends.high_watermark = source.ends.high_watermark;
        *self.reader.epochs() = source.reader.epochs().clone();
        self.epochs_changed = true;
        self.write_epochs()?;
        if let Some(job) = self.closing_sync_job()? {
            self.synced(job.run(), now)?;
        }
        Ok(())
    }

    /// Goes on as `future`, for the same readers; what this log was.
    fn become_log(&mut self, future: Self) -> Self {
        let segments = future.segments().to_vec();
        let reader = self.reader.clone();
        let mut old = std::mem::replace(self, future);
        std::mem::swap(&mut self.producers, &mut old.producers);
        reader.move_home(self.home.clone());
        self.reader = reader;
        self.publish_segments(segments);
        old
    }
}

fn first_offset(bytes: &[u8]) -> Option<Offset> {
    Batches::new(bytes).next()?.ok().map(|batch| batch.base_offset())
}
