//! Reading a log from any thread.

use base::ids::{LeaderEpoch, Offset};
use wire::piece::Piece;

use crate::error::Error;
use crate::view::Ends;

/// The shared side of a log. Never blocks the thread that owns the log for longer than a copy of a few numbers.
pub struct LogReader {
    _private: (),
}

/// What a read found.
#[derive(Clone, Debug)]
pub struct ReadAt {
    /// Whole batches from the one that contains the offset asked for; the last one may be cut. `None`: nothing to read yet.
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

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

impl LogReader {
    /// All ends at one moment.
    pub fn ends(&self) -> Ends {
        unreachable!()
    }

    /// Reads whole batches from the one that contains `from`, none of which reaches `up_to` (exclusive), at most
    /// `max_bytes`; with `min_one_batch` the first batch is returned even if it is larger.
    ///
    /// # Errors
    /// The offset is outside of the log, or the disk failed.
    pub fn read(
        &self,
        _from: Offset,
        _up_to: Offset,
        _max_bytes: usize,
        _min_one_batch: bool,
    ) -> Result<ReadAt, ReadError> {
        unreachable!()
    }

    /// The first record whose timestamp is at least `timestamp`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn offset_for_timestamp(&self, _timestamp: i64) -> Result<Option<TimestampOffset>, Error> {
        unreachable!()
    }

    /// The first record with the largest timestamp; `None` in an empty log.
    ///
    /// # Errors
    /// The disk failed.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, Error> {
        unreachable!()
    }

    /// Where `epoch` ended: the largest epoch not above it and the first offset after that epoch (KIP-101, KIP-279).
    /// `None` if the log knows nothing of it.
    pub fn end_offset_for_epoch(&self, _epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        unreachable!()
    }

    /// The newest epoch in the log.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        unreachable!()
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        unreachable!()
    }

    /// About how many bytes lie between two offsets, without touching the disk; exact near the log's end.
    pub fn bytes_between(&self, _from: Offset, _up_to: Offset) -> u64 {
        unreachable!()
    }
}
