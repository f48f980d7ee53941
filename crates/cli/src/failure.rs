//! How a tool fails.

use client::Error;

/// Why a tool ends with 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The arguments are wrong: the sentence, then the flags.
    Usage(String),
    /// It could not be done: the sentence.
    Error(String),
    /// It could not be done, and everything about it is printed already.
    Said,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// With words before the sentence.
    pub(crate) fn within(self, prefix: &str) -> Self {
        match self {
            Self::Error(text) => Self::Error(format!("{prefix}{text}")),
            other => other,
        }
    }
}

/// Wrong arguments.
pub(crate) fn usage<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Usage(text.into()))
}

/// It could not be done.
pub(crate) fn failed<T>(text: impl Into<String>) -> Result<T> {
    Err(Failure::Error(text.into()))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error.to_string())
    }
}
