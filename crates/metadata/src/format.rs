//! Formatting: making directories a cluster's, before its first start.
//!
//! ```text
//! every directory    bootstrap.checkpoint                         features that the first controller finalizes
//!                    meta.properties                              whose it is; written last: it says "formatted"
//! metadata directory __cluster_metadata-0/0…0-0…0.checkpoint      the first voters, with kraft.version 1
//! ```
//! Two ways lead here: `ottla storage format`, with the rules and words of Kafka's `kafka-storage format`, and the start of
//! a node whose directories are all empty. A directory that holds anything else is never touched.

mod empty;
mod levels;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use base::ids::{DirectoryId, LeaderEpoch, NodeId};
use base::time::WallTime;
use base::uuid::Uuid;
use protocol::metadata_record::MetadataRecord;
use quorum::{SnapshotId, SnapshotWriter, VoterSet};
use storage::directory::{METADATA_TOPIC, TopicPartition};
use storage::disk::{Disk, OpenMode};
use storage::meta_properties::MetaProperties;

use crate::bootstrap;
use crate::controller::Random;
use crate::error::Error;
use crate::features::metadata_version_name;
use crate::image::{METADATA_VERSION, feature_level};
use crate::node::io_error;

pub use empty::{EmptyFormat, format_empty};
pub use levels::{Levels, effective_levels};

/// What `storage format` is asked for.
#[derive(Clone, Debug)]
pub struct Format {
    /// The cluster's id.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: NodeId,
    /// `log.dirs`, and `metadata.log.dir` if it is not one of them.
    pub directories: Vec<PathBuf>,
    /// The one that holds the metadata log.
    pub metadata_dir: PathBuf,
    /// The levels of `--feature`, by name.
    pub features: BTreeMap<String, i16>,
    /// `--release-version`.
    pub release_version: Option<String>,
    /// Who votes first.
    pub voters: InitialVoters,
    /// `--ignore-formatted`.
    pub ignore_formatted: bool,
}

/// Who votes first in the metadata quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialVoters {
    /// `controller.quorum.voters` says it: `kraft.version` 0.
    Configured,
    /// `--no-initial-controllers`, or a node that is only a broker: others have said or will say it.
    Unknown,
    /// `--standalone` and `--initial-controllers`: these. A voter without directory gets the one that is drawn.
    These(VoterSet),
}

/// A directory to format.
struct Target<'a> {
    path: &'a Path,
    directory_id: DirectoryId,
    voters: Option<VoterSet>,
    kind: &'static str,
}

impl Format {
    /// Formats the directories that are not formatted; `tell` gets the lines to print. A directory that cannot be read is
    /// left alone.
    ///
    /// # Errors
    /// A sentence for the user, in Kafka's words where Kafka has some; or the disk failed.
    pub fn run(
        &self,
        disk: &dyn Disk,
        now: WallTime,
        random: &mut dyn Random,
        tell: &mut dyn FnMut(String),
    ) -> Result<(), Error> {
        let levels = effective_levels(&self.features, self.release_version.as_deref(), &self.voters)?;
        let empty = self.unformatted(disk, tell)?;
        if empty.is_empty() {
            tell("All of the log directories are already formatted.".to_owned());
            return Ok(());
        }
        let records = levels.records();
        tell(format!("Bootstrap metadata: {}", describe(&records, levels.metadata_version)));
        let version = metadata_version_name(levels.metadata_version).unwrap_or("?");
        for path in empty {
            let target = self.target(path, random);
            tell(format!("Formatting {} {} with {METADATA_VERSION} {version}.", target.kind, path.display()));
            write_files(disk, &target, &records, levels.kraft_version, now)?;
            let meta = MetaProperties::new(self.cluster_id.clone(), self.node_id, target.directory_id);
            meta.write(disk, path)?;
        }
        Ok(())
    }

    /// The directories without `meta.properties`. The others must be this node's.
    fn unformatted(&self, disk: &dyn Disk, tell: &mut dyn FnMut(String)) -> Result<Vec<&Path>, Error> {
        let mut empty = Vec::new();
        let mut formatted: Vec<(&Path, Option<DirectoryId>)> = Vec::new();
        for path in &self.directories {
            match MetaProperties::read(disk, path) {
                Ok(None) => empty.push(path.as_path()),
                Ok(Some(meta)) => {
                    self.check_owner(path, &meta)?;
                    check_directory_id(path, meta.directory_id, &formatted)?;
                    formatted.push((path, meta.directory_id));
                }
                Err(_) => {
                    tell(format!("I/O error trying to read log directory {}. Ignoring...", path.display()))
                }
            }
        }
        match formatted.first() {
            Some((path, _)) if !self.ignore_formatted => Err(Error::Refused(format!(
                "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the \
                 others.",
                path.display()
            ))),
            None if empty.is_empty() => {
                Err(Error::Refused("No available log directories to format.".to_owned()))
            }
            _ => Ok(empty),
        }
    }

