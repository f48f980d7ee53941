//! What governs one log, as plain numbers: the topic's configs after all their defaults are resolved.
//!
//! Names are Kafka's topic configs; a time limit of -1 and a size limit of -1 mean "none", as there.

use wire::batch::TimestampType;
use wire::compress::Compression;

/// The configuration of one log. Shared: a change makes a new one.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment that would grow beyond this is closed and a new one begun.
    pub segment_bytes: u32,
    /// `segment.ms`: the age at which a segment is closed even if it is not full.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: at most so much is subtracted from `segment_ms`, differing by log.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: the size at which an index is full, so that the segment is closed.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: at least so many bytes of batches lie between two index entries.
    pub index_interval_bytes: u32,
    /// `retention.ms`: segments whose newest record is older are deleted; -1 keeps them.
    pub retention_ms: i64,
    /// `retention.bytes`: the oldest segments go while the rest is at least this large; -1 keeps them.
    pub retention_bytes: i64,
    /// `flush.messages`: after so many records the log is synced before they are acknowledged.
    pub flush_messages: i64,
    /// `flush.ms`: after so long, records not synced yet are synced.
    pub flush_ms: i64,
    /// `max.message.bytes`: the largest batch, header included.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record's timestamp may be behind the broker's clock.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far it may be ahead.
    pub timestamp_after_max_ms: i64,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `min.cleanable.dirty.ratio`: a larger share of the log must be uncompacted before it is compacted.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: segments with a younger record are not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: a log with an older uncompacted record is compacted whatever its ratio.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long a deleted key's last record stays once the log was compacted over it.
    pub delete_retention_ms: i64,
    /// `compression.type` with its level; `None` is `producer`: batches stay as they were sent.
    pub compression: Option<Compression>,
    /// `file.delete.delay.ms`: how long a deleted segment's file stays, so that readers can finish.
    pub file_delete_delay_ms: i64,
    /// `producer.id.expiration.ms` of the broker: idle producers are forgotten after this.
    pub producer_id_expiration_ms: i64,
}

/// What happens to old records. Both, or neither (since 4.2: records are kept for ever), are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Segments are deleted by age and size.
    pub delete: bool,
    /// Only the newest record of each key is kept.
    pub compact: bool,
}

impl CleanupPolicy {
    /// `cleanup.policy=delete`, the default.
    pub const DELETE: Self = Self { delete: true, compact: false };
    /// `cleanup.policy=compact`.
    pub const COMPACT: Self = Self { delete: false, compact: true };
}

impl LogConfig {
    /// The age at which a segment is closed: no later than `max.compaction.lag.ms` where that counts, because what is
    /// appended to is never compacted.
    pub(crate) fn segment_ms_max(&self) -> i64 {
        match self.cleanup_policy.compact && self.max_compaction_lag_ms > 0 {
            true => self.segment_ms.min(self.max_compaction_lag_ms),
            false => self.segment_ms,
        }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * DAY_MS,
            retention_bytes: -1,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            max_message_bytes: (1 << 20) + 12,
            message_timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 60 * 60 * 1000,
            cleanup_policy: CleanupPolicy::DELETE,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: DAY_MS,
            compression: None,
            file_delete_delay_ms: 60_000,
            producer_id_expiration_ms: DAY_MS,
        }
    }
}
