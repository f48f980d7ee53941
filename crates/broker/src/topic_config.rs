//! From a topic's configs to what its logs go by.

use base::config::{BrokerConfig, TimestampType, TopicCompression, TopicConfig};
use storage::config::{CleanupPolicy, LogConfig};
use wire::compress::Compression;

/// What governs the logs of a topic with these configs on this broker.
pub fn log_config(topic: &TopicConfig, broker: &BrokerConfig) -> LogConfig {
    let bytes = |value: i32| u32::try_from(value).expect("configs of sizes are checked to be positive");
    LogConfig {
        segment_bytes: bytes(topic.segment_size()),
        segment_ms: topic.segment_ms,
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: bytes(topic.segment_index_bytes),
        index_interval_bytes: bytes(topic.index_interval_bytes),
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        flush_messages: topic.flush_messages,
        flush_ms: topic.flush_ms,
        max_message_bytes: bytes(topic.max_message_bytes),
        message_timestamp_type: match topic.message_timestamp_type {
            TimestampType::CreateTime => wire::batch::TimestampType::CreateTime,
            TimestampType::LogAppendTime => wire::batch::TimestampType::LogAppendTime,
        },
        timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
        timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
        cleanup_policy: CleanupPolicy {
            delete: topic.cleanup_policy.delete,
            compact: topic.cleanup_policy.compact,
        },
        min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        delete_retention_ms: topic.delete_retention_ms,
        compression: match topic.compression_type {
            TopicCompression::Producer => None,
            TopicCompression::Uncompressed => Some(Compression::None),
            TopicCompression::Gzip => Some(Compression::Gzip(topic.compression_gzip_level)),
            TopicCompression::Snappy => Some(Compression::Snappy),
            TopicCompression::Lz4 => Some(Compression::Lz4(topic.compression_lz4_level)),
            TopicCompression::Zstd => Some(Compression::Zstd(topic.compression_zstd_level)),
        },
        file_delete_delay_ms: topic.file_delete_delay_ms,
        producer_id_expiration_ms: i64::from(broker.producer_id_expiration_ms),
    }
}
