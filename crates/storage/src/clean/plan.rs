//! What of a log can be compacted, which log comes first, and which segments become one. Pure but for looks at indexes.
//!
//! ```text
//! log start           first dirty              first uncleanable          active
//!    |[clean][clean][clean]|[dirty][dirty][dirty]|[too young, or undecided]|[…
//!                          dirty ratio = dirty ÷ (clean + dirty)
//! ```

use std::ops::Range;
use std::sync::Arc;

use base::ids::Offset;
use base::time::WallTime;

use crate::error::Error;
use crate::read::LogReader;
use crate::segment::Segment;
use crate::view::Ends;

/// What of a compacted log can be compacted now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cleanable {
    /// Everything below was compacted.
    pub first_dirty: Offset,
    /// Begin of the first segment that may not be compacted yet.
    pub first_uncleanable: Offset,
    /// Bytes of segments that begin below `first_dirty`.
    pub clean_bytes: u64,
    /// Bytes of segments from there to `first_uncleanable`.
    pub cleanable_bytes: u64,
    /// By how much the oldest dirty record has exceeded `max.compaction.lag.ms`.
    pub delay_ms: i64,
    /// `min.cleanable.dirty.ratio`.
    pub min_ratio: f64,
    /// No compaction was ever written down for the log.
    pub is_first: bool,
}

impl Cleanable {
    /// The share of the bytes that is dirty.
    pub fn dirty_ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }

    /// Whether it is to be compacted now.
    pub fn is_due(&self) -> bool {
        (self.delay_ms > 0 && self.cleanable_bytes > 0) || self.dirty_ratio() > self.min_ratio
    }
}

/// The log to compact: of those that are due, the one with the greatest share of dirty bytes.
pub fn dirtiest<L>(logs: impl IntoIterator<Item = (L, Cleanable)>) -> Option<(L, Cleanable)> {
    let due = logs.into_iter().filter(|(_, cleanable)| cleanable.is_due());
    due.max_by(|(_, one), (_, other)| one.dirty_ratio().total_cmp(&other.dirty_ratio()))
}

impl LogReader {
    /// What of the log can be compacted; `None` if its `cleanup.policy` is without `compact`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn cleanable(&self, now: WallTime) -> Result<Option<Cleanable>, Error> {
        match self.try_cleanable(now) {
            // A segment was deleted after the look at the view.
            Err(error) if error.is_gone() => self.try_cleanable(now),
            other => other,
        }
    }

    /// The first offset that was not compacted; `None` if the log never was.
    pub fn first_dirty(&self) -> Option<Offset> {
        self.view().first_dirty
    }

    /// Whether its `cleanup.policy` has `compact`.
    pub fn is_compacted(&self) -> bool {
        self.view().config.cleanup_policy.compact
    }

    fn try_cleanable(&self, now: WallTime) -> Result<Option<Cleanable>, Error> {
        let (segments, ends, config, checkpoint) = {
            let view = self.view();
            if !view.config.cleanup_policy.compact {
                return Ok(None);
            }
            (view.segments.clone(), view.ends, view.config.clone(), view.first_dirty)
        };
        let first_dirty = first_dirty(checkpoint, ends);
        let (_, closed) = segments.split_last().expect("a log has an active segment");
        let dirty = &closed[segment_of(&segments, first_dirty).min(closed.len())..];
        let active_base = segments[closed.len()].base();
        let mut limit = ends.last_stable.min(active_base);
        if config.min_compaction_lag_ms > 0
            && let Some(young) = first_younger(dirty, now.0.saturating_sub(config.min_compaction_lag_ms))?
        {
            limit = limit.min(young);
        }
        let end = segment_of(&segments, limit.max(first_dirty));
        let begin = segment_of(&segments, first_dirty.min(segments[end].base()));
        let size = |range: &[Arc<Segment>]| range.iter().map(|segment| segment.size()).sum();
        let clean = closed.partition_point(|segment| segment.base() < first_dirty);
        let delay_ms = match config.max_compaction_lag_ms {
            i64::MAX => 0,
            lag => delay_ms(dirty, now.0.saturating_sub(lag.max(0)))?,
        };
        Ok(Some(Cleanable {
            first_dirty,
            first_uncleanable: segments[end].base(),
            clean_bytes: size(&segments[..clean]),
            cleanable_bytes: size(&segments[begin..end]),
            delay_ms,
            min_ratio: config.min_cleanable_dirty_ratio,
            is_first: checkpoint.is_none(),
        }))
    }
}

/// Where compaction goes on. What was written down may be of a log that was cut or began anew: then at the start.
pub(super) fn first_dirty(checkpoint: Option<Offset>, ends: Ends) -> Offset {
    checkpoint.filter(|at| (ends.log_start..=ends.log_end).contains(at)).unwrap_or(ends.log_start)
}

/// The segment that holds `offset`, or the one before the gap that it is in.
fn segment_of(segments: &[Arc<Segment>], offset: Offset) -> usize {
    segments.partition_point(|segment| segment.base() <= offset).saturating_sub(1)
}

