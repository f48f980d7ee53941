//! What a log publishes to its readers: its ends, its segments and where its newest batches stand.
//!
//! The owner changes it in one short critical section after each write; readers copy out of it in one. A consumer at the
//! end of the log finds its position in `recent` and never touches an index or a header.

use std::collections::VecDeque;
use std::sync::Arc;

use base::ids::Offset;

use crate::config::LogConfig;
use crate::segment::Segment;

/// How many of the newest batches are remembered with their positions.
const RECENT_MAX: usize = 64;

/// The ends of a log, all taken at one moment. `log_start <= high_watermark <= log_end` and `last_stable <= high_watermark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that can be read.
    pub log_start: Offset,
    /// The first offset that is on this disk; greater than `log_start` when older segments are in a remote store.
    pub local_log_start: Offset,
    /// One past the last record.
    pub log_end: Offset,
    /// One past the last record that survives a loss of power here.
    pub durable_end: Offset,
    /// One past the last record that is committed: consumers read below it.
    pub high_watermark: Offset,
    /// One past the last record below which every transaction is decided.
    pub last_stable: Offset,
}

/// The published state. The last segment is the active one, and `active_size` the part of it that may be read.
pub(crate) struct View {
    pub(crate) ends: Ends,
    pub(crate) segments: Arc<[Arc<Segment>]>,
    pub(crate) active_size: u64,
    pub(crate) recent: Recent,
    /// What governs the log.
    pub(crate) config: Arc<LogConfig>,
    /// See [`crate::log::Log::recovery_point`].
    pub(crate) recovery_point: Offset,
    /// Everything below was compacted; `None` if the log never was.
    pub(crate) first_dirty: Option<Offset>,
}

/// The newest batches of the active segment, oldest first, without a gap to its end.
#[derive(Default)]
pub(crate) struct Recent(VecDeque<RecentBatch>);

#[derive(Clone, Copy)]
struct RecentBatch {
    base: Offset,
    next: Offset,
    position: u64,
}

impl Recent {
    pub(crate) fn push(&mut self, base: Offset, next: Offset, position: u64) {
        if self.0.len() == RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(RecentBatch { base, next, position });
    }

    /// Forgets all, after a roll or a truncation.
    pub(crate) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }

    /// Where the first batch that ends after `offset` starts and ends. `None` if it may be older than what is remembered.
    pub(crate) fn find(&self, offset: Offset, active_size: u64) -> Option<(u64, u64)> {
        if self.0.front().is_none_or(|oldest| offset < oldest.base) {
            return None;
        }
        let at = self.0.partition_point(|batch| batch.next <= offset);
        let batch = self.0.get(at)?;
        let end = self.0.get(at + 1).map_or(active_size, |next| next.position);
        Some((batch.position, end))
    }
}

impl View {
    /// The segment that holds `offset`, or the one before the gap that it is in.
    pub(crate) fn segment_of(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base() <= offset).saturating_sub(1)
    }

    /// How many bytes of the segment may be read.
    pub(crate) fn size_of(&self, index: usize) -> u64 {
        if index + 1 == self.segments.len() { self.active_size } else { self.segments[index].size() }
    }
}
