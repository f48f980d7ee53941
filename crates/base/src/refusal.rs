//! A refusal: what a client is told instead of a result.

use std::fmt;

use crate::error_code::ErrorCode;

/// An error code, with words where the code's own text does not say it all. A value inside results, not an error of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// The same in words; `None` sends none.
    pub message: Option<String>,
}

impl Refusal {
    /// A refusal in these words.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// A refusal in the code's own words.
    pub fn of(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

/// What a response says of an outcome.
pub fn told(outcome: Result<(), Refusal>) -> (ErrorCode, Option<String>) {
    match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err(refusal) => (refusal.code, refusal.message),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or_else(|| self.code.message()))
    }
}
