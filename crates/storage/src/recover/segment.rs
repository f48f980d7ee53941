//! Recovering one segment by reading all of it, taking one over from a process that crashed, and resuming one that was
//! closed well.

use std::sync::Arc;

use base::ids::Offset;
use base::time::Now;

use super::producers::apply;
use crate::config::LogConfig;
use crate::epochs::Epochs;
use crate::error::Error;
use crate::log::Active;
use crate::producers::Producers;
use crate::scan::{BatchAt, Step};
use crate::segment::Segment;

/// What the recovery of a segment did.
pub(super) struct Recovered {
    /// Bytes that it should have: what follows is damaged.
    pub(super) valid_bytes: u64,
    /// One past its last record.
    pub(super) end: Offset,
    pub(super) epochs_changed: bool,
}

/// Checks every batch of a segment and makes its indexes anew, up to the first that is damaged. Batches must end below
/// `limit`, where the next segment begins.
pub(super) fn recover_segment(
    config: &LogConfig,
    segment: &Arc<Segment>,
    limit: Option<Offset>,
    producers: &mut Producers,
    epochs: &mut Epochs,
    now: Now,
) -> Result<Recovered, Error> {
    segment.reset_indexes()?;
    let size = segment.size();
    if size == 0 {
        segment.flush_indexes()?;
        return Ok(Recovered { valid_bytes: 0, end: segment.base(), epochs_changed: false });
    }
    let mut active = Active::new(segment.clone(), now.wall);
    let mut scan = segment.scan(0, size)?;
    let mut next = segment.base();
    let mut epochs_changed = false;
    let mut valid_bytes = 0;
    let mut aborted = Vec::new();
    loop {
        let found = match scan.next_whole() {
            Ok(Step::End) => None,
            Ok(Step::Batch((at, bytes))) => match out_of_place(&at, next, segment.base(), limit) {
                Some(reason) => Some(Err(reason)),
                None => Some(apply(producers, bytes).map(|completed| (at, completed))),
            },
            Ok(Step::Bad(bad)) => Some(Err(bad.reason)),
            Err(error) => return Err(segment.read_failed(error)),
        };
        match found {
            None => break,
            Some(Ok((at, completed))) => {
                aborted.extend(completed.and_then(|completed| completed.aborted()));
                active.note(
                    at.max_timestamp,
                    at.last_offset,
                    at.position,
                    at.size as u64,
                    config.index_interval_bytes,
                )?;
                epochs_changed |= epochs.latest().is_none_or(|latest| at.leader_epoch > latest)
                    && epochs.assign(at.leader_epoch, at.base_offset);
                next = at.next_offset();
                valid_bytes = at.end();
            }
            Some(Err(reason)) => {
                tracing::warn!(
                    segment = %segment.path().display(), position = valid_bytes, bytes = size - valid_bytes, reason,
                    "the end of the segment is cut off"
                );
                break;
            }
        }
    }
    let (timestamp, offset) = active.max_timestamp;
    segment.index_time(timestamp, offset)?;
    segment.flush_indexes()?;
    segment.append_aborted(&aborted)?;
    Ok(Recovered { valid_bytes, end: next, epochs_changed })
}

/// Why a batch cannot stand where it does.
fn out_of_place(at: &BatchAt, next: Offset, base: Offset, limit: Option<Offset>) -> Option<String> {
    // Wrappers of formats 0 and 1 only have their last offset.
    if at.base_offset < next {
        return Some(format!("batch at offset {} after offset {}", at.base_offset, next.0 - 1));
    }
    if at.last_offset.0 - base.0 > i64::from(i32::MAX) {
        return Some(format!("batch at offset {} is too far from the segment's first", at.base_offset));
    }
    let limit = limit.filter(|limit| at.last_offset >= *limit)?;
    Some(format!("batch ends at offset {}, the next segment begins at {limit}", at.last_offset))
}

impl Active {
    /// What the indexes say of a segment that has batches.
    fn taking_up(segment: &Arc<Segment>, now: Now) -> Result<Self, Error> {
        let mut active = Self::new(segment.clone(), now.wall);
        if let Some(entry) = segment.last_time()? {
            active.max_timestamp = (entry.timestamp, entry.offset);
        }
        Ok(active)
    }

    /// Counts a batch that the indexes have, or that does not get an entry.
    fn pass(&mut self, at: &BatchAt) {
        if at.max_timestamp > self.max_timestamp.0 {
            self.max_timestamp = (at.max_timestamp, at.last_offset);
        }
        self.bytes_since_index_entry += at.size as u64;
    }
}

/// The state to append to a segment that is whole, and where it ends.
pub(crate) fn resume(segment: &Arc<Segment>, now: Now) -> Result<(Active, Offset), Error> {
    if segment.size() == 0 {
        return Ok((Active::new(segment.clone(), now.wall), segment.base()));
    }
    let mut active = Active::taking_up(segment, now)?;
    active.index_bytes = segment.index_bytes()?;
    active.first_timestamp = segment.first_batch()?.map(|first| first.max_timestamp);
    let mut end = segment.base();
    let mut scan = segment.scan_tail(segment.size())?;
    while let Some(batch) = segment.step(scan.next_header())? {
        active.pass(&batch);
        end = batch.next_offset();
    }
    Ok((active, end))
}

/// Brings the end of the last segment in order after a crash of the process alone: index entries that were only in its
/// memory are made again from the headers, and a batch of which only a part was written is cut off. False if something is
/// there that no interrupted write leaves: the segment must be read.
pub(super) fn take_over_tail(config: &LogConfig, segment: &Arc<Segment>, now: Now) -> Result<bool, Error> {
    let size = segment.size();
    if size == 0 {
        segment.empty_unseen_indexes()?;
        return Ok(true);
    }
    let mut active = Active::taking_up(segment, now)?;
    let indexed = segment.last_indexed()?;
    let mut scan = segment.scan(indexed.map_or(0, |entry| u64::from(entry.position)).min(size), size)?;
    let mut last: Option<BatchAt> = None;
    loop {
        let at = match scan.next_header().map_err(|source| segment.read_failed(source))? {
            Step::Batch(at) => at,
            Step::Bad(bad) if bad.is_torn => break,
            Step::Bad(_) => return Ok(false),
            Step::End => break,
        };
        let next = last.map_or(segment.base(), |last| last.next_offset());
        if out_of_place(&at, next, segment.base(), None).is_some() {
            return Ok(false);
        }
        match indexed {
            // Kafka's entry may stand for a few batches that were written together.
            Some(entry) if at.last_offset <= entry.offset => active.pass(&at),
            Some(_) if last.is_none() => return Ok(false),
            _ => active.note(
                at.max_timestamp,
                at.last_offset,
                at.position,
                at.size as u64,
                config.index_interval_bytes,
            )?,
        }
        last = Some(at);
    }
    if indexed.is_some() && last.is_none() {
        return Ok(false);
    }
    let (position, end) = last.map_or((0, segment.base()), |last| (last.end(), last.next_offset()));
    if let Some(last) = last
        && !matches!(segment.step(segment.scan(last.position, last.end())?.next_whole()), Ok(Some(_)))
    {
        return Ok(false);
    }
    if position < size {
        tracing::warn!(
            segment = %segment.path().display(), position, bytes = size - position,
            "the end of the segment was being written when the process ended, and is cut off"
        );
        segment.truncate(position, end)?;
    }
    Ok(true)
}
