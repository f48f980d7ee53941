//! Closing the active segment and beginning a new one.

use std::sync::Arc;

use base::ids::Offset;
use base::time::Now;

use crate::config::LogConfig;
use crate::directory::TopicPartition;
use crate::error::Error;
use crate::log::{Active, Log};
use crate::segment::Segment;

impl Active {
    /// Notes a batch that was written at `position`: every `index_interval` bytes, or a little later, the indexes get an
    /// entry.
    pub(crate) fn note(
        &mut self,
        timestamp: i64,
        last_offset: Offset,
        position: u64,
        size: u64,
        index_interval: u32,
    ) -> Result<(), Error> {
        if self.first_timestamp.is_none() {
            self.first_timestamp = Some(timestamp);
        }
        if timestamp > self.max_timestamp.0 {
            self.max_timestamp = (timestamp, last_offset);
        }
        if self.bytes_since_index_entry > u64::from(index_interval) {
            let (timestamp, offset) = self.max_timestamp;
            self.segment.index_time(timestamp, offset)?;
            self.segment.index_offset(last_offset, position)?;
            self.bytes_since_index_entry = 0;
            self.index_bytes = self.segment.index_bytes()?;
        }
        self.bytes_since_index_entry += size;
        Ok(())
    }

    /// How old the segment is: by the records' own time if they have one, else by the wall clock.
    fn age_ms(&self, now: Now, timestamp: i64) -> i64 {
        match self.first_timestamp {
            Some(first) if first >= 0 => timestamp.saturating_sub(first),
            _ => now.wall.0.saturating_sub(self.created.0),
        }
    }
}

impl Log {
    /// Closes the active segment and begins a new one at the log end; nothing happens if it is empty.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good.
    pub fn roll(&mut self, now: Now) -> Result<(), Error> {
        self.write_staged(now)?;
        if self.active.segment.size() == 0 {
            return Ok(());
        }
        self.roll_at(self.next_offset, now)
    }

    /// Whether a batch of `size` bytes that ends with `last_offset` needs a new segment.
    pub(crate) fn must_roll(&self, now: Now, size: usize, timestamp: i64, last_offset: Offset) -> bool {
        let used = self.active.segment.size() + self.staged.bytes() as u64;
        if used == 0 {
            return last_offset.0 - self.active.segment.base().0 > i64::from(i32::MAX);
        }
        let age_limit = self.config.segment_ms_max().saturating_sub(jitter_ms(
            &self.config,
            &self.topic_partition,
            self.active.segment.base(),
        ));
        used + size as u64 > u64::from(self.config.segment_bytes)
            || self.active.age_ms(now, timestamp) > age_limit
            || self.active.index_bytes + 12 > self.config.segment_index_bytes as usize
            || last_offset.0 - self.active.segment.base().0 > i64::from(i32::MAX)
    }

    /// Begins a new segment at `base`. Everything staged was written.
    pub(crate) fn roll_at(&mut self, base: Offset, now: Now) -> Result<(), Error> {
        self.check_online()?;
        self.try_roll_at(base, now).map_err(|error| self.fail(error))
    }

    fn try_roll_at(&mut self, base: Offset, now: Now) -> Result<(), Error> {
        debug_assert!(self.staged.is_empty() && base >= self.ends.log_end);
        self.finish_segment_indexes()?;
        self.take_producer_snapshot_at(base)?;
        let closed_base = self.active.segment.base();
        self.remove_snapshots(|snapshot| snapshot > closed_base && snapshot < base)?;
        let closed = self.active.segment.clone();
        let segment = Arc::new(Segment::create(self.home.clone(), base)?);
        self.durability.names_changed = true;
        let mut segments = self.segments().to_vec();
        if closed.size() == 0 {
            // An empty segment that cannot take the batch's offsets leaves nothing behind.
            segments.pop();
            self.remove_segment_files(&closed)?;
        } else {
            self.durability.closed.push(closed);
        }
        segments.push(segment.clone());
        self.active = Active::new(segment, now.wall);
        self.publish_segments(segments);
        Ok(())
    }

    /// Gives the active segment's time index its last entry and writes what is only in memory of both indexes.
    pub(crate) fn finish_segment_indexes(&mut self) -> Result<(), Error> {
        let (timestamp, offset) = self.active.max_timestamp;
        self.active.segment.index_time(timestamp, offset)?;
        self.active.segment.flush_indexes()
    }
}

/// Between 0 and `segment.jitter.ms`, differing by log and segment, so that many logs do not roll in the same moment.
fn jitter_ms(config: &LogConfig, log: &TopicPartition, base: Offset) -> i64 {
    let limit = config.segment_jitter_ms.min(config.segment_ms);
    if limit <= 0 {
        return 0;
    }
    let name = log.topic.bytes().chain(log.partition.0.to_be_bytes()).chain(base.0.to_be_bytes());
    let mixed = name.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (mixed >> 1) as i64 % limit
}
