//! Writing the segment that takes the place of a group.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use base::ids::Offset;
use base::time::WallTime;

use super::{Cancelled, CleanError};
use crate::directory::{FileKind, suffix, with_suffix};
use crate::disk::File;
use crate::error::{Error, IoContext};
use crate::home::Home;
use crate::index::AbortedTransaction;
use crate::log::Active;
use crate::segment::Segment;

/// A segment being written. Its files are removed when it is dropped.
pub(super) struct Output {
    home: Arc<Home>,
    file: Arc<dyn File>,
    active: Active,
    result: CleanedSegment,
    index_interval_bytes: u32,
    buffer: Vec<u8>,
    buffer_bytes: usize,
    /// Bytes with those that are still in the buffer.
    size: u64,
}

/// A segment that is complete.
pub struct UnsyncedSegment {
    home: Arc<Home>,
    file: Arc<dyn File>,
    result: CleanedSegment,
}

/// A segment that is complete and durable under a name of its own. [`crate::log::Log::swap`] puts it in the place of
/// those that it was made from; dropped before, it is gone.
pub struct CleanedSegment {
    pub(super) segment: Arc<Segment>,
    pub(super) sources: Vec<Arc<Segment>>,
    pub(super) cancelled: Cancelled,
    /// Its files have other names by now.
    pub(super) is_swapped: bool,
}

impl CleanedSegment {
    /// Where it begins.
    pub fn base(&self) -> Offset {
        self.segment.base()
    }

    /// Its bytes.
    pub fn bytes(&self) -> u64 {
        self.segment.size()
    }
}

impl Drop for CleanedSegment {
    fn drop(&mut self) {
        if !self.is_swapped
            && let Err(error) = self.segment.remove_files(suffix::CLEANED)
        {
            tracing::warn!(%error, "left over; the next start removes it");
        }
    }
}

impl Output {
    pub(super) fn create(
        home: &Arc<Home>,
        sources: Vec<Arc<Segment>>,
        cancelled: Cancelled,
        index_interval_bytes: u32,
        buffer_bytes: usize,
    ) -> Result<Self, Error> {
        let segment = Arc::new(Segment::create_cleaned(home.clone(), sources[0].base())?);
        Ok(Self {
            home: home.clone(),
            file: segment.opened()?,
            active: Active::new(segment.clone(), WallTime::default()),
            result: CleanedSegment { segment, sources, cancelled, is_swapped: false },
            index_interval_bytes,
            buffer: Vec::new(),
            buffer_bytes,
            size: 0,
        })
    }

    /// What is not written yet. A batch that is appended to it is to be [noted](Self::note) before the next.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Takes the batch of so many bytes with which the buffer ends.
    pub(super) fn note(&mut self, size: usize, max_timestamp: i64, last_offset: Offset) -> Result<(), Error> {
        let bytes = size as u64;
        self.active.note(max_timestamp, last_offset, self.size, bytes, self.index_interval_bytes)?;
        self.size += bytes;
        if self.buffer.len() >= self.buffer_bytes { self.flush() } else { Ok(()) }
    }

    /// Completes it.
    pub(super) fn finish(mut self, aborted: &[AbortedTransaction]) -> Result<UnsyncedSegment, Error> {
        self.flush()?;
        let segment = &self.active.segment;
        segment.set_size(self.size);
        let (timestamp, offset) = self.active.max_timestamp;
        segment.index_time(timestamp, offset)?;
        segment.flush_indexes()?;
        segment.write_cleaned_aborts(aborted)?;
        // What is judged by the time of writing must not grow younger.
        let youngest = self.result.sources.last().expect("a group has a segment").modified()?;
        self.file.set_modified(youngest).context("set the time of", &self.path())?;
        Ok(UnsyncedSegment { home: self.home, file: self.file, result: self.result })
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let position = self.size - self.buffer.len() as u64;
        self.file.write_at(&mut [IoSlice::new(&self.buffer)], position).context("write", &self.path())?;
        self.buffer.clear();
        Ok(())
    }

    fn path(&self) -> PathBuf {
        path(&self.home, self.result.base())
    }
}

impl UnsyncedSegment {
    /// Waits until it is durable. The job need not wait with its next one.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync(self) -> Result<CleanedSegment, CleanError> {
        self.file.sync_data().context("sync", &path(&self.home, self.result.base()))?;
        self.result.segment.sync_cleaned_indexes()?;
        let dir = self.home.dir();
        self.home.disk().sync_dir(&dir).context("sync", &dir)?;
        Ok(self.result)
    }
}

fn path(home: &Home, base: Offset) -> PathBuf {
    with_suffix(&home.path(FileKind::Log, base), suffix::CLEANED)
}
