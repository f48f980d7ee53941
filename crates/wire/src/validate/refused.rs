//! The answer to a batch that is not taken.

use base::error_code::ErrorCode;

use crate::compress::DecompressError;
use crate::record::RecordsError;

/// Why a batch is refused, as a Produce answer says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The partition's error code.
    pub code: ErrorCode,
    /// The partition's error message, for answers that have one (version 8 on).
    pub message: Option<String>,
    /// What is wrong with which record, for answers that have it (version 8 on).
    pub record_errors: Vec<RecordError>,
    /// Whether Kafka answers so for every partition of the request, because it stumbles over the bytes before it looks
    /// at partitions one by one.
    pub whole_request: bool,
    /// Whether the answer tells the log start offset; otherwise it says -1.
    pub tells_log_start_offset: bool,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch, from 0.
    pub batch_index: i32,
    /// In words.
    pub message: String,
}

impl Refused {
    /// A code alone, from where the partition's log is known.
    pub(super) fn of(code: ErrorCode) -> Box<Self> {
        Box::new(Self { tells_log_start_offset: true, ..*Self::without_log_start(code) })
    }

    /// A code alone.
    pub(super) fn without_log_start(code: ErrorCode) -> Box<Self> {
        Box::new(Self {
            code,
            message: None,
            record_errors: Vec::new(),
            whole_request: false,
            tells_log_start_offset: false,
        })
    }

    /// A code for all partitions of the request.
    pub(super) fn whole_request(code: ErrorCode, message: Option<String>) -> Box<Self> {
        Box::new(Self { message, whole_request: true, ..*Self::without_log_start(code) })
    }

    /// Records that could not be read. Kafka has no code of its own for bytes that a codec does not understand.
    pub(super) fn unreadable(error: RecordsError, compressed: bool) -> Box<Self> {
        match error {
            RecordsError::InvalidLength if !compressed => Self::of(ErrorCode::UNKNOWN_SERVER_ERROR),
            RecordsError::Malformed(_) | RecordsError::InvalidLength => Self::of(ErrorCode::INVALID_RECORD),
            RecordsError::Decompress(DecompressError::TooLarge(_)) => {
                Self::without_log_start(ErrorCode::MESSAGE_TOO_LARGE)
            }
            RecordsError::Decompress(_) | RecordsError::UnknownCompression(_) => {
                Self::of(ErrorCode::UNKNOWN_SERVER_ERROR)
            }
        }
    }
}
