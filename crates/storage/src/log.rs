//! One partition's log: owned by one thread, published to readers by [`LogReader`].
//!
//! ```text
//! log start        recovery point ≤ durable end    high watermark        log end      staged
//!    |.................|..............................|.....................|............|
//!    segments: [closed][closed] ......... [active, appended to]               in memory
//! ```
//! Staging decides and assigns offsets without I/O; [`Log::write_staged`] writes with one system call and publishes.
//! Invariants: what readers see was written; `durable_end` was synced; after the first failed write or sync nothing is
//! appended any more, because what the kernel dropped no second try brings back.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset, TopicId};
use base::time::{Now, WallTime};

use crate::append::Staged;
use crate::clean::Cleaning;
use crate::config::LogConfig;
use crate::directory::TopicPartition;
use crate::disk::Disk;
use crate::epochs::{self, Epochs};
use crate::error::Error;
use crate::home::Home;
use crate::producers::Producers;
use crate::read::LogReader;
use crate::retention::Deleted;
use crate::segment::Segment;
use crate::sync::Durability;
use crate::view::{Ends, View};

/// What is known of a log before it is opened, from the checkpoints of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The node stopped cleanly: indexes and snapshots are trusted, nothing is scanned.
    pub clean: bool,
    /// The machine went on since the log was opened last: only the process that had it crashed, or not even that. All that
    /// it wrote is there, in the order in which it was written; of the last write to each file, perhaps only a part.
    pub kept: bool,
    /// Everything below was synced.
    pub recovery_point: Offset,
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The high watermark last written down; clamped to what the log holds.
    pub high_watermark: Offset,
    /// Everything below was compacted; `None` if the log never was.
    pub first_dirty: Option<Offset>,
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
    pub(crate) home: Arc<Home>,
    pub(crate) topic_partition: TopicPartition,
    pub(crate) topic_id: Option<TopicId>,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) reader: Arc<LogReader>,
    pub(crate) producers: Producers,
    /// The ends as they are published.
    pub(crate) ends: Ends,
    /// The log end with what is staged.
    pub(crate) next_offset: Offset,
    pub(crate) recovery_point: Offset,
    /// The newest epoch, with what is staged.
    pub(crate) latest_epoch: Option<LeaderEpoch>,
    /// The epochs differ from their checkpoint.
    pub(crate) epochs_changed: bool,
    pub(crate) active: Active,
    pub(crate) staged: Staged,
    pub(crate) durability: Durability,
    /// Offsets of the producer snapshots on disk, oldest first.
    pub(crate) snapshots: Vec<Offset>,
    pub(crate) deleted: Vec<Deleted>,
    pub(crate) offline: bool,
    /// Everything below was compacted; `None` if the log never was.
    pub(crate) first_dirty: Option<Offset>,
    /// The compaction under way.
    pub(crate) cleaning: Cleaning,
}

/// What only the owner knows of the segment that is appended to.
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    pub(crate) bytes_since_index_entry: u64,
    /// The largest timestamp, and the last offset of the first batch that has it.
    pub(crate) max_timestamp: (i64, Offset),
    /// The timestamp of the first batch, from which the segment's age counts.
    pub(crate) first_timestamp: Option<i64>,
    /// From when the age counts as long as there is none.
    pub(crate) created: WallTime,
    /// Bytes of the larger index.
    pub(crate) index_bytes: usize,
    /// The segment's size when a producer snapshot was due last.
    pub(crate) snapshot_at: u64,
}

impl Active {
    pub(crate) fn new(segment: Arc<Segment>, created: WallTime) -> Self {
        let segment_size = segment.size();
        Self {
            segment,
            bytes_since_index_entry: 0,
            max_timestamp: (-1, Offset::NONE),
            first_timestamp: None,
            created,
            index_bytes: 0,
            snapshot_at: segment_size,
        }
    }
}

impl Recovery {
    /// A log that was not there before.
    pub const NEW: Self = Self {
        clean: true,
        kept: false,
        recovery_point: Offset::ZERO,
        log_start: Offset::ZERO,
        high_watermark: Offset::ZERO,
        first_dirty: None,
    };
}

impl Log {
    /// The shared side.
    pub fn reader(&self) -> Arc<LogReader> {
        self.reader.clone()
    }

    /// The partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// Its topic's id, if any is known.
    pub fn topic_id(&self) -> Option<TopicId> {
        self.topic_id
    }

    /// Its directory.
    pub fn dir(&self) -> Arc<Path> {
        self.home.dir()
    }

    /// What governs it.
    pub fn config(&self) -> &Arc<LogConfig> {
        &self.config
    }

    /// Takes another configuration.
    pub fn update_config(&mut self, config: Arc<LogConfig>) {
        self.reader.view().config = config.clone();
        self.config = config;
    }

    /// The ends that readers see.
    pub fn ends(&self) -> Ends {
        self.ends
    }

    /// The log end as it will be after the next [`Log::write_staged`].
    pub fn staged_end(&self) -> Offset {
        self.next_offset
    }

    /// What `recovery-point-offset-checkpoint` says of this log: after a crash, segments before the one that holds this
    /// offset are trusted with their indexes.
    pub fn recovery_point(&self) -> Offset {
        let closed = self.durability.closed.first().map_or(Offset(i64::MAX), |segment| segment.base());
        let point = self.recovery_point.min(closed);
        // The records of the active segment may be synced, its indexes are not: the point stays inside of it, so that
        // it is still the one to be recovered when the next one has begun.
        if point > self.active.segment.base() && !self.durability.is_closed {
            point.min(Offset(self.ends.log_end.0 - 1))
        } else {
            point
        }
    }

