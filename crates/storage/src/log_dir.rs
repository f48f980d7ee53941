//! One log directory: its lock, whose it is, what it holds and how it was left.
//!
//! ```text
//! open     take .lock ─► read meta.properties, the clean mark, the checkpoints
//! begin    remove the clean mark: from here on a crash is a crash
//! open_log for each partition found, on as many threads as one likes
//! opened   all are: if only the process crashes now, what it wrote is still there
//! run      now and then: write_checkpoints
//! stop     close every log ─► write_checkpoints ─► the clean mark, last
//! ```
//! Invariant: the mark is there only while no log may be written and all of them were closed with their snapshots.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{BrokerEpoch, Offset, PartitionIndex, TopicId};
use base::time::Now;

use crate::checkpoint::{self, Offsets};
use crate::clean_shutdown::{self, CleanShutdown};
use crate::config::LogConfig;
use crate::directory::{DirKind, METADATA_TOPIC, TopicPartition};
use crate::disk::{Disk, Lock, remove_dir_with_files};
use crate::error::{Error, IoContext};
use crate::incarnation;
use crate::log::{Checkpoint, Log, LogSpec, Recovery};
use crate::meta_properties::{self, MetaProperties};
use crate::partition_metadata;

/// Kafka's name for the file that is locked.
pub const LOCK_FILE: &str = ".lock";
/// Where Kafka's tiered storage keeps indexes; not a partition.
pub(crate) const REMOTE_INDEX_CACHE: &str = "remote-log-index-cache";

/// What a file system puts into its root.
pub(crate) const LOST_AND_FOUND: &str = "lost+found";

/// A log directory that this process holds.
pub struct LogDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    _lock: Box<dyn Lock>,
    meta: Option<MetaProperties>,
    clean: Option<CleanShutdown>,
    /// The machine went on since all logs were opened last.
    kept: bool,
    begun: bool,
    recovery_points: Offsets,
    log_starts: Offsets,
    high_watermarks: Offsets,
    first_dirty: Offsets,
}

/// A directory that may hold a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionDir {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub kind: DirKind,
    /// Whether it is a link, which may lead to another disk.
    pub is_link: bool,
}

