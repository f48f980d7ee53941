//! One log directory as everybody in a broker may see it: where it is, and whether it still serves.
//!
//! Invariant: a directory that failed stays so until the next start. What the kernel dropped no second try brings back.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::task::Waker;

use base::ids::DirectoryId;

/// A log directory of this broker.
pub struct LogDirState {
    path: PathBuf,
    id: Option<DirectoryId>,
    holds_metadata: bool,
    failure: OnceLock<String>,
    /// Has the thread look that takes its partitions offline.
    waker: Waker,
}

impl LogDirState {
    /// A directory that serves; whoever `waker` wakes takes its partitions offline when it fails.
    pub fn new(path: PathBuf, id: Option<DirectoryId>, holds_metadata: bool, waker: Waker) -> Self {
        Self { path, id, holds_metadata, failure: OnceLock::new(), waker }
    }

    /// As its partitions' paths begin.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its id in the metadata; `None` when it failed before that could be read.
    pub fn id(&self) -> Option<DirectoryId> {
        self.id
    }

    /// Whether the metadata log lies in it, too.
    pub fn holds_metadata(&self) -> bool {
        self.holds_metadata
    }

    /// Whether it has not failed.
    pub fn is_online(&self) -> bool {
        self.failure.get().is_none()
    }

    /// It failed, for this reason. Only the first one counts.
    pub fn fail(&self, reason: &str) {
        if self.failure.set(reason.to_owned()).is_ok() {
            tracing::error!(dir = %self.path.display(), reason, "the log directory failed and goes offline");
            self.waker.wake_by_ref();
        }
    }

    /// What an operation on one of its files came to: an error of the disk takes the whole directory offline, any other
    /// says something about the file alone.
    pub fn observe(&self, error: &storage::Error) {
        if error.kind() == storage::error::ErrorKind::Storage {
            self.fail(&error.to_string());
        }
    }
}
