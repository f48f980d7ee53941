//! What can go wrong with files, sorted by what the caller does about it.
//!
//! A refused batch is not an error here but an [`crate::append::AppendRefusal`]: the log is well.

use std::io;
use std::path::{Path, PathBuf};

use base::error_code::ErrorCode;

/// Why an operation on a log or a log directory failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused. After a failed write or sync the log is offline for good.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: "write", "sync", "rename".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A file does not hold what its name promises.
    #[error("{} is damaged at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from its begin (for text files: of the line).
        position: u64,
        /// What is wrong.
        reason: String,
    },
    /// Another process holds the directory's lock.
    #[error(
        "{} is in use by another process (its .lock is held); stop that process or choose another directory",
        .0.display()
    )]
    Locked(PathBuf),
    /// The directory is not one that this node may use: another cluster's, another node's, or not a log directory.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An earlier write or sync of this log failed; it takes nothing more.
    #[error("the log in {} is offline because an earlier write failed", .0.display())]
    Offline(PathBuf),
    /// The caller asked for something outside the log.
    #[error("offset {offset} is outside of the log in {} [{start}, {end}]", path.display())]
    OutOfRange {
        /// The partition's directory.
        path: PathBuf,
        /// What was asked for.
        offset: i64,
        /// The log's first offset.
        start: i64,
        /// The log's end, exclusive.
        end: i64,
    },
}

/// What the caller does about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Take the log directory offline; never try again.
    Storage,
    /// Report the file; the partition cannot be served.
    Corrupt,
    /// Tell the operator; nothing is broken.
    Refused,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } | Self::Offline(_) => ErrorKind::Storage,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Locked(_) | Self::Refused { .. } | Self::OutOfRange { .. } => ErrorKind::Refused,
        }
    }

    /// What a client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            _ => ErrorCode::KAFKA_STORAGE_ERROR,
        }
    }

    /// Whether a file or directory is not there.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn corrupt(path: &Path, position: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), position, reason: reason.into() }
    }
}

/// Adds what was tried, and on which file, to an answer of the operating system.
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, path: path.to_owned(), source })
    }
}
