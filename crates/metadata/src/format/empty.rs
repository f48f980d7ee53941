//! A node whose directories are empty formats them by itself at its start.
//!
//! All of them empty: a new cluster of this one voter. Some of them formatted: the empty ones join the same cluster, as
//! Apache's brokers do with a new disk; but never the one that should hold the metadata log, whose loss must be noticed.

use std::path::Path;

use base::ids::{DirectoryId, NodeId};
use base::time::WallTime;
use quorum::{Endpoint, ReplicaKey, Voter, VoterSet};
use storage::directory::{METADATA_TOPIC, TopicPartition};
use storage::disk::Disk;
use storage::log_dir::{LOCK_FILE, LogDir};
use storage::meta_properties::{self, MetaProperties};

use super::{Levels, Target, draw_directory_id, draw_id, effective_levels, write_files};
use crate::bootstrap;
use crate::controller::Random;
use crate::error::Error;
use crate::format::InitialVoters;
use crate::node::io_error;

/// What is known of a node that finds its directories empty.
#[derive(Clone, Debug)]
pub struct EmptyFormat<'a> {
    /// `node.id`.
    pub node_id: NodeId,
    /// The new cluster's id; drawn when nobody gives one.
    pub cluster_id: Option<String>,
    /// The directory that holds the metadata log.
    pub metadata_dir: &'a Path,
    /// This node's controller listeners, the default one first.
    pub endpoints: &'a [Endpoint],
}

/// Formats what is empty; gives the paths that were. Directories that are neither formatted nor empty are left alone: the
/// caller refuses them.
///
/// # Errors
/// The metadata directory is empty although others are formatted, or the disk failed.
pub fn format_empty(
    dirs: &mut [LogDir],
    format: &EmptyFormat<'_>,
    now: WallTime,
    random: &mut dyn Random,
) -> Result<Vec<String>, Error> {
    let formatted = dirs.iter().find_map(|dir| dir.meta().cloned());
    if formatted.is_none() && !all_empty(dirs)? {
        return Ok(Vec::new());
    }
    let is_new = formatted.is_none();
    let cluster_id = match formatted.and_then(|meta| meta.cluster_id).or_else(|| format.cluster_id.clone()) {
        Some(id) => id,
        None => draw_id(random).to_string(),
    };
    let levels = effective_levels(&Default::default(), None, &InitialVoters::Unknown)?;
    let mut paths = Vec::new();
    for dir in dirs.iter_mut().filter(|dir| dir.meta().is_none()) {
        if !is_empty(dir)? {
            continue;
        }
        let is_metadata = dir.path() == format.metadata_dir;
        if is_metadata && !is_new {
            return Err(Error::Refused(format!(
                "{} is empty, but it should hold the metadata log of the cluster {cluster_id}, whose other directories \
                 are formatted: bring the disk back, or restore the directory",
                dir.path().display()
            )));
        }
        format_one(dir, format, &cluster_id, &levels, now, random)?;
        paths.push(dir.path().display().to_string());
    }
    Ok(paths)
}

fn format_one(
    dir: &mut LogDir,
    format: &EmptyFormat<'_>,
    cluster_id: &str,
    levels: &Levels,
    now: WallTime,
    random: &mut dyn Random,
) -> Result<(), Error> {
    let directory_id = draw_directory_id(random);
    let voters = (dir.path() == format.metadata_dir).then(|| voter(format, directory_id));
    let path = dir.path().to_owned();
    let target = Target { path: &path, directory_id, voters, kind: "" };
    let disk = dir.disk().clone();
    write_files(&*disk, &target, &levels.records(), levels.kraft_version, now)?;
    dir.format(MetaProperties::new(cluster_id, format.node_id, directory_id))?;
    Ok(())
}

fn voter(format: &EmptyFormat<'_>, directory: DirectoryId) -> VoterSet {
    let key = ReplicaKey::new(format.node_id, directory);
    [Voter { key, endpoints: format.endpoints.to_vec(), kraft_versions: (0, 1) }].into_iter().collect()
}

fn all_empty(dirs: &[LogDir]) -> Result<bool, Error> {
    for dir in dirs {
        if !is_empty(dir)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether nothing is in the directory but what an interrupted formatting leaves: that is written anew.
fn is_empty(dir: &LogDir) -> Result<bool, Error> {
    let metadata_dir = TopicPartition::new(METADATA_TOPIC, 0).dir_name();
    let disk = dir.disk();
    for entry in list(&**disk, dir.path())? {
        let known = match entry.name.as_str() {
            LOCK_FILE | "lost+found" | bootstrap::NAME => true,
            name if name == metadata_dir => is_unborn(&**disk, &dir.path().join(name))?,
            name => name.strip_suffix(".tmp") == Some(meta_properties::FILE_NAME),
        };
        if !known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the metadata log's directory holds at most the first voters: nothing ran in it.
fn is_unborn(disk: &dyn Disk, dir: &Path) -> Result<bool, Error> {
    let voters = quorum::SnapshotId::BOOTSTRAP.file_name();
    Ok(list(disk, dir)?.iter().all(|entry| entry.name == voters))
}

fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<storage::disk::DirEntry>, Error> {
    disk.list(dir).map_err(|error| io_error("list", dir, error))
}
