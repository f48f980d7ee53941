//! Whose a directory is, and what of the metadata it must have, when the files that say so are damaged.

use std::path::Path;

use base::ids::{DirectoryId, NodeId, Offset};

use super::{Known, Remedy, bases};
use crate::directory::{METADATA_TOPIC, TopicPartition};
use crate::disk::{Disk, read_file};
use crate::error::{Error, IoContext};
use crate::meta_properties::{self, MetaProperties};

/// `meta.properties` of what can be read of it and what is known.
pub(super) fn restored(disk: &dyn Disk, dir: &Path, known: &Known) -> Result<Remedy, Error> {
    let path = dir.join(meta_properties::FILE_NAME);
    let bytes = read_file(disk, &path).context("read", &path)?.unwrap_or_default();
    let pairs = meta_properties::parse_properties(&String::from_utf8_lossy(&bytes));
    let read = |name: &str| pairs.get(name).filter(|value| !value.is_empty());
    let node = read("node.id").or_else(|| read("broker.id")).and_then(|id| id.parse().ok()).map(NodeId);
    let Some(node_id) = known.node_id.or(node) else {
        return Ok(Remedy::Ask("nothing says which node this is: --node-id".into()));
    };
    let Some(cluster_id) = known.cluster_id.as_ref().or_else(|| read("cluster.id")) else {
        return Ok(Remedy::Ask("nothing says which cluster this is: --cluster-id".into()));
    };
    let stored = read("directory.id").and_then(|id| id.parse().ok()).map(DirectoryId);
    // Others may know it by its id; a voter of the metadata quorum is known by it for certain.
    let unused = || known.unused_directory_id.filter(|_| disk.metadata(&metadata_dir(dir)).is_err());
    match stored.or(known.directory_id).or_else(unused) {
        Some(directory_id) => {
            Ok(Remedy::Identify(MetaProperties::new(cluster_id.clone(), node_id, directory_id)))
        }
        None => {
            Ok(Remedy::Ask("nothing says by which id the metadata quorum knows it: --directory-id".into()))
        }
    }
}

/// A snapshot of the metadata can be spared where the log goes back to the begin.
pub(super) fn without_snapshot(disk: &dyn Disk, dir: &Path) -> Result<Remedy, Error> {
    let path = metadata_dir(dir);
    let first = match bases(disk, &path) {
        Ok(bases) => bases.first().copied(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).context("list", &path),
    };
    Ok(match first {
        Some(Offset::ZERO) => Remedy::SetAside,
        _ => Remedy::Ask(
            "the metadata log does not go back to its begin: copy it from another controller".into(),
        ),
    })
}

fn metadata_dir(dir: &Path) -> std::path::PathBuf {
    dir.join(TopicPartition::new(METADATA_TOPIC, 0).dir_name())
}
