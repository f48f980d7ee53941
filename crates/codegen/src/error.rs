//! What is wrong in a table, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The table's file.
    pub file: PathBuf,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong, in one sentence.
    pub message: String,
}

impl Error {
    /// A mistake on a line.
    pub fn new(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

impl std::error::Error for Error {}
