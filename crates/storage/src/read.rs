//! Reading a log from any thread.
//!
//! A read is a range of a segment's file: the bytes themselves are not touched. At the log's end the range follows from
//! the view alone; further back an index is searched and a few headers are read, and one read in [`SAMPLE`] compares the
//! checksum of its first batch, so that a file that rots is named long before a consumer stumbles over it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::ids::{LeaderEpoch, Offset};
use wire::piece::{FileRange, Piece};

use crate::directory::TopicPartition;
use crate::epochs::Epochs;
use crate::error::Error;
use crate::home::Home;
use crate::log::Checkpoint;
use crate::segment::Segment;
use crate::view::{Ends, View};

mod aborted;
mod time;

pub use self::time::TimestampOffset;
pub use crate::index::AbortedTransaction;

/// Of so many reads that go back behind the newest batches, one looks at a checksum.
const SAMPLE: u32 = 64;

/// The shared side of a log. Never holds up the thread that owns the log for longer than the copy of a few numbers.
pub struct LogReader {
    home: Mutex<Arc<Home>>,
    view: Mutex<View>,
    epochs: Mutex<Epochs>,
    /// Reads that went back behind the newest batches.
    far_reads: AtomicU32,
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct ReadAt {
    /// Whole batches from the one that contains the offset asked for; the last one may be cut. `None`: nothing to read.
    pub records: Option<Piece>,
    /// Nothing was returned because the first batch alone is larger than `max_bytes`.
    pub first_batch_incomplete: bool,
    /// The ends at the moment of the read.
    pub ends: Ends,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The offset is before the log's start or after its end.
    #[error("offset {offset} is outside of [{}, {}]", ends.log_start, ends.log_end)]
    OffsetOutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The ends at that moment.
        ends: Ends,
    },
    /// The disk failed, or a batch is damaged.
    #[error(transparent)]
    Storage(#[from] Error),
}

/// Where a read starts: what could be copied out of the view.
struct Start {
    ends: Ends,
    segments: Arc<[Arc<Segment>]>,
    index: usize,
    active_size: u64,
    /// Begin and end of the first batch, when the newest batches include it.
    first: Option<(u64, u64)>,
    /// Where the read must end in the active segment, when that is known.
    limit: Option<u64>,
    /// The first batch's checksum is to be compared.
    sampled: bool,
}

impl LogReader {
    pub(crate) fn new(home: Arc<Home>, view: View, epochs: Epochs) -> Arc<Self> {
        let (view, epochs) = (Mutex::new(view), Mutex::new(epochs));
        Arc::new(Self { home: Mutex::new(home), view, epochs, far_reads: AtomicU32::new(0) })
    }

    /// The log's directory.
    pub fn dir(&self) -> Arc<Path> {
        self.home().dir()
    }

    /// Gives the log's directory another name under its owner's hands, as when its topic is deleted: files are found there
    /// from now on, and those that are open stay open.
    ///
    /// # Errors
    /// The disk failed; the directory is where [`LogReader::dir`] says.
    pub fn rename_dir(&self, to: &Path) -> Result<(), Error> {
        self.home().rename(to)
    }

    /// All ends at one moment.
    pub fn ends(&self) -> Ends {
        self.view().ends
    }

    /// What its directory's checkpoints say of the log, which is called `topic_partition`.
    pub fn checkpoint(&self, topic_partition: TopicPartition) -> Checkpoint {
        let view = self.view();
        let log_start = view.ends.log_start;
        Checkpoint {
            topic_partition,
            recovery_point: view.recovery_point,
            log_start: (log_start > view.segments[0].base()).then_some(log_start),
            high_watermark: view.ends.high_watermark,
            first_dirty: view.first_dirty,
        }
    }

    /// Reads whole batches from the one that contains `from`, none of which reaches `up_to` (exclusive), at most
    /// `max_bytes`; with `min_one_batch` the first batch is returned even if it is larger. Only the last batch may be cut.
    ///
    /// # Errors
    /// The offset is outside of the log, or the disk failed.
    pub fn read(
        &self,
        from: Offset,
        up_to: Offset,
        max_bytes: usize,
        min_one_batch: bool,
    ) -> Result<ReadAt, ReadError> {
        let mut retried = false;
        loop {
            let start = self.start(from, up_to)?;
            match start.read(from, up_to.min(start.ends.log_end), max_bytes, min_one_batch) {
                Ok(found) => return Ok(found),
                // The segment was deleted after the view was copied: the next view does not have it.
                Err(error) if !retried && error.is_gone() => retried = true,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where `epoch` ended: the largest epoch not above it and the first offset after that epoch (KIP-101, KIP-279).
    /// `None` if the log cannot tell.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let log_end = self.ends().log_end;
        self.epochs().end_offset_for(epoch, log_end)
    }

    /// The newest epoch in the log.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs().latest()
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs().epoch_of(offset)
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        let view = self.view();
        (0..view.segments.len()).map(|index| view.size_of(index)).sum()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.view().segments.len()
    }

    /// About how many bytes lie between two offsets, without touching the disk; exact near the log's end.
    pub fn bytes_between(&self, from: Offset, up_to: Offset) -> u64 {
        self.view().bytes_between(from, up_to)
    }

    /// The log is in another directory from now on.
    pub(crate) fn move_home(&self, home: Arc<Home>) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = home;
    }