    /// Whether an earlier write or sync failed.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Its directory failed elsewhere: nothing is read or written any more, and its files are let go of.
    pub fn take_offline(&mut self) {
        self.offline = true;
        self.cleaning.cancel();
        self.segments().iter().for_each(|segment| segment.release());
    }

    /// The state of its producers.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// Forgets producers that have been idle for longer than `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Now) {
        self.producers.expire(now.wall.0, self.config.producer_id_expiration_ms);
    }

    /// Moves the high watermark; clamped to the log.
    pub fn set_high_watermark(&mut self, offset: Offset) {
        self.ends.high_watermark = offset.clamp(self.ends.log_start, self.ends.log_end);
        self.producers.on_high_watermark(self.ends.high_watermark);
        self.publish();
    }

    /// Closes file handles that nobody used since the last call, and gives back memory that only a busy log needs.
    pub fn release_idle(&mut self) {
        self.segments().iter().for_each(|segment| segment.release_idle());
        self.staged.shrink();
    }

    /// Writes and syncs everything, indexes and the producer snapshot included, so that the directory may be marked as
    /// cleanly stopped. The final ends, for the checkpoints.
    ///
    /// # Errors
    /// The disk failed: the directory must not be marked.
    pub fn close(mut self, now: Now) -> Result<Checkpoint, Error> {
        self.cleaning.cancel();
        // A part of what could not be written may be there.
        self.check_online()?;
        self.write_staged(now)?;
        self.finish_segment_indexes()?;
        self.take_producer_snapshot()?;
        if let Some(job) = self.closing_sync_job()? {
            self.synced(job.run(), now)?;
        }
        self.remove_deleted_files_now()?;
        self.durability.is_closed = true;
        self.publish();
        Ok(self.checkpoint())
    }

    /// What its directory's checkpoints say of this log.
    pub fn checkpoint(&self) -> Checkpoint {
        self.reader.checkpoint(self.topic_partition.clone())
    }

    /// Makes the present ends visible to readers.
    pub(crate) fn publish(&mut self) {
        self.ends.last_stable = self.producers.last_stable(self.ends.high_watermark);
        let mut view = self.reader.view();
        view.ends = self.ends;
        view.recovery_point = self.recovery_point();
    }

    /// Makes a changed list of segments visible, with nothing remembered of recent batches.
    pub(crate) fn publish_segments(&mut self, segments: Vec<Arc<Segment>>) {
        self.ends.last_stable = self.producers.last_stable(self.ends.high_watermark);
        let mut view = self.reader.view();
        view.ends = self.ends;
        view.active_size = self.active.segment.size();
        view.segments = segments.into();
        view.recovery_point = self.recovery_point();
        view.first_dirty = self.first_dirty;
        view.recent.clear();
    }

    pub(crate) fn segments(&self) -> Arc<[Arc<Segment>]> {
        self.reader.view().segments.clone()
    }

    /// Remembers that the disk failed.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.offline = true;
        error
    }

    pub(crate) fn check_online(&self) -> Result<(), Error> {
        if self.offline { Err(Error::Offline(self.home.dir().to_path_buf())) } else { Ok(()) }
    }

    /// Replaces the checkpoint of epochs if it is out of date.
    pub(crate) fn write_epochs(&mut self) -> Result<(), Error> {
        if self.epochs_changed {
            let epochs = self.reader.epochs().clone();
            epochs.write(self.home.disk(), &self.home.dir().join(epochs::FILE_NAME))?;
            self.epochs_changed = false;
        }
        Ok(())
    }
}

/// What the checkpoints of a log's directory say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Everything below was synced.
    pub recovery_point: Offset,
    /// The first offset that may be read, if it is not the first segment's.
    pub log_start: Option<Offset>,
    /// The high watermark.
    pub high_watermark: Offset,
    /// Everything below was compacted; `None` if the log never was.
    pub first_dirty: Option<Offset>,
}

/// The parts of a log that opening puts together.
pub(crate) struct Parts {
    pub(crate) spec: LogSpec,
    pub(crate) home: Arc<Home>,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) active: Active,
    pub(crate) ends: Ends,
    pub(crate) recovery_point: Offset,
    pub(crate) producers: Producers,
    pub(crate) epochs: Epochs,
    pub(crate) epochs_changed: bool,
    pub(crate) snapshots: Vec<Offset>,
    pub(crate) durability: Durability,
    pub(crate) first_dirty: Option<Offset>,
}

impl Parts {
    pub(crate) fn assemble(self) -> Log {
        let latest_epoch = self.epochs.latest();
        let view = View {
            ends: self.ends,
            active_size: self.active.segment.size(),
            segments: self.segments.into(),
            recent: Default::default(),
            config: self.spec.config.clone(),
            recovery_point: self.recovery_point,
            first_dirty: self.first_dirty,
        };
        let reader = LogReader::new(self.home.clone(), view, self.epochs);
        let mut log = Log {
            home: self.home,
            topic_partition: self.spec.topic_partition,
            topic_id: self.spec.topic_id,
            config: self.spec.config,
            reader,
            producers: self.producers,
            ends: self.ends,
            next_offset: self.ends.log_end,
            recovery_point: self.recovery_point,
            latest_epoch,
            epochs_changed: self.epochs_changed,
            active: self.active,
            staged: Staged::default(),
            durability: self.durability,
            snapshots: self.snapshots,
            deleted: Vec::new(),
            offline: false,
            first_dirty: self.first_dirty,
            cleaning: Cleaning::default(),
        };
        log.set_high_watermark(self.ends.high_watermark);
        log
    }
}
