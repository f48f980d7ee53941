//! The bytes of a Produce request's partition, before its topic is looked at: exactly one batch of magic 2.

use base::error_code::ErrorCode;

use super::Refused;
use crate::batch::{Batch, BatchError, LOG_OVERHEAD, LogEntry};
use crate::compress::CompressionType;

/// The first version of Produce that may carry zstd (KIP-110).
const FIRST_ZSTD_VERSION: i16 = 7;
/// Up to here a header must be there for Kafka to see whether a transaction has the batch.
const UP_TO_PRODUCER_ID: usize = 51;

/// The one batch that `records` must consist of. Bytes after it that could be the begin of another one are dropped.
///
/// # Errors
/// The refusal to answer with, some of them for the whole request.
pub fn only_batch(records: &[u8], version: i16) -> Result<Batch<'_>, Box<Refused>> {
    let invalid = || Refused::without_log_start(ErrorCode::INVALID_RECORD);
    let broken = || Refused::whole_request(ErrorCode::UNKNOWN_SERVER_ERROR, None);
    let first = match next(records) {
        Next::Entry(entry) => entry,
        Next::End => return Err(invalid()),
        Next::Corrupt(message) => {
            return Err(Refused::whole_request(ErrorCode::CORRUPT_MESSAGE, Some(message)));
        }
        Next::Overflow => return Err(broken()),
    };
    if first.magic < 2 {
        return Err(invalid());
    }
    if version < FIRST_ZSTD_VERSION && compression(&records[..first.size]) == CompressionType::Zstd.id() {
        return Err(Refused::without_log_start(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE));
    }
    match next(&records[first.size..]) {
        Next::Entry(_) => return Err(invalid()),
        Next::End => {}
        Next::Corrupt(_) => return Err(Refused::without_log_start(ErrorCode::CORRUPT_MESSAGE)),
        Next::Overflow => return Err(broken()),
    }
    if first.size < UP_TO_PRODUCER_ID {
        return Err(broken());
    }
    Batch::parse(&records[..first.size]).map_err(|_| {
        // Shorter than a header: found when the checksum is about to be computed, after the base offset was looked at.
        match first.offset.0 {
            0 => Refused::without_log_start(ErrorCode::CORRUPT_MESSAGE),
            _ => Refused::of(ErrorCode::INVALID_RECORD),
        }
    })
}

enum Next {
    Entry(LogEntry),
    End,
    Corrupt(String),
    /// A length whose sum with the bytes before it does not fit into 31 bits.
    Overflow,
}

fn next(bytes: &[u8]) -> Next {
    match LogEntry::peek(bytes) {
        Ok(entry) if entry.size <= bytes.len() => Next::Entry(entry),
        Ok(_) | Err(BatchError::Torn { .. }) => Next::End,
        Err(BatchError::InvalidLength(length)) if length > i32::MAX - LOG_OVERHEAD as i32 => Next::Overflow,
        Err(BatchError::InvalidLength(length)) => {
            Next::Corrupt(format!("Record size {length} is less than the minimum record overhead (14)"))
        }
        Err(BatchError::UnknownMagic(magic) | BatchError::LegacyMagic(magic)) => {
            Next::Corrupt(format!("Invalid magic found in record: {magic}"))
        }
    }
}

/// The codec's id, of a batch that may be shorter than a header but never than its attributes.
fn compression(batch: &[u8]) -> u8 {
    batch[crate::batch::ATTRIBUTES + 1] & 7
}
