//! What stands in a log directory itself: identity, the clean mark, checkpoints, and names that may be there.

use std::collections::BTreeMap;
use std::path::Path;

use wire::compress::Decompressors;

use super::partition::{self, Trust};
use super::{Fault, Report, Severity, segment};
use crate::checkpoint::{self, LOG_STARTS, Offsets, RECOVERY_POINTS, read_offsets};
use crate::clean_shutdown;
use crate::directory::{DirKind, METADATA_TOPIC, TopicPartition};
use crate::disk::Disk;
use crate::error::{Error, IoContext};
use crate::incarnation;
use crate::log_dir::{LOCK_FILE, LOST_AND_FOUND, REMOTE_INDEX_CACHE};
use crate::meta_properties::{self, MetaProperties};

/// The first records of the metadata, written when the directory is formatted.
const BOOTSTRAP: &str = "bootstrap.checkpoint";
const FILES: [&str; 4] =
    [LOCK_FILE, clean_shutdown::FILE_NAME, incarnation::FILE_NAME, meta_properties::FILE_NAME];

pub(super) fn verify(disk: &dyn Disk, dir: &Path, report: &mut Report) -> Result<(), Error> {
    identity(disk, dir, report)?;
    let clean = clean_shutdown::read(disk, dir)?.is_some();
    let mut checkpoints = BTreeMap::new();
    for name in checkpoint::ALL {
        checkpoints.insert(name, checkpoint(disk, &dir.join(name), report)?);
    }
    let mut decompressors = Decompressors::new();
    let mut ends = BTreeMap::new();
    for entry in disk.list(dir).context("list", dir)? {
        let path = dir.join(&entry.name);
        if !entry.is_dir {
            file(disk, &path, &entry.name, &mut decompressors, report)?;
            continue;
        }
        if [REMOTE_INDEX_CACHE, LOST_AND_FOUND].contains(&entry.name.as_str()) {
            continue;
        }
        let Some(topic_partition) = partition_of(&path, &entry.name, report) else { continue };
        let at = |name| checkpoints[name].get(&topic_partition).copied();
        let trust = Trust { clean, recovery_point: at(RECOVERY_POINTS), log_start: at(LOG_STARTS) };
        let found = partition::verify(disk, &path, trust, &mut decompressors, report)?;
        if let Some(id) = found.topic_id
            && topic_partition.topic != METADATA_TOPIC
        {
            let first = *report.topic_ids.entry(topic_partition.topic.clone()).or_insert(id);
            if first != id {
                let what = format!("is of topic id {}, another partition of the topic of {}", id.0, first.0);
                report.add(Fault::OtherTopic { found: id }, Severity::Wrong, &path, None, what);
            }
        }
        ends.extend(found.end.map(|end| (topic_partition, end)));
    }
    for (name, offsets) in &checkpoints {
        compare(&dir.join(name), offsets, &ends, report);
    }
    Ok(())
}

fn identity(disk: &dyn Disk, dir: &Path, report: &mut Report) -> Result<(), Error> {
    let path = dir.join(meta_properties::FILE_NAME);
    match MetaProperties::read(disk, dir) {
        Ok(None) => report.add(
            Fault::Identity,
            Severity::Wrong,
            &path,
            None,
            "is missing: the directory is not formatted",
        ),
        Ok(Some(meta)) if meta.node_id.is_none() => {
            report.add(Fault::Identity, Severity::Wrong, &path, None, "names no node")
        }
        Ok(Some(meta)) if meta.version > 0 && meta.cluster_id.is_none() => {
            report.add(Fault::Identity, Severity::Wrong, &path, None, "names no cluster");
        }
        Ok(Some(_)) => {}
        Err(error @ Error::Corrupt { .. }) => report.add_damaged(Fault::Identity, &path, &error),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The offsets of a checkpoint; none when it is damaged.
fn checkpoint(disk: &dyn Disk, path: &Path, report: &mut Report) -> Result<Offsets, Error> {
    match read_offsets(disk, path) {
        Ok(offsets) => {
            for (partition, offset) in offsets.iter().filter(|(_, offset)| offset.0 < 0) {
                let fault = Fault::CheckpointEntry(partition.clone());
                report.add(
                    fault,
                    Severity::Wrong,
                    path,
                    None,
                    format!("{partition} has the offset {offset}"),
                );
            }
            Ok(offsets)
        }
        Err(error @ Error::Corrupt { .. }) => {
            report.add_damaged(Fault::Checkpoint, path, &error);
            Ok(Offsets::new())
        }
        Err(error) => Err(error),
    }
}

fn file(
    disk: &dyn Disk,
    path: &Path,
    name: &str,
    decompressors: &mut Decompressors,
    report: &mut Report,
) -> Result<(), Error> {
    if name == BOOTSTRAP {
        return segment::snapshot(disk, path, decompressors, report);
    }
    if !FILES.contains(&name) && !checkpoint::ALL.contains(&name) {
        report.add(Fault::ForeignFile, Severity::Left, path, None, "is no file of a log directory");
    }
    Ok(())
}

/// The partition that a directory holds and that is to be walked.
fn partition_of(path: &Path, name: &str, report: &mut Report) -> Option<TopicPartition> {
    match TopicPartition::parse_dir(name) {
        Some((topic_partition, DirKind::Current | DirKind::Future)) => return Some(topic_partition),
        Some((_, DirKind::Deleted)) => {
            report.add(Fault::Leftover, Severity::Left, path, None, "waits to be removed")
        }
        Some((_, DirKind::Stray)) => {
            report.add(Fault::Leftover, Severity::Left, path, None, "was set aside as a stray")
        }
        None => report.add(
            Fault::ForeignDir,
            Severity::Wrong,
            path,
            None,
            "is not named topic-partition: a node refuses to start with it",
        ),
    }
    None
}

/// No checkpoint may be beyond the log that it speaks of.
fn compare(path: &Path, offsets: &Offsets, ends: &Offsets, report: &mut Report) {
    for (partition, offset) in offsets {
        let Some(end) = ends.get(partition) else { continue };
        if offset > end {
            let what = format!("{partition} has the offset {offset}, and its log ends at {end}");
            report.add(Fault::CheckpointEntry(partition.clone()), Severity::Wrong, path, None, what);
        }
    }
}
