//! What ends a measurement.

use std::fmt;
use std::io;

use base::error_code::ErrorCode;
use wire::reader::DecodeError;

/// Why there is no figure.
#[derive(Debug)]
pub enum Error {
    /// The operating system said no.
    Io {
        /// What was tried.
        what: String,
        /// Its answer.
        source: io::Error,
    },
    /// The broker answered with an error code.
    Refused {
        /// The request's name.
        api: &'static str,
        /// The code.
        code: ErrorCode,
    },
    /// The broker answered with bytes that are no answer to what was asked.
    Answer(String),
    /// The command line cannot be done.
    Usage(String),
}

/// What is measured, or why it is not.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what was tried when the operating system refuses.
pub trait Tried<T> {
    /// The error with `what` before it.
    fn tried(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Tried<T> for std::result::Result<T, E> {
    fn tried(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source: source.into() })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Refused { api, code } => write!(f, "{api}: the broker answers {code}"),
            Self::Answer(what) => write!(f, "not an answer of Kafka's protocol: {what}"),
            Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Answer(error.to_string())
    }
}
