//! Why a quorum cannot run.

use wire::reader::DecodeError;

/// What is wrong. None of it can be retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file `quorum-state` does not say what it should.
    #[error("quorum-state: {0}")]
    StateFile(String),
    /// A control record or snapshot cannot be read.
    #[error("{what}: {error}")]
    Decode {
        /// What was read.
        what: &'static str,
        /// Why not.
        error: DecodeError,
    },
    /// A batch is damaged.
    #[error("{position} bytes before the end: {reason}")]
    Batch {
        /// Where it begins, in bytes before the end of what was read.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// A snapshot is not whole, or not built as snapshots are.
    #[error("snapshot: {0}")]
    Snapshot(String),
    /// The quorum has voters that this node cannot speak to.
    #[error("{0}")]
    Voters(String),
}