/// The begin of the first segment with a record younger than `time`.
fn first_younger(dirty: &[Arc<Segment>], time: i64) -> Result<Option<Offset>, Error> {
    for segment in dirty {
        if segment.largest_timestamp()? > time {
            return Ok(Some(segment.base()));
        }
    }
    Ok(None)
}

/// By how much the oldest of the segments' first batches is older than `time`.
fn delay_ms(dirty: &[Arc<Segment>], time: i64) -> Result<i64, Error> {
    let mut oldest = i64::MAX;
    for segment in dirty {
        if let Some(first) = segment.first_batch()?.filter(|first| first.max_timestamp > 0) {
            oldest = oldest.min(first.max_timestamp);
        }
    }
    Ok(time.saturating_sub(oldest).max(0))
}

/// What counts of a segment when some are put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measures {
    pub(crate) base: Offset,
    pub(crate) bytes: u64,
    pub(crate) offset_index_bytes: usize,
    pub(crate) time_index_bytes: usize,
}

impl Measures {
    pub(crate) fn of(segment: &Segment) -> Result<Self, Error> {
        let (offset_index_bytes, time_index_bytes) = segment.indexes_bytes()?;
        Ok(Self { base: segment.base(), bytes: segment.size(), offset_index_bytes, time_index_bytes })
    }
}

/// Runs of neighbours that fit into one segment of `segment_bytes`, with indexes of `index_bytes`, and whose offsets
/// span what an index can tell apart. The last segment's offsets end below `end`.
pub(crate) fn groups(
    segments: &[Measures],
    segment_bytes: u64,
    index_bytes: usize,
    end: Offset,
) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut at = 0;
    while let Some(first) = segments.get(at) {
        let (mut bytes, mut offsets, mut times) =
            (first.bytes, first.offset_index_bytes, first.time_index_bytes);
        let mut next = at + 1;
        while let Some(candidate) = segments.get(next) {
            bytes += candidate.bytes;
            offsets += candidate.offset_index_bytes;
            times += candidate.time_index_bytes;
            let last_offset = segments.get(next + 1).map_or(end, |after| after.base).0 - 1;
            let spans = candidate.bytes == 0 || last_offset - first.base.0 <= i64::from(i32::MAX);
            if bytes > segment_bytes || offsets > index_bytes || times > index_bytes || !spans {
                break;
            }
            next += 1;
        }
        groups.push(at..next);
        at = next;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_put_together_while_they_fit() {
        let check = |segments: &[(i64, u64, usize, usize)], end: i64, expect: &[(usize, usize)]| {
            let measures: Vec<_> = segments
                .iter()
                .map(|&(base, bytes, offset_index_bytes, time_index_bytes)| Measures {
                    base: Offset(base),
                    bytes,
                    offset_index_bytes,
                    time_index_bytes,
                })
                .collect();
            let found: Vec<_> =
                groups(&measures, 100, 24, Offset(end)).iter().map(|it| (it.start, it.end)).collect();
            assert_eq!(found, expect, "{segments:?}");
        };
        let far = i64::from(i32::MAX);
        check(&[], 0, &[]);
        check(&[(0, 500, 0, 0)], 10, &[(0, 1)]);
        check(&[(0, 50, 8, 12), (10, 50, 8, 12), (20, 1, 8, 0)], 30, &[(0, 2), (2, 3)]);
        check(&[(0, 60, 0, 0), (10, 60, 0, 0), (20, 40, 0, 0)], 30, &[(0, 1), (1, 3)]);
        check(&[(0, 1, 16, 0), (10, 1, 16, 0)], 30, &[(0, 1), (1, 2)]);
        check(&[(0, 1, 0, 12), (10, 1, 0, 12), (20, 1, 0, 12)], 30, &[(0, 2), (2, 3)]);
        check(&[(0, 1, 0, 0), (10, 1, 0, 0)], far + 1, &[(0, 2)]);
        check(&[(0, 1, 0, 0), (10, 1, 0, 0)], far + 2, &[(0, 1), (1, 2)]);
        // An empty one spans nothing.
        check(&[(0, 1, 0, 0), (10, 0, 0, 0)], far + 2, &[(0, 2)]);
    }

    #[test]
    fn the_dirtiest_log_that_is_due_comes_first() {
        let log = |clean, dirty, delay_ms| Cleanable {
            first_dirty: Offset(0),
            first_uncleanable: Offset(1),
            clean_bytes: clean,
            cleanable_bytes: dirty,
            delay_ms,
            min_ratio: 0.5,
            is_first: false,
        };
        let check = |logs: &[Cleanable], expect: Option<usize>| {
            let picked = dirtiest(logs.iter().copied().enumerate()).map(|(index, _)| index);
            assert_eq!(picked, expect, "{logs:?}");
        };
        check(&[], None);
        check(&[log(0, 0, 0)], None);
        check(&[log(50, 50, 0)], None);
        check(&[log(50, 51, 0), log(10, 30, 0), log(20, 30, 0)], Some(1));
        check(&[log(99, 1, 1)], Some(0));
        check(&[log(99, 0, 1)], None);
        check(&[log(99, 1, 1), log(1, 2, 0)], Some(1));
    }
}