    fn home(&self) -> Arc<Home> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn epochs(&self) -> MutexGuard<'_, Epochs> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, from: Offset, up_to: Offset) -> Result<Start, ReadError> {
        let view = self.view();
        let ends = view.ends;
        if from < ends.log_start || from > ends.log_end {
            return Err(ReadError::OffsetOutOfRange { offset: from, ends });
        }
        let first = view.recent.find(from, view.active_size);
        let limit = if up_to >= ends.log_end {
            Some(view.active_size)
        } else {
            view.recent.find(up_to, view.active_size).map(|(position, _)| position)
        };
        Ok(Start {
            ends,
            segments: view.segments.clone(),
            index: view.segment_of(from),
            active_size: view.active_size,
            first,
            limit,
            sampled: first.is_none() && self.far_reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLE),
        })
    }
}

impl Start {
    fn read(&self, from: Offset, up_to: Offset, max_bytes: usize, min_one: bool) -> Result<ReadAt, Error> {
        let nothing = ReadAt { records: None, first_batch_incomplete: false, ends: self.ends };
        if from >= up_to {
            return Ok(nothing);
        }
        // What is asked for may have been compacted away to the end of a segment: the next one goes on.
        for index in self.index..self.segments.len() {
            let segment = &self.segments[index];
            let is_active = index + 1 == self.segments.len();
            let size = if is_active { self.active_size } else { segment.size() };
            let first = match self.first {
                Some(first) if is_active => first,
                _ => match segment.find(from, size)? {
                    Some(batch) => (batch.position, batch.end()),
                    None => continue,
                },
            };
            if self.sampled {
                segment.step(segment.scan(first.0, first.1)?.next_whole())?;
            }
            let end = self.end_in(index, size, up_to)?;
            return Ok(match range(first, end, max_bytes, min_one) {
                Range::Empty => nothing,
                Range::TooSmall => ReadAt { first_batch_incomplete: true, ..nothing },
                Range::Bytes(length) => {
                    let file = segment.opened()?;
                    let records = Piece::File(FileRange { file, position: first.0, length });
                    ReadAt { records: Some(records), ..nothing }
                }
            });
        }
        Ok(nothing)
    }

    /// Where batches that reach `up_to` start in this segment.
    fn end_in(&self, index: usize, size: u64, up_to: Offset) -> Result<u64, Error> {
        match self.segments.get(index + 1) {
            Some(next) if next.base() <= up_to => return Ok(size),
            None if self.limit.is_some() => return Ok(self.limit.unwrap_or(size)),
            _ => {}
        }
        Ok(self.segments[index].find(up_to, size)?.map_or(size, |batch| batch.position))
    }
}

enum Range {
    /// Nothing may be read yet.
    Empty,
    /// The first batch does not fit.
    TooSmall,
    Bytes(usize),
}

fn range(first: (u64, u64), end: u64, max_bytes: usize, min_one: bool) -> Range {
    let (position, first_end) = first;
    let Some(available) = end.checked_sub(position).filter(|available| *available > 0) else {
        return Range::Empty;
    };
    let available = usize::try_from(available).unwrap_or(usize::MAX);
    let first_size = usize::try_from(first_end - position).unwrap_or(usize::MAX);
    if max_bytes < first_size {
        return if min_one { Range::Bytes(first_size.min(available)) } else { Range::TooSmall };
    }
    Range::Bytes(available.min(max_bytes))
}

impl View {
    fn bytes_between(&self, from: Offset, up_to: Offset) -> u64 {
        if up_to <= from {
            return 0;
        }
        let (first, last) = (self.segment_of(from), self.segment_of(up_to));
        let between: u64 = (first..last).map(|index| self.size_of(index)).sum();
        (between + self.place_in(last, up_to)).saturating_sub(self.place_in(first, from))
    }

    /// About how many bytes of a segment come before `offset`.
    fn place_in(&self, index: usize, offset: Offset) -> u64 {
        let size = self.size_of(index);
        if offset >= self.ends.log_end {
            return size;
        }
        let next = self.segments.get(index + 1);
        if next.is_none()
            && let Some((position, _)) = self.recent.find(offset, self.active_size)
        {
            return position;
        }
        // Records of one segment are taken to be of one size.
        let base = self.segments[index].base();
        let end = next.map_or(self.ends.log_end, |next| next.base());
        let records = (end.0 - base.0).max(1) as u128;
        let part = (offset.0.saturating_sub(base.0)).max(0) as u128;
        (u128::from(size) * part / records) as u64
    }
}
