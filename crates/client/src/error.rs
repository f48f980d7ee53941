//! What can go wrong, sorted by what the caller does about it.

use base::error_code::ErrorCode;
use protocol::{DecodeError, EncodeError};

/// Why a call failed. Cheap to clone: all records of a batch share one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answered: not reachable, the connection broke. Trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// The time for the whole call ran out, retries included. What was asked may still happen.
    #[error("{0}")]
    TimedOut(String),
    /// The server answered with an error code.
    #[error("{message}")]
    Refused {
        /// The code.
        code: ErrorCode,
        /// The server's own words, or the text that belongs to the code.
        message: String,
    },
    /// The server does not have this api, or not in a version that can say what was asked.
    #[error("{0}")]
    Unsupported(String),
    /// The caller's own argument is wrong; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// The server's bytes cannot be what they claim to be.
    #[error("{0}")]
    Corrupt(String),
    /// The producer or consumer was closed before.
    #[error("already closed")]
    Closed,
}

/// The result of nearly everything here.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the server's `code` means, with its own words when it sent some.
    pub fn refused(code: ErrorCode, message: Option<String>) -> Self {
        let message = message.filter(|text| !text.is_empty());
        Self::Refused { code, message: message.unwrap_or_else(|| code.message().to_owned()) }
    }

    /// `Ok` for [`ErrorCode::NONE`].
    ///
    /// # Errors
    /// [`Error::Refused`] for any other code.
    pub fn check(code: ErrorCode, message: Option<String>) -> Result<()> {
        if code.is_none() { Ok(()) } else { Err(Self::refused(code, message)) }
    }

    /// The server's code, when it is the server that refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the same request may be sent again.
    pub fn retriable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused { code, .. } => code.retriable(),
            _ => false,
        }
    }

    /// Whether it says that the metadata is out of date: the next attempt needs a fresh one.
    pub fn needs_metadata(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused { code, .. } => is_stale_metadata(*code),
            _ => false,
        }
    }
}

/// Whether the code says that topic, leader or epoch are no longer what the client thought.
pub(crate) fn is_stale_metadata(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::LISTENER_NOT_FOUND
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
            | ErrorCode::OFFSET_NOT_AVAILABLE
    )
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::UnsupportedVersion { .. } | EncodeError::FieldAbsent { .. } => {
                Self::Unsupported(error.to_string())
            }
            _ => Self::Invalid(error.to_string()),
        }
    }
}
