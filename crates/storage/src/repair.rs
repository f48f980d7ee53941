//! Puts right what [`verify`](crate::verify) found: says what it would do, or does it and keeps what it changes.
//!
//! | fault | remedy |
//! |---|---|
//! | identity | `meta.properties` is written anew of what can be read of it and what the operator knows |
//! | checkpoint, entry of one | it is written anew without what cannot be |
//! | batch | its log is cut there: later segments go, what follows from the batches is made anew |
//! | epoch of a batch | it is set to that of its neighbours |
//! | index, snapshot, epochs | made anew of the batches |
//! | no segment | the log begins anew, empty |
//! | topic's id | written, if another partition or the operator knows it |
//! | id of another topic, foreign directory, metadata snapshot | set aside |
//! | what a crash left | nothing: the next start deals with it |
//!
//! Invariants: nothing that is sound and stands before a damage is lost; every byte that goes is copied before; whoever crashes
//! in the middle leaves a directory without the clean mark, which the next start recovers and another repair goes on with.

mod identity;
mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base::ids::{DirectoryId, LeaderEpoch, NodeId, Offset, TopicId};

pub use self::run::{Repaired, repair};
use crate::directory::{FileKind, TopicPartition};
use crate::disk::Disk;
use crate::error::Error;
use crate::meta_properties::MetaProperties;
use crate::verify::{Fault, Finding, Report, Severity};

/// What the operator knows that the directory may have lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The cluster.
    pub cluster_id: Option<String>,
    /// The node.
    pub node_id: Option<NodeId>,
    /// The directory's own id.
    pub directory_id: Option<DirectoryId>,
    /// An id that no directory has: for one whose id nobody needs.
    pub unused_directory_id: Option<DirectoryId>,
    /// Topics by name.
    pub topic_ids: BTreeMap<String, TopicId>,
}

/// What is done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: the next start does what is to be done.
    Wait,
    /// Nothing can be done before the operator has.
    Ask(String),
    /// `meta.properties` is written anew.
    Identify(MetaProperties),
    /// The checkpoint is written anew without what cannot be.
    Checkpoint,
    /// The log is cut in this segment at this byte; the offset is its end from then on.
    Cut {
        /// The segment.
        base: Offset,
        /// Bytes of it that stay.
        position: u64,
        /// The log's end.
        end: Offset,
    },
    /// The epoch of the batch at this byte is set.
    SetEpoch {
        /// Where the batch begins.
        position: u64,
        /// Its epoch from then on.
        epoch: LeaderEpoch,
    },
    /// The file goes and is made anew of the batches.
    MakeAnew,
    /// The log is opened as after a crash.
    Recover,
    /// `partition.metadata` is written anew.
    WriteTopicId(TopicId),
    /// The file or directory is moved to what is kept.
    SetAside,
}

/// What is to be done about a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each finding with its remedy, in the order of the walk.
    pub steps: Vec<(Finding, Remedy)>,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait => f.write_str("the next start deals with it"),
            Self::Ask(what) => write!(f, "cannot be repaired: {what}"),
            Self::Identify(_) => f.write_str("is written anew"),
            Self::Checkpoint => f.write_str("is written anew without that"),
            Self::Cut { end, .. } => write!(f, "the log is cut to end at offset {end}; later segments go"),
            Self::SetEpoch { epoch, .. } => write!(f, "its epoch is set to {epoch}"),
            Self::MakeAnew => f.write_str("is made anew of the batches"),
            Self::Recover => f.write_str("the log begins anew"),
            Self::WriteTopicId(id) => write!(f, "is written with {id}"),
            Self::SetAside => f.write_str("is set aside"),
        }
    }
}

