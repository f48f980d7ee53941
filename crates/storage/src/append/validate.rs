//! What a batch must be to be appended by a leader.

use std::cell::RefCell;

use base::error_code::ErrorCode;
use base::time::Now;
use bytes::Bytes;
use wire::batch::{BATCH_HEADER_SIZE, Batch, BatchHeader, TimestampType};
use wire::validate::{AppendRules, Refused, Scratch};

use super::{AppendRefusal, Origin, RecordError};
use crate::config::LogConfig;
use crate::directory::TopicPartition;

/// A batch as it will be written, but for its offset and epoch.
pub(super) struct Validated {
    pub(super) header: BatchHeader,
    /// The bytes after the header.
    pub(super) payload: Bytes,
}

thread_local! {
    /// Codecs' contexts and buffers. They hold nothing from one batch to the next, and a thread that owns thousands of
    /// logs needs them once.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A client's batch is validated as Kafka does; one that this node made itself needs to be whole and not too large.
pub(super) fn validate(
    log: &TopicPartition,
    config: &LogConfig,
    now: Now,
    bytes: &Bytes,
    origin: Origin,
) -> Result<Validated, AppendRefusal> {
    let batch = Batch::parse(bytes)
        .map_err(|error| AppendRefusal::because(ErrorCode::CORRUPT_MESSAGE, error.to_string()))?;
    let payload = bytes.slice(BATCH_HEADER_SIZE..batch.size());
    if origin == Origin::Client {
        return validate_clients(log, config, now, &batch, payload);
    }
    if batch.size() > config.max_message_bytes as usize {
        let reason = format!("batch of {} bytes, at most {}", batch.size(), config.max_message_bytes);
        return Err(AppendRefusal::because(ErrorCode::MESSAGE_TOO_LARGE, reason));
    }
    if !batch.is_crc_valid() || batch.last_offset_delta() < 0 {
        let reason = "checksum or offsets of the batch are wrong";
        return Err(AppendRefusal::because(ErrorCode::CORRUPT_MESSAGE, reason));
    }
    let mut header = batch.header();
    if origin == Origin::Coordinator && config.message_timestamp_type == TimestampType::LogAppendTime {
        header.set_max_timestamp(TimestampType::LogAppendTime, now.wall.0);
    }
    Ok(Validated { header, payload })
}

fn validate_clients(
    log: &TopicPartition,
    config: &LogConfig,
    now: Now,
    batch: &Batch<'_>,
    payload: Bytes,
) -> Result<Validated, AppendRefusal> {
    let rules = AppendRules {
        topic: &log.topic,
        partition: log.partition,
        max_message_bytes: config.max_message_bytes as usize,
        segment_bytes: config.segment_bytes as usize,
        timestamp_type: config.message_timestamp_type,
        timestamp_before_max_ms: config.timestamp_before_max_ms,
        timestamp_after_max_ms: config.timestamp_after_max_ms,
        compression: config.compression,
        compacted: config.cleanup_policy.compact,
        trust_headers: false,
    };
    let accepted =
        SCRATCH.with_borrow_mut(|scratch| wire::validate::validate(batch, &rules, now.wall, scratch));
    let accepted = accepted.map_err(|refused| AppendRefusal::from(*refused))?;
    Ok(Validated { header: accepted.header, payload: accepted.rewritten.map_or(payload, Bytes::from) })
}

impl From<Refused> for AppendRefusal {
    fn from(refused: Refused) -> Self {
        let error = |error: wire::validate::RecordError| RecordError {
            batch_index: error.batch_index,
            message: Some(error.message),
        };
        Self {
            code: refused.code,
            reason: refused.message.clone().unwrap_or_default(),
            message: refused.message,
            record_errors: refused.record_errors.into_iter().map(error).collect(),
            tells_log_start_offset: refused.tells_log_start_offset,
        }
    }
}
