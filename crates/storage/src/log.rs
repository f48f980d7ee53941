//! One partition's log: owned by one thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset, TopicId};
use base::time::{MonoTime, Now};
use bytes::Bytes;

use crate::append::{AppendRefusal, Appended, Origin};
use crate::config::LogConfig;
use crate::directory::TopicPartition;
use crate::disk::Disk;
use crate::error::Error;
use crate::read::LogReader;
use crate::sync::{SyncJob, Synced};

/// What is known of a log before it is opened, from the checkpoints of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The node stopped cleanly: indexes and snapshots are trusted, nothing is scanned.
    pub clean: bool,
    /// Everything below was synced.
    pub recovery_point: Offset,
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The high watermark last written down; clamped to what the log holds.
    pub high_watermark: Offset,
}

/// What a log is and where.
#[derive(Clone)]
pub struct LogSpec {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The partition's directory, such as `/data/orders-3`.
    pub dir: PathBuf,
    /// Its name.
    pub topic_partition: TopicPartition,
    /// Its topic's id; `None` takes what `partition.metadata` says.
    pub topic_id: Option<TopicId>,
    /// What governs it.
    pub config: Arc<LogConfig>,
}

/// The log of one partition.
pub struct Log {
    _private: (),
}

impl Log {
    /// Makes a log that was not there before.
    ///
    /// # Errors
    /// The disk failed, or the directory is there already.
    pub fn create(_spec: LogSpec, _now: Now) -> Result<Self, Error> {
        unreachable!()
    }

    /// Opens a log, repairing what a crash left.
    ///
    /// # Errors
    /// The disk failed, or the directory is another topic's.
    pub fn open(_spec: LogSpec, _recovery: Recovery, _now: Now) -> Result<Self, Error> {
        unreachable!()
    }

    /// Validates one batch of a client or coordinator, gives it its offsets and queues it for the next [`Self::write_staged`].
    ///
    /// # Errors
    /// The batch is not taken; nothing has changed.
    pub fn stage(
        &mut self,
        _now: Now,
        _leader_epoch: LeaderEpoch,
        _batch: Bytes,
        _origin: Origin,
    ) -> Result<Appended, AppendRefusal> {
        unreachable!()
    }

    /// The follower's door: batches whose offsets and epochs are set. Batches of an epoch above `leader_epoch` and all
    /// after them are left out. `None` if nothing was left.
    ///
    /// # Errors
    /// The batches do not fit; nothing has changed.
    pub fn stage_replicated(
        &mut self,
        _now: Now,
        _leader_epoch: LeaderEpoch,
        _batches: Bytes,
    ) -> Result<Option<Appended>, AppendRefusal> {
        unreachable!()
    }

    /// Writes everything staged with one system call, then publishes the new log end.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good, and what was staged is not acknowledged.
    pub fn write_staged(&mut self, _now: Now) -> Result<(), Error> {
        unreachable!()
    }

    /// The shared side.
    pub fn reader(&self) -> Arc<LogReader> {
        unreachable!()
    }

    /// The partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        unreachable!()
    }

    /// Its topic's id, if any is known.
    pub fn topic_id(&self) -> Option<TopicId> {
        unreachable!()
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        unreachable!()
    }

    /// Everything below was synced: what `recovery-point-offset-checkpoint` says of this log.
    pub fn recovery_point(&self) -> Offset {
        unreachable!()
    }

    /// Whether an earlier write or sync failed.
    pub fn is_offline(&self) -> bool {
        unreachable!()
    }

    /// What must be synced to make the log end durable; `None` if it is, or while a job is under way.
    pub fn sync_job(&mut self) -> Option<SyncJob> {
        unreachable!()
    }

    /// What must be synced of closed segments, as after a roll; the active segment is left alone.
    pub fn background_sync_job(&mut self) -> Option<SyncJob> {
        unreachable!()
    }

    /// Takes the end of a job: moves the durable end and the recovery point.
    ///
    /// # Errors
    /// The sync failed: the log is offline for good.
    pub fn synced(&mut self, _synced: Synced, _now: Now) -> Result<(), Error> {
        unreachable!()
    }

    /// Whether `flush.messages` or `flush.ms` asks for a sync now.
    pub fn flush_due(&self, _now: Now) -> bool {
        unreachable!()
    }

    /// When `flush.ms` asks for the next sync; `None` if it never does or everything is durable.
    pub fn next_flush_at(&self) -> Option<MonoTime> {
        unreachable!()
    }

    /// Moves the high watermark; clamped to the log.
    pub fn set_high_watermark(&mut self, _offset: Offset) {
        unreachable!()
    }

    /// Moves the log start (DeleteRecords, or a leader's log start). Nothing happens if it is there already.
    ///
    /// # Errors
    /// The offset is above the high watermark.
    pub fn advance_log_start(&mut self, _offset: Offset) -> Result<(), Error> {
        unreachable!()
    }

    /// Deletes segments by the retention rules; how many. Their files go after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn delete_old_segments(&mut self, _now: Now) -> Result<usize, Error> {
        unreachable!()
    }

    /// Removes files whose delay is over; when the next is due.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove_deleted_files(&mut self, _now: Now) -> Result<Option<MonoTime>, Error> {
        unreachable!()
    }

    /// Cuts the log so that it ends at `offset`; nothing happens if it ends before.
    ///
    /// # Errors
    /// The disk failed.
    pub fn truncate_to(&mut self, _offset: Offset, _now: Now) -> Result<(), Error> {
        unreachable!()
    }

    /// Empties the log; it goes on at `offset`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn truncate_fully_and_start_at(&mut self, _offset: Offset, _now: Now) -> Result<(), Error> {
        unreachable!()
    }

    /// Closes the active segment and begins a new one.
    ///
    /// # Errors
    /// The disk failed.
    pub fn roll(&mut self, _now: Now) -> Result<(), Error> {
        unreachable!()
    }

    /// Takes another configuration.
    pub fn update_config(&mut self, _config: Arc<LogConfig>) {
        unreachable!()
    }

    /// Writes the producer state at the log end.
    ///
    /// # Errors
    /// The disk failed.
    pub fn take_producer_snapshot(&mut self) -> Result<(), Error> {
        unreachable!()
    }

    /// Closes file handles that nobody used since the last call.
    pub fn release_idle(&mut self) {
        unreachable!()
    }

    /// Writes and syncs everything, indexes and the producer snapshot included, so that the directory may be marked as
    /// cleanly stopped.
    ///
    /// # Errors
    /// The disk failed: the directory must not be marked.
    pub fn close(self, _now: Now) -> Result<(), Error> {
        unreachable!()
    }
}