    fn check_owner(&self, path: &Path, meta: &MetaProperties) -> Result<(), Error> {
        let file = path.join(storage::meta_properties::FILE_NAME);
        let file = file.display();
        if let Some(other) = meta.cluster_id.as_ref().filter(|id| **id != self.cluster_id) {
            let ours = &self.cluster_id;
            return Err(Error::Refused(format!(
                "Invalid cluster.id in: {file}. Expected {ours}, but read {other}"
            )));
        }
        if let Some(other) = meta.node_id.filter(|id| *id != self.node_id) {
            return Err(Error::Refused(format!(
                "Stored node id {other} doesn't match previous node id {} in {file}. If you moved your data, make sure \
                 your configured node id matches. If you intend to create a new node, you should remove all data in your \
                 data directories.",
                self.node_id
            )));
        }
        Ok(())
    }

    fn target<'a>(&self, path: &'a Path, random: &mut dyn Random) -> Target<'a> {
        let mut target =
            Target { path, directory_id: draw_directory_id(random), voters: None, kind: "data directory" };
        if path != self.metadata_dir {
            return target;
        }
        target.kind = "metadata directory";
        if let InitialVoters::These(voters) = &self.voters {
            target.kind = "dynamic metadata directory";
            let mut voters = voters.clone();
            if let Some(local) = voters.get(self.node_id) {
                target.kind = "dynamic metadata voter directory";
                let mut local = local.clone();
                if local.key.directory == DirectoryId::MIGRATING {
                    local.key.directory = target.directory_id;
                }
                target.directory_id = local.key.directory;
                voters = voters.with(local);
            }
            target.voters = Some(voters);
        }
        target
    }
}

/// An id belongs to one directory, and is none of those that mean something else.
fn check_directory_id(
    path: &Path,
    id: Option<DirectoryId>,
    others: &[(&Path, Option<DirectoryId>)],
) -> Result<(), Error> {
    let Some(id) = id else { return Ok(()) };
    let shown = path.display();
    if id.0.is_reserved() {
        return Err(Error::Refused(format!("Invalid reserved directory ID {id} found in {shown}")));
    }
    match others.iter().find(|(_, other)| *other == Some(id)) {
        Some((other, _)) => Err(Error::Refused(format!(
            "Duplicate directory ID Optional[{id}] found. It was the ID of {}, but also of {shown}",
            other.display()
        ))),
        None => Ok(()),
    }
}

/// Writes everything but `meta.properties`.
fn write_files(
    disk: &dyn Disk,
    target: &Target<'_>,
    records: &[MetadataRecord],
    kraft_version: i16,
    now: WallTime,
) -> Result<(), Error> {
    let path = target.path;
    disk.create_dir_all(path).map_err(|error| io_error("create", path, error))?;
    write_file(disk, &path.join(bootstrap::NAME), &bootstrap::write(records, now))?;
    if let Some(voters) = &target.voters {
        let dir = path.join(TopicPartition::new(METADATA_TOPIC, 0).dir_name());
        disk.create_dir_all(&dir).map_err(|error| io_error("create", &dir, error))?;
        let writer = SnapshotWriter::new(LeaderEpoch(0), now, now, Some((kraft_version, voters)));
        write_file(disk, &dir.join(SnapshotId::BOOTSTRAP.file_name()), &writer.finish())?;
        disk.sync_dir(&dir).map_err(|error| io_error("sync", &dir, error))?;
    }
    disk.sync_dir(path).map_err(|error| io_error("sync", path, error))
}

/// Nobody looks at the file before `meta.properties` is there, so it need not appear at once.
fn write_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let file = disk.open(path, OpenMode::Truncate)?;
        file.write_at(&mut [IoSlice::new(content)], 0)?;
        file.sync_data()
    };
    write().map_err(|error| io_error("write", path, error))
}

/// A random id that Kafka would hand out.
pub fn draw_id(random: &mut dyn Random) -> Uuid {
    loop {
        if let Some(id) = Uuid::from_random(random.bits()) {
            return id;
        }
    }
}

fn draw_directory_id(random: &mut dyn Random) -> DirectoryId {
    DirectoryId(draw_id(random))
}

/// The bootstrap records as Kafka's tool prints them.
fn describe(records: &[MetadataRecord], metadata_version: i16) -> String {
    let record = |record: &MetadataRecord| match record {
        MetadataRecord::FeatureLevel(record) => format!(
            "ApiMessageAndVersion(FeatureLevelRecord(name='{}', featureLevel={}) at version 0)",
            record.name, record.feature_level
        ),
        other => format!("ApiMessageAndVersion({other:?} at version 0)"),
    };
    let records: Vec<_> = records.iter().map(record).collect();
    format!(
        "BootstrapMetadata(records=[{}], metadataVersionLevel={metadata_version}, source=format command)",
        records.join(", ")
    )
}

impl Levels {
    /// The records that finalize them: `metadata.version` first, then what is above 0, sorted by name.
    pub fn records(&self) -> Vec<MetadataRecord> {
        let mut records = vec![feature_level(METADATA_VERSION, self.metadata_version)];
        let others = self.others.iter().filter(|(_, level)| **level > 0);
        records.extend(others.map(|(name, level)| feature_level(name, *level)));
        records
    }
}
