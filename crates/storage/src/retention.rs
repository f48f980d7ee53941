//! Deleting old segments: by age, by size, and below the log start.
//!
//! A segment goes in three steps: readers lose sight of it, its files get the suffix `.deleted`, and after
//! `file.delete.delay.ms` they are removed, so that who still reads them can finish. Only what is below the high watermark
//! goes, oldest first, and the log always keeps a segment to append to.

use std::path::PathBuf;
use std::sync::Arc;

use base::ids::Offset;
use base::time::{MonoTime, Now};

use crate::directory::{suffix, with_suffix};
use crate::disk::remove_if_there;
use crate::error::{Error, IoContext};
use crate::log::Log;
use crate::segment::{SEGMENT_FILES, Segment};

/// A renamed file that waits to be removed.
pub(crate) struct Deleted {
    due: MonoTime,
    path: PathBuf,
}

impl Log {
    /// Deletes segments by the retention rules; how many.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good.
    pub fn delete_old_segments(&mut self, now: Now) -> Result<usize, Error> {
        self.check_online()?;
        self.write_staged(now)?;
        let mut count = self.count_below_log_start();
        let policy = self.config.cleanup_policy;
        if policy.delete {
            // Each rule sees what the one before leaves; all take a run of the oldest.
            count = count.max(self.count_beyond_size(count)).max(self.count_beyond_age(now)?);
        }
        if count == 0 {
            return Ok(0);
        }
        self.delete_segments(count, now).map_err(|error| self.fail(error))?;
        Ok(count)
    }

    /// Moves the log start (DeleteRecords, or what the leader says); nothing happens if it is there already.
    ///
    /// # Errors
    /// The offset is above the high watermark.
    pub fn advance_log_start(&mut self, offset: Offset) -> Result<(), Error> {
        if offset > self.ends.high_watermark {
            return Err(Error::OutOfRange {
                path: self.home.dir().to_path_buf(),
                offset: offset.0,
                start: self.ends.log_start.0,
                end: self.ends.high_watermark.0,
            });
        }
        self.move_log_start(offset)
    }

    /// Removes files whose delay is over; when the next is due.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove_deleted_files(&mut self, now: Now) -> Result<Option<MonoTime>, Error> {
        let disk = self.home.disk();
        let due = self.deleted.iter().filter(|file| file.due <= now.mono);
        for file in due {
            remove_if_there(disk, &file.path).context("remove", &file.path)?;
        }
        self.deleted.retain(|file| file.due > now.mono);
        Ok(self.deleted.iter().map(|file| file.due).min())
    }

    /// Removes all files that wait for it.
    pub(crate) fn remove_deleted_files_now(&mut self) -> Result<(), Error> {
        let always = Now { mono: MonoTime(u64::MAX), ..Now::default() };
        self.remove_deleted_files(always).map(|_| ())
    }

    fn count_below_log_start(&self) -> usize {
        let segments = self.segments();
        let next_bases = segments.iter().skip(1).map(|next| next.base());
        next_bases
            .take_while(|base| *base <= self.ends.log_start && *base <= self.ends.high_watermark)
            .count()
    }

    fn count_beyond_size(&self, gone: usize) -> usize {
        if self.config.retention_bytes < 0 {
            return 0;
        }
        let segments = self.segments();
        let total: u64 = segments[gone..].iter().map(|segment| segment.size()).sum();
        let mut excess = total.saturating_sub(self.config.retention_bytes as u64);
        let mut count = gone;
        for (index, segment) in segments.iter().enumerate().skip(gone) {
            if segment.size() > excess || !self.may_go(&segments, index) {
                break;
            }
            excess -= segment.size();
            count = index + 1;
        }
        count
    }

    fn count_beyond_age(&self, now: Now) -> Result<usize, Error> {
        if self.config.retention_ms < 0 {
            return Ok(0);
        }
        let segments = self.segments();
        let mut count = 0;
        for (index, segment) in segments.iter().enumerate() {
            let age = now.wall.0.saturating_sub(self.largest_timestamp(segment)?);
            if age <= self.config.retention_ms || !self.may_go(&segments, index) {
                break;
            }
            count = index + 1;
        }
        Ok(count)
    }

    /// Whether everything in the segment is committed, and it is not the empty one that waits for records.
    fn may_go(&self, segments: &[Arc<Segment>], index: usize) -> bool {
        match segments.get(index + 1) {
            Some(next) => next.base() <= self.ends.high_watermark,
            None => self.ends.log_end <= self.ends.high_watermark && segments[index].size() > 0,
        }
    }

    /// The largest timestamp of a segment's records; of one without timestamps, when its file was last written.
    fn largest_timestamp(&self, segment: &Arc<Segment>) -> Result<i64, Error> {
        if !Arc::ptr_eq(segment, &self.active.segment) {
            return segment.largest_timestamp();
        }
        match self.active.max_timestamp.0 {
            known @ 0.. => Ok(known),
            _ => Ok(segment.modified()?.0),
        }
    }

    fn delete_segments(&mut self, count: usize, now: Now) -> Result<(), Error> {
        if count == self.segments().len() {
            self.roll_at(self.next_offset, now)?;
        }
        let segments = self.segments();
        let (gone, kept) = segments.split_at(count);
        self.publish_segments(kept.to_vec());
        self.move_log_start(kept[0].base())?;
        for segment in gone {
            self.retire(segment, now)?;
        }
        self.remove_snapshots_before(kept[0].base())
    }

    fn move_log_start(&mut self, offset: Offset) -> Result<(), Error> {
        if offset <= self.ends.log_start {
            return Ok(());
        }
        self.ends.log_start = offset;
        self.ends.local_log_start = self.ends.local_log_start.max(offset);
        self.producers.truncate_from_start(offset);
        self.epochs_changed |= self.reader.epochs().truncate_from_start(offset);
        self.publish();
        self.write_epochs()
    }

    /// Renames a segment's files; they are removed later.
    pub(crate) fn retire(&mut self, segment: &Segment, now: Now) -> Result<(), Error> {
        self.durability.closed.retain(|closed| closed.base() != segment.base());
        // A segment that a crash brings back must not follow what is appended after a cut.
        self.durability.names_changed = true;
        let due = now.mono.plus_ms(self.config.file_delete_delay_ms);
        for kind in SEGMENT_FILES {
            let path = self.home.path(kind, segment.base());
            let renamed = with_suffix(&path, suffix::DELETED);
            match self.home.disk().rename(&path, &renamed) {
                Ok(()) => self.deleted.push(Deleted { due, path: renamed }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).context("rename", &path),
            }
        }
        Ok(())
    }

    /// Removes the files of a segment that nobody ever read.
    pub(crate) fn remove_segment_files(&self, segment: &Segment) -> Result<(), Error> {
        segment.remove_files("")
    }
}
