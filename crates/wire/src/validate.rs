//! What a leader makes of a batch that a client wants to append: take it as it is, rewrite it, or refuse it with the
//! code and words that Apache Kafka 4.3.0 uses. A pure function of the bytes, the topic's rules and the time.
//!
//! ```text
//! request bytes ── only_batch ──► Batch ── validate ──► Accepted { header, rewritten payload? }
//!                     │                       │
//!                     └──────── Refused ◄─────┘
//! ```
//! Order matters, because a batch can be wrong in several ways and only one answer is given: base offset, size,
//! checksum, codec, counts, kind of batch, then every record. Uncompressed records are walked in place. Compressed ones
//! are walked through a window of fixed size; a batch that stays compressed as it is is read leniently, as Kafka reads
//! it there. What the partition's log knows (offsets, producer state) is not looked at.

use base::error_code::ErrorCode;
use base::ids::PartitionIndex;
use base::time::WallTime;

use crate::batch::{Batch, BatchHeader, TimestampType};
use crate::compress::{Compression, CompressionType, Compressors, Decompressors};

mod records;
mod refused;
mod request;
mod rewrite;

pub use refused::{RecordError, Refused};
pub use request::only_batch;

use records::Checks;

/// What the topic's configs ask of a batch.
#[derive(Clone, Debug)]
pub struct AppendRules<'a> {
    /// The topic's name, for messages.
    pub topic: &'a str,
    /// The partition, for messages.
    pub partition: PartitionIndex,
    /// `max.message.bytes`: the greatest batch, header included.
    pub max_message_bytes: usize,
    /// `segment.bytes`: what a batch must fit into.
    pub segment_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how much older than now a record may be.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how much newer than now a record may be.
    pub timestamp_after_max_ms: i64,
    /// `compression.type` with its level; `None` keeps what the producer chose.
    pub compression: Option<Compression>,
    /// Whether `cleanup.policy` has `compact`, so that every record needs a key.
    pub compacted: bool,
    /// Takes the header's word for what is in a compressed batch that need not be rewritten. Not Kafka's way: a client
    /// can then store records without keys, or with timestamps that make retention and time lookups wrong.
    pub trust_headers: bool,
}

/// Contexts and buffers that are reused from batch to batch.
#[derive(Default)]
pub struct Scratch {
    /// For reading compressed batches.
    pub decompressors: Decompressors,
    /// For rewriting them.
    pub compressors: Compressors,
}

/// A batch that may be appended once base offset and leader epoch are stamped into its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The header to be written. Unchanged bytes unless a timestamp or the payload had to change.
    pub header: BatchHeader,
    /// What is written after the header instead of the client's bytes; `None` when those stay.
    pub rewritten: Option<Vec<u8>>,
    /// How many offsets it takes.
    pub record_count: i32,
    /// The greatest timestamp in ms, the time of the append if the topic says so, or -1.
    pub max_timestamp: i64,
    /// Which record, counted from 0, is the first to have it.
    pub index_of_max_timestamp: i32,
    /// What the answer reports, when the topic's timestamps are the times of appends.
    pub log_append_time: Option<i64>,
}

/// Decides about a client's batch.
///
/// # Errors
/// The refusal to answer with.
pub fn validate(
    batch: &Batch<'_>,
    rules: &AppendRules<'_>,
    now: WallTime,
    scratch: &mut Scratch,
) -> Result<Accepted, Box<Refused>> {
    let source = check_envelope(batch, rules)?;
    let target = rules.compression.unwrap_or(Compression::with_default_level(source));
    let accepted = if source != target.compression_type() {
        rewrite::rewrite(batch, rules, now, target, scratch)?
    } else if source != CompressionType::None && rules.trust_headers {
        records::trust_header(batch, rules, now)?
    } else {
        records::walk(batch, rules, now, scratch)?
    };
    if accepted.header.view().size() > rules.segment_bytes {
        return Err(Refused::without_log_start(ErrorCode::RECORD_LIST_TOO_LARGE));
    }
    Ok(accepted)
}

/// All that the header alone tells, and the checksum.
fn check_envelope(batch: &Batch<'_>, rules: &AppendRules<'_>) -> Result<CompressionType, Box<Refused>> {
    if batch.base_offset().0 != 0 {
        return Err(Refused::of(ErrorCode::INVALID_RECORD));
    }
    if batch.size() > rules.max_message_bytes {
        return Err(Refused::without_log_start(ErrorCode::MESSAGE_TOO_LARGE));
    }
    if !batch.is_crc_valid() {
        return Err(Refused::without_log_start(ErrorCode::CORRUPT_MESSAGE));
    }
    let compression = batch.attributes().compression();
    let compression = compression.map_err(|_| Refused::of(ErrorCode::UNKNOWN_SERVER_ERROR))?;
    let count = batch.record_count();
    let valid = count > 0
        && i64::from(count) == i64::from(batch.last_offset_delta()) + 1
        && !batch.attributes().is_control()
        && !(batch.has_producer_id() && batch.base_sequence().0 < 0);
    if valid { Ok(compression) } else { Err(Refused::of(ErrorCode::INVALID_RECORD)) }
}

/// The verdict on a batch whose records were all looked at.
fn conclude(
    header: BatchHeader,
    rewritten: Option<Vec<u8>>,
    checks: Checks<'_>,
) -> Result<Accepted, Box<Refused>> {
    let record_count = header.view().record_count();
    let log_append_time = checks.log_append_time();
    let (max_timestamp, index_of_max_timestamp) = match log_append_time {
        Some(now) => (now, 0),
        None => (checks.max_timestamp, checks.index_of_max_timestamp),
    };
    Ok(Accepted { header, rewritten, record_count, max_timestamp, index_of_max_timestamp, log_append_time })
}

#[cfg(test)]
mod tests;
