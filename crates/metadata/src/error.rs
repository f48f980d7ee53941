//! Why metadata cannot be kept.

use std::path::PathBuf;

use crate::image::ReplayError;

/// What went wrong. None of it can be retried: the process halts, or does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk failed, or a file is damaged.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The quorum cannot run, or one of its files is not what it should be.
    #[error("{}: {error}", path.display())]
    Quorum {
        /// The metadata log's directory, or a file in it.
        path: PathBuf,
        /// What is wrong.
        error: quorum::Error,
    },
    /// A record of the metadata log contradicts those before it, or is of a later Kafka.
    #[error("{}: {error}", path.display())]
    Replay {
        /// The metadata log's directory or the snapshot.
        path: PathBuf,
        /// What is wrong.
        error: ReplayError,
    },
    /// The directories are not what a node can start on; one sentence that says what to do.
    #[error("{0}")]
    Refused(String),
}
