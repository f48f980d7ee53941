//! Walks a log directory and says what is wrong with it, whether Kafka or Ottla wrote it. Nothing is changed.
//!
//! ```text
//! verify::root       whose directory it is, the clean mark, the checkpoints, every name
//! verify::partition  a partition's files against each other: names, epochs, producer snapshots
//! verify::segment    every batch with its checksum and records
//! verify::indexes    in step with that walk: what the indexes say of the batches
//! ```
//! Invariant: what a crash may leave and the next start puts right without loss is told apart from what is wrong.

mod indexes;
mod partition;
mod root;
mod segment;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base::ids::{LeaderEpoch, Offset, TopicId};

use crate::directory::TopicPartition;
use crate::disk::Disk;
use crate::error::Error;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A crash leaves this, or a task that goes on later: the next start deals with it and nothing is lost.
    Left,
    /// Something was changed, lost or swapped.
    Wrong,
}

impl Severity {
    fn wrong_if(is_wrong: bool) -> Self {
        if is_wrong { Self::Wrong } else { Self::Left }
    }
}

/// What a finding is to whoever repairs it: see [`crate::repair`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `meta.properties` does not say whose the directory is.
    Identity,
    /// A checkpoint of the directory cannot be read.
    Checkpoint,
    /// A checkpoint says of this partition what cannot be.
    CheckpointEntry(TopicPartition),
    /// A directory that is no partition.
    ForeignDir,
    /// A file that nobody here knows.
    ForeignFile,
    /// Waits to be removed, or is left of what a crash interrupted.
    Leftover,
    /// A partition's directory holds no segment.
    NoSegment,
    /// A batch cannot be read, is not what it says or not where it should be. What comes before is sound.
    Batch {
        /// The segment.
        base: Offset,
        /// Everything below this offset is sound.
        end: Offset,
    },
    /// The epoch of a batch, which no checksum covers, is not that of its neighbours.
    BatchEpoch {
        /// What it must be.
        epoch: LeaderEpoch,
    },
    /// An index, a producer snapshot or the checkpoint of epochs: all of it follows from the batches.
    Derived,
    /// The topic's id is not known.
    TopicId,
    /// The topic's id is not that of the other partitions of the topic.
    OtherTopic {
        /// What this one says.
        found: TopicId,
    },
    /// A snapshot of the metadata.
    MetadataSnapshot,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub fault: Fault,
    /// The file or directory.
    pub path: PathBuf,
    /// The byte where it begins, if it is in a file.
    pub position: Option<u64>,
    /// What it is, as the end of a sentence that begins with the path.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(position) = self.position {
            write!(f, " at {position}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What a walk saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything found, in the order of the walk.
    pub findings: Vec<Finding>,
    /// Topics by name, as the first partition of each says.
    pub topic_ids: BTreeMap<String, TopicId>,
    /// Partitions walked, the metadata log's among them.
    pub partitions: u64,
    /// Their segments.
    pub segments: u64,
    /// Batches with the right checksum.
    pub batches: u64,
    /// Records in them; a wrapper of the formats 0 and 1 counts as one.
    pub records: u64,
    /// Bytes of all segments.
    pub bytes: u64,
}

impl Report {
    /// Findings that are wrong.
    pub fn wrong(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Wrong)
    }

    fn add(
        &mut self,
        fault: Fault,
        severity: Severity,
        path: &Path,
        position: Option<u64>,
        what: impl Into<String>,
    ) {
        self.findings.push(Finding { fault, path: path.to_owned(), position, what: what.into(), severity });
    }

    /// A file that cannot be taken for what it should be.
    fn add_damaged(&mut self, fault: Fault, path: &Path, error: &Error) {
        match error {
            Error::Corrupt { reason, .. } => self.add(fault, Severity::Wrong, path, None, reason.clone()),
            other => self.add(fault, Severity::Wrong, path, None, other.to_string()),
        }
    }
}

/// Walks the log directory `dir`, which no process may be writing to.
///
/// # Errors
/// The disk failed: the report would not be whole.
pub fn verify(disk: &dyn Disk, dir: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    root::verify(disk, dir, &mut report)?;
    Ok(report)
}

#[cfg(test)]
pub(crate) mod tests;
