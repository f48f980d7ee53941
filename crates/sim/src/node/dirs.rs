//! The log directories of a node, as the roof takes, checks, opens, checkpoints and marks them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{BrokerEpoch, DirectoryId};
use base::time::Now;
use broker::broker::Broker;
use storage::config::LogConfig;
use storage::directory::DirKind;
use storage::disk::Disk;
use storage::log::{Checkpoint, Log};
use storage::log_dir::LogDir;

/// All of them.
pub(super) struct Dirs {
    dirs: Vec<LogDir>,
    cluster_id: String,
}

impl Dirs {
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        paths: &[String],
        format: impl FnOnce(&mut [LogDir]) -> Result<(), String>,
    ) -> Result<Self, String> {
        let opened = paths.iter().map(|path| LogDir::open(disk.clone(), path));
        let mut dirs = opened.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        format(&mut dirs)?;
        let meta = dirs[0].meta().ok_or("the directory is not formatted")?;
        let cluster_id = meta.cluster_id.clone().ok_or("the directory has no cluster.id")?;
        Ok(Self { dirs, cluster_id })
    }

    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The epoch in which the last incarnation stopped cleanly; none after a crash.
    pub(super) fn previous_epoch(&self) -> BrokerEpoch {
        let epochs = self.dirs.iter().map(|dir| dir.clean_shutdown().and_then(|clean| clean.broker_epoch));
        let epochs: Vec<_> = epochs.collect();
        match epochs[0] {
            Some(epoch) if epochs.iter().all(|other| *other == Some(epoch)) => epoch,
            _ => BrokerEpoch::NONE,
        }
    }

    /// Path and id of each.
    pub(super) fn ids(&self) -> Result<Vec<(PathBuf, DirectoryId)>, String> {
        let id = |dir: &LogDir| Some((dir.path().to_owned(), dir.meta()?.directory_id?));
        self.dirs.iter().map(|dir| id(dir).ok_or_else(|| "a directory has no id".to_owned())).collect()
    }

    /// Opens every log; what waits to be removed goes now.
    pub(super) fn open_logs(
        &mut self,
        config: &Arc<LogConfig>,
        now: Now,
    ) -> Result<Vec<(Log, usize)>, String> {
        let mut found = Vec::new();
        for (index, dir) in self.dirs.iter_mut().enumerate() {
            dir.begin().map_err(|error| error.to_string())?;
            for partition in dir.partitions().map_err(|error| error.to_string())? {
                match partition.kind {
                    DirKind::Current => {
                        let log = dir.open_log(&partition, None, config.clone(), now);
                        found.push((
                            log.map_err(|error| format!("{}: {error}", partition.topic_partition))?,
                            index,
                        ));
                    }
                    DirKind::Deleted => dir.remove(&partition.path).map_err(|error| error.to_string())?,
                    _ => {}
                }
            }
            dir.opened().map_err(|error| error.to_string())?;
        }
        Ok(found)
    }

    /// Writes down how far the logs are durable and committed.
    pub(super) fn write_checkpoints(&self, broker: &Broker) {
        let mut by_dir = broker.checkpoints();
        for dir in &self.dirs {
            // What the roof does about a failure: it says so and goes on.
            let _ = dir.write_checkpoints(&by_dir.remove(dir.path()).unwrap_or_default());
        }
    }

    /// Closes every log and marks the directories in which all went well.
    pub(super) fn close(self, logs: Vec<Log>, epoch: BrokerEpoch, now: Now) -> Result<(), String> {
        let mut closed: BTreeMap<PathBuf, Result<Vec<Checkpoint>, String>> = BTreeMap::new();
        for log in logs {
            let all = closed.entry(parent(&log.dir())).or_insert_with(|| Ok(Vec::new()));
            match (log.close(now), &mut *all) {
                (Ok(checkpoint), Ok(checkpoints)) => checkpoints.push(checkpoint),
                (Err(error), _) => *all = Err(error.to_string()),
                (Ok(_), Err(_)) => {}
            }
        }
        let mut result = Ok(());
        for dir in self.dirs {
            let checkpoints = closed.remove(dir.path()).unwrap_or_else(|| Ok(Vec::new()));
            let stop = |checkpoints: Vec<_>| dir.stop(&checkpoints, epoch).map_err(|error| error.to_string());
            result = result.and(checkpoints.and_then(stop));
        }
        result
    }
}

fn parent(dir: &Path) -> PathBuf {
    dir.parent().map(Path::to_owned).unwrap_or_default()
}