impl LogDir {
    /// Takes the directory, making it if it is not there, and reads what is known of it. Nothing in it is changed.
    ///
    /// # Errors
    /// Another process holds it, or the disk failed.
    pub fn open(disk: Arc<dyn Disk>, path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        create_durably(&*disk, &path)?;
        let lock = match disk.lock(&path.join(LOCK_FILE)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(Error::Locked(path)),
            Err(error) => return Err(error).context("lock", &path.join(LOCK_FILE)),
        };
        let read = |name: &str| read_or_reset(&*disk, &path.join(name));
        Ok(Self {
            meta: MetaProperties::read(&*disk, &path)?,
            clean: clean_shutdown::read(&*disk, &path)?,
            kept: incarnation::goes_on(&*disk, &path)?,
            begun: false,
            recovery_points: read(checkpoint::RECOVERY_POINTS)?,
            log_starts: read(checkpoint::LOG_STARTS)?,
            high_watermarks: read(checkpoint::HIGH_WATERMARKS)?,
            first_dirty: read(checkpoint::FIRST_DIRTY)?,
            _lock: lock,
            disk,
            path,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its disk.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whose it is; `None` if it was never formatted.
    pub fn meta(&self) -> Option<&MetaProperties> {
        self.meta.as_ref()
    }

    /// How the last process that held it left it; `None` if that crashed.
    pub fn clean_shutdown(&self) -> Option<CleanShutdown> {
        self.clean
    }

    /// Whether nothing but the lock is in it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn is_empty(&self) -> Result<bool, Error> {
        let entries = self.disk.list(&self.path).context("list", &self.path)?;
        Ok(entries.iter().all(|entry| entry.name == LOCK_FILE || entry.name == LOST_AND_FOUND))
    }

    /// Makes it this node's.
    ///
    /// # Errors
    /// The disk failed.
    pub fn format(&mut self, meta: MetaProperties) -> Result<(), Error> {
        meta.write(&*self.disk, &self.path)?;
        self.meta = Some(meta);
        Ok(())
    }

    /// Removes the clean mark: logs may be opened and written from here on.
    ///
    /// # Errors
    /// The disk failed; no log may be opened.
    pub fn begin(&mut self) -> Result<(), Error> {
        if self.clean.is_some() {
            clean_shutdown::remove(&*self.disk, &self.path)?;
        }
        self.begun = true;
        Ok(())
    }

    /// All logs are open, and what a crash left of them is repaired: should this process crash, the next one finds what
    /// it wrote, as long as the machine goes on.
    ///
    /// # Errors
    /// The disk failed.
    pub fn opened(&self) -> Result<(), Error> {
        incarnation::write(&*self.disk, &self.path)
    }

    /// The partitions' directories, of every kind. The metadata log's is not among them.
    ///
    /// # Errors
    /// The disk failed, or there is a directory that is no partition's: then this is not a log directory.
    pub fn partitions(&self) -> Result<Vec<PartitionDir>, Error> {
        let mut found = Vec::new();
        for entry in self.disk.list(&self.path).context("list", &self.path)? {
            let is_known =
                [REMOTE_INDEX_CACHE, LOST_AND_FOUND, &metadata_dir_name()].contains(&entry.name.as_str());
            if !entry.is_dir || is_known {
                continue;
            }
            let path = self.path.join(&entry.name);
            match TopicPartition::parse_dir(&entry.name) {
                Some((topic_partition, kind)) => {
                    found.push(PartitionDir { topic_partition, path, kind, is_link: entry.is_link });
                }
                None => {
                    let reason =
                        "its name is not topic-partition; a log directory holds nothing but partitions: \
                                  move it elsewhere"
                            .into();
                    return Err(Error::Refused { path, reason });
                }
            }
        }
        Ok(found)
    }

    /// The topic's id that a partition's directory holds.
    ///
    /// # Errors
    /// The disk failed, or the file is damaged.
    pub fn topic_id(&self, partition: &PartitionDir) -> Result<Option<TopicId>, Error> {
        partition_metadata::read(&*self.disk, &partition.path.join(partition_metadata::FILE_NAME))
    }

    /// What the checkpoints say of a partition.
    pub fn recovery(&self, partition: &TopicPartition) -> Recovery {
        let of = |offsets: &Offsets| offsets.get(partition).copied().unwrap_or_default().max(Offset::ZERO);
        Recovery {
            clean: self.clean.is_some(),
            kept: self.kept,
            recovery_point: of(&self.recovery_points),
            log_start: of(&self.log_starts),
            high_watermark: of(&self.high_watermarks),
            first_dirty: self.first_dirty.get(partition).copied(),
        }
    }

    /// Opens the log of a partition that was found.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    ///
    /// # Panics
    /// Before [`LogDir::begin`].
    pub fn open_log(
        &self,
        partition: &PartitionDir,
        topic_id: Option<TopicId>,
        config: Arc<LogConfig>,
        now: Now,
    ) -> Result<Log, Error> {
        assert!(self.begun, "the clean mark goes before a log may be written");
        let spec = LogSpec {
            disk: self.disk.clone(),
            dir: partition.path.clone(),
            topic_partition: partition.topic_partition.clone(),
            topic_id,
            config,
        };
        let mut recovery = self.recovery(&partition.topic_partition);
        // Those of another disk, and those that no start opens, may not have been looked at since the machine went down.
        recovery.kept &= !partition.is_link && partition.kind == DirKind::Current;
        Log::open(spec, recovery, now)
    }

    /// Replaces the checkpoints by what all logs of the directory say now.
    ///
    /// # Errors
    /// The disk failed; each file is the old or the new one.
    pub fn write_checkpoints(&self, logs: &[Checkpoint]) -> Result<(), Error> {
        self.write_checkpoint(checkpoint::LOG_STARTS, logs, |log| log.log_start)?;
        self.write_checkpoint(checkpoint::RECOVERY_POINTS, logs, |log| Some(log.recovery_point))?;
        self.write_checkpoint(checkpoint::HIGH_WATERMARKS, logs, |log| Some(log.high_watermark))?;
        self.write_first_dirty(logs)
    }

    /// Replaces the checkpoint of compaction alone. A directory in which nothing was ever compacted has none.
    ///
    /// # Errors
    /// The disk failed; the file is the old or the new one.
    pub fn write_first_dirty(&self, logs: &[Checkpoint]) -> Result<(), Error> {
        if self.first_dirty.is_empty() && logs.iter().all(|log| log.first_dirty.is_none()) {
            return Ok(());
        }
        self.write_checkpoint(checkpoint::FIRST_DIRTY, logs, |log| log.first_dirty)
    }

    fn write_checkpoint(
        &self,
        name: &str,
        logs: &[Checkpoint],
        offset: fn(&Checkpoint) -> Option<Offset>,
    ) -> Result<(), Error> {
        let offsets =
            logs.iter().filter_map(|log| Some((log.topic_partition.clone(), offset(log)?))).collect();
        checkpoint::write_offsets(&*self.disk, &self.path.join(name), &offsets)
    }

    /// Marks the directory as cleanly left: `logs` are all of its logs, closed.
    ///
    /// # Errors
    /// The disk failed: the next start recovers.
    pub fn stop(self, logs: &[Checkpoint], broker_epoch: BrokerEpoch) -> Result<(), Error> {
        self.write_checkpoints(logs)?;
        clean_shutdown::write(&*self.disk, &self.path, broker_epoch)
    }

    /// Removes a partition's directory with its files.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove(&self, dir: &Path) -> Result<(), Error> {
        remove_dir_with_files(&*self.disk, dir)
    }
}

/// Makes the directory and those above it; none of their names is lost by a crash.
///
/// One that was formatted went through this before. Of any other nobody knows how far an earlier start came with it, so
/// that all names above it are synced, the old ones too.
fn create_durably(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let meta = path.join(meta_properties::FILE_NAME);
    match disk.metadata(&meta) {
        Ok(_) => return Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
        Err(error) => return Err(error).context("look for", &meta),
    }
    disk.create_dir_all(path).context("create", path)?;
    for parent in path.ancestors().skip(1) {
        // A relative path of one part is in the working directory.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match disk.sync_dir(parent) {
            // Where this node may not read, or where nothing is ever written, it made no directory.
            Err(error) if is_not_ours(&error) => break,
            result => result.context("sync", parent)?,
        }
    }
    Ok(())
}

fn is_not_ours(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | InvalidInput | ReadOnlyFilesystem)
}

/// A checkpoint that cannot be read is as good as none: logs are then recovered from their begin.
fn read_or_reset(disk: &dyn Disk, path: &Path) -> Result<Offsets, Error> {
    match checkpoint::read_offsets(disk, path) {
        Err(Error::Corrupt { reason, .. }) => {
            tracing::warn!(path = %path.display(), reason, "checkpoint is damaged and not used");
            Ok(Offsets::new())
        }
        other => other,
    }
}

fn metadata_dir_name() -> String {
    TopicPartition { topic: METADATA_TOPIC.into(), partition: PartitionIndex(0) }.dir_name()
}
