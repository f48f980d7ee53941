//! The files beside the metadata log's segments: the state file and the snapshots.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::time::WallTime;
use bytes::Bytes;
use quorum::snapshot::PART_SUFFIX;
use quorum::{Content, ControlRecord, LogBatches, Snapshot, SnapshotId, StateFile, state_file};
use storage::disk::{Disk, OpenMode, read_file, read_full, remove_if_there, replace_file};

use crate::error::Error;

/// The end of the name of a snapshot that Apache Kafka is about to remove.
const DELETED_SUFFIX: &str = ".checkpoint.deleted";

/// The first batch of a snapshot, with as many voters as a quorum ever has, is smaller.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// One snapshot on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SnapshotFile {
    pub(super) id: SnapshotId,
    pub(super) size: u64,
    /// The append time of the last record in it.
    pub(super) timestamp: WallTime,
}

/// The directory of the metadata log.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self { disk, dir }
    }

    /// Removes what an interrupted write or deletion of a snapshot left.
    pub(super) fn remove_leftovers(&self) -> Result<(), Error> {
        for entry in self.disk.list(&self.dir).map_err(|error| io_error("list", &self.dir, error))? {
            if entry.name.ends_with(PART_SUFFIX) || entry.name.ends_with(DELETED_SUFFIX) {
                self.remove(&entry.name)?;
            }
        }
        Ok(())
    }

    /// The snapshots there are, oldest first.
    pub(super) fn snapshots(&self) -> Result<Vec<SnapshotFile>, Error> {
        let mut files = Vec::new();
        for entry in self.disk.list(&self.dir).map_err(|error| io_error("list", &self.dir, error))? {
            let Some(id) = SnapshotId::parse(&entry.name) else { continue };
            let path = self.dir.join(&entry.name);
            let metadata = self.disk.metadata(&path).map_err(|error| io_error("look at", &path, error))?;
            let timestamp = self.timestamp(&path)?.unwrap_or(metadata.modified);
            files.push(SnapshotFile { id, size: metadata.length, timestamp });
        }
        files.sort_unstable_by_key(|file| file.id);
        Ok(files)
    }

    /// What the snapshot's header says of its last record; nothing when it cannot be read.
    fn timestamp(&self, path: &Path) -> Result<Option<WallTime>, Error> {
        let mut bytes = vec![0; HEADER_BYTES_MAX];
        let mut read = || read_full(&*self.disk.open(path, OpenMode::Read)?, &mut bytes, 0);
        let length = read().map_err(|error| io_error("read", path, error))?;
        bytes.truncate(length);
        let header = LogBatches::new(Bytes::from(bytes)).next().and_then(Result::ok);
        let records = match header.map(|batch| batch.content) {
            Some(Content::Control(records)) => records,
            _ => return Ok(None),
        };
        Ok(records.into_iter().find_map(|(_, record)| match record {
            ControlRecord::SnapshotHeader(header) => Some(WallTime(header.last_contained_log_timestamp)),
            _ => None,
        }))
    }

    pub(super) fn read_snapshot(&self, id: SnapshotId) -> Result<Snapshot, Error> {
        self.read_named(&id.file_name())
    }

    /// Reads a snapshot or, in the parent directory, `bootstrap.checkpoint`.
    fn read_named(&self, name: &str) -> Result<Snapshot, Error> {
        let path = self.dir.join(name);
        let bytes = read_file(&*self.disk, &path).map_err(|error| io_error("read", &path, error))?;
        let bytes = bytes.ok_or_else(|| io_error("read", &path, io::ErrorKind::NotFound.into()))?;
        Snapshot::read(Bytes::from(bytes)).map_err(|error| Error::Quorum { path, error })
    }

    /// Writes a snapshot so that a crash leaves it whole or not at all.
    pub(super) fn write_snapshot(&self, id: SnapshotId, content: &[u8]) -> Result<(), Error> {
        let part = self.dir.join(id.part_name());
        let path = self.dir.join(id.file_name());
        let write = || {
            let file = self.disk.open(&part, OpenMode::Truncate)?;
            file.write_at(&mut [IoSlice::new(content)], 0)?;
            file.sync_data()?;
            self.disk.rename(&part, &path)?;
            self.disk.sync_dir(&self.dir)
        };
        write().map_err(|error| io_error("write", &path, error))
    }

    pub(super) fn remove_snapshot(&self, id: SnapshotId) -> Result<(), Error> {
        self.remove(&id.file_name())
    }

    pub(super) fn read_state(&self) -> Result<Option<StateFile>, Error> {
        let path = self.dir.join(state_file::NAME);
        let bytes = read_file(&*self.disk, &path).map_err(|error| io_error("read", &path, error))?;
        let state = bytes.map(|bytes| StateFile::from_json(&bytes)).transpose();
        state.map_err(|error| Error::Quorum { path, error })
    }

    pub(super) fn write_state(&self, text: &str) -> Result<(), Error> {
        let path = self.dir.join(state_file::NAME);
        replace_file(&*self.disk, &path, text.as_bytes()).map_err(|error| io_error("write", &path, error))
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.dir.join(name);
        remove_if_there(&*self.disk, &path).map_err(|error| io_error("remove", &path, error))
    }
}

/// An answer of the operating system, with what was tried.
pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Storage(storage::Error::Io { action, path: path.to_owned(), source })
}