impl Plan {
    /// What is to be done about what `verify` found in `dir`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn of(disk: &dyn Disk, dir: &Path, report: &Report, known: &Known) -> Result<Self, Error> {
        let mut steps = Vec::new();
        for finding in &report.findings {
            let remedy = match finding.severity {
                Severity::Left => Remedy::Wait,
                Severity::Wrong => remedy(disk, dir, finding, report, known)?,
            };
            steps.push((finding.clone(), remedy));
        }
        Ok(Self { steps })
    }

    /// How many findings are repaired when it is carried out.
    pub fn to_repair(&self) -> usize {
        self.steps.iter().filter(|(_, remedy)| !matches!(remedy, Remedy::Wait | Remedy::Ask(_))).count()
    }

    fn faults_of(&self, path: &Path) -> Vec<&Fault> {
        self.steps.iter().filter(|(it, _)| it.path == path).map(|(finding, _)| &finding.fault).collect()
    }

    /// How many are not.
    pub fn to_ask(&self) -> usize {
        self.steps.iter().filter(|(_, remedy)| matches!(remedy, Remedy::Ask(_))).count()
    }
}

fn remedy(
    disk: &dyn Disk,
    dir: &Path,
    finding: &Finding,
    report: &Report,
    known: &Known,
) -> Result<Remedy, Error> {
    let position = finding.position.unwrap_or(0);
    Ok(match &finding.fault {
        Fault::Leftover | Fault::ForeignFile => Remedy::Wait,
        Fault::Identity => identity::restored(disk, dir, known)?,
        Fault::Checkpoint | Fault::CheckpointEntry(_) => Remedy::Checkpoint,
        Fault::ForeignDir => Remedy::SetAside,
        Fault::NoSegment => Remedy::Recover,
        Fault::Batch { base, end } => Remedy::Cut { base: *base, position, end: *end },
        Fault::BatchEpoch { epoch } => Remedy::SetEpoch { position, epoch: *epoch },
        Fault::Derived => Remedy::MakeAnew,
        Fault::TopicId => match partition_of(finding.path.parent().unwrap_or(dir)) {
            Some(partition) => match id_of(&partition, report, known) {
                Some(id) => Remedy::WriteTopicId(id),
                None => Remedy::Ask(format!("nothing says which id {} has: --topic-id", partition.topic)),
            },
            None => Remedy::Ask("it belongs to no partition".into()),
        },
        Fault::OtherTopic { found } => match partition_of(&finding.path) {
            Some(partition) => match known.topic_ids.get(&partition.topic) {
                Some(id) if id != found => Remedy::SetAside,
                Some(_) => Remedy::Ask("it is the other partitions that are of another topic".into()),
                None => Remedy::Ask(format!("nothing says which id {} has: --topic-id", partition.topic)),
            },
            None => Remedy::Ask("it belongs to no partition".into()),
        },
        Fault::MetadataSnapshot => identity::without_snapshot(disk, dir)?,
    })
}

/// The partition whose directory this is.
fn partition_of(dir: &Path) -> Option<TopicPartition> {
    let name = dir.file_name()?.to_str()?;
    TopicPartition::parse_dir(name).map(|(partition, _)| partition)
}

fn id_of(partition: &TopicPartition, report: &Report, known: &Known) -> Option<TopicId> {
    let found = || report.topic_ids.get(&partition.topic);
    known.topic_ids.get(&partition.topic).or_else(found).copied()
}

/// Bases of the segments of a directory, in order.
fn bases(disk: &dyn Disk, dir: &Path) -> std::io::Result<Vec<Offset>> {
    let mut bases: Vec<Offset> = disk
        .list(dir)?
        .iter()
        .filter_map(|entry| FileKind::parse(&entry.name))
        .filter(|(_, kind)| *kind == FileKind::Log)
        .map(|(base, _)| base)
        .collect();
    bases.sort_unstable();
    Ok(bases)
}

/// Where a plan of this directory keeps what it changes, unless it is told otherwise: beside it, because whatever is in it
/// must be a partition.
pub fn default_kept(dir: &Path, now_ms: i64) -> PathBuf {
    crate::directory::with_suffix(dir, &format!(".repaired-{now_ms}"))
}

#[cfg(test)]
mod tests;
