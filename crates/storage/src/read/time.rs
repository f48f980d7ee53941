//! Finding records by their time, for ListOffsets.
//!
//! The time index narrows the search to a part of one segment; there batches whose largest timestamp is too small are
//! passed over by their headers, and the records of the first other one are walked.

use std::cell::RefCell;
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset};
use bytes::Bytes;
use wire::batch::{Batch, TimestampType};
use wire::compress::Decompressors;
use wire::record::{Reading, RecordCursor, RecordHead};

use super::LogReader;
use crate::disk::read_full;
use crate::error::Error;
use crate::scan::BatchAt;
use crate::segment::Segment;

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Its timestamp in ms.
    pub timestamp: i64,
    /// Its offset.
    pub offset: Offset,
    /// The leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

thread_local! {
    static DECOMPRESSORS: RefCell<Decompressors> = RefCell::default();
}

/// A part of the log as one look at the view gave it.
struct Part {
    segment: Arc<Segment>,
    size: u64,
}

impl LogReader {
    /// The first record whose timestamp is at least `timestamp`. The caller decides whether it is committed.
    ///
    /// # Errors
    /// The disk failed, or a batch is damaged.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<TimestampOffset>, Error> {
        self.search(|parts, log_start| {
            for part in parts {
                if let Some(found) = part.first_from(timestamp, log_start)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    /// The first record with the largest timestamp of the segments; `None` in a log without timestamps. As with Kafka it may
    /// lie before the log's start, until its segment is removed.
    ///
    /// # Errors
    /// The disk failed, or a batch is damaged.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampOffset>, Error> {
        self.search(|parts, _| {
            let mut largest: Option<(i64, &Part)> = None;
            for part in parts {
                let found = part.largest_timestamp()?;
                if found >= 0 && largest.is_none_or(|(timestamp, _)| found > timestamp) {
                    largest = Some((found, part));
                }
            }
            match largest {
                Some((timestamp, part)) => part.first_from(timestamp, Offset::ZERO),
                None => Ok(None),
            }
        })
    }

    fn search<T>(&self, run: impl Fn(&[Part], Offset) -> Result<T, Error>) -> Result<T, Error> {
        let mut retried = false;
        loop {
            let (parts, log_start) = {
                let view = self.view();
                let part = |(index, segment): (usize, &Arc<Segment>)| Part {
                    segment: segment.clone(),
                    size: view.size_of(index),
                };
                (view.segments.iter().enumerate().map(part).collect::<Vec<_>>(), view.ends.log_start)
            };
            match run(&parts, log_start) {
                // Deleted since the look at the view: the next look does not have it.
                Err(error) if !retried && error.is_gone() => retried = true,
                other => return other,
            }
        }
    }
}

impl Part {
    /// The first record from `log_start` on that is not older than `timestamp`.
    fn first_from(&self, timestamp: i64, log_start: Offset) -> Result<Option<TimestampOffset>, Error> {
        let Some(start) = self.start_of(timestamp, log_start)? else { return Ok(None) };
        let mut scan = self.segment.scan(start, self.size)?;
        while let Some(batch) = self.segment.step(scan.next_header())? {
            if batch.max_timestamp >= timestamp
                && batch.last_offset >= log_start
                && let Some(found) = self.first_in(&batch, timestamp, log_start)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where a search for `timestamp` starts; `None` if no record can be that young.
    fn start_of(&self, timestamp: i64, log_start: Offset) -> Result<Option<u64>, Error> {
        // The last entry that is older: everything up to its offset is.
        let Some(floor) = self.segment.time_floor(timestamp.saturating_sub(1))? else { return Ok(Some(0)) };
        let after = Offset(floor.offset.0.saturating_add(1)).max(log_start);
        Ok(self.segment.find(after, self.size)?.map(|batch| batch.position))
    }

    /// The largest timestamp, -1 if there is none.
    fn largest_timestamp(&self) -> Result<i64, Error> {
        let mut largest = self.segment.last_time()?.map_or(-1, |entry| entry.timestamp);
        // The segment that is appended to has batches that are not in its index yet.
        let mut scan = self.segment.scan_tail(self.size)?;
        while let Some(batch) = self.segment.step(scan.next_header())? {
            largest = largest.max(batch.max_timestamp);
        }
        Ok(largest)
    }

    /// The first record of a batch that is young enough.
    fn first_in(
        &self,
        at: &BatchAt,
        timestamp: i64,
        log_start: Offset,
    ) -> Result<Option<TimestampOffset>, Error> {
        let found = |timestamp, offset| TimestampOffset { timestamp, offset, leader_epoch: at.leader_epoch };
        if at.magic < 2 {
            // A wrapper of format 0 or 1: the batch is as near as one comes.
            return Ok(Some(found(at.max_timestamp, at.last_offset)));
        }
        let bytes = self.bytes_of(at)?;
        let batch =
            Batch::parse(&bytes).map_err(|error| self.segment.corrupt(at.position, error.to_string()))?;
        // Where compaction took records away, only a walk tells which is the first.
        let is_whole = i64::from(batch.record_count()) == i64::from(batch.last_offset_delta()) + 1;
        if is_whole && batch.attributes().timestamp_type() == TimestampType::LogAppendTime {
            return Ok(Some(found(batch.max_timestamp(), batch.base_offset().max(log_start))));
        }
        let fits = |record: &RecordHead| record.timestamp >= timestamp && record.offset >= log_start;
        let record = DECOMPRESSORS.with_borrow_mut(|decompressors| {
            let mut records = RecordCursor::new(&batch, Reading::Lenient, decompressors)?;
            records.find(|record| record.as_ref().map_or(true, fits)).transpose()
        });
        let record = record.map_err(|error| self.segment.corrupt(at.position, error.to_string()))?;
        Ok(record.map(|record| found(record.timestamp, record.offset)))
    }

    fn bytes_of(&self, at: &BatchAt) -> Result<Bytes, Error> {
        let mut bytes = vec![0; at.size];
        let filled = read_full(&*self.segment.opened()?, &mut bytes, at.position)
            .map_err(|error| self.segment.read_failed(error))?;
        bytes.truncate(filled);
        Ok(bytes.into())
    }
}
