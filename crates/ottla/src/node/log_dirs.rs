//! The log directories of a node: taken, formatted when empty, their logs opened, and marked when the node stops.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base::config::NodeConfig;
use base::ids::{BrokerEpoch, DirectoryId};
use base::time::Now;
use broker::broker::{Broker, LogDirFacts};
use storage::config::LogConfig;
use storage::directory::DirKind;
use storage::disk::Disk;
use storage::log::{Checkpoint, Log, LogSpec};
use storage::log_dir::{LogDir, PartitionDir};

/// Logs that are made or closed at a time: they wait for the disk, which makes one trip for several.
const DISK_THREADS: usize = 8;

/// The directories that a node holds.
pub struct LogDirs {
    dirs: Vec<LogDir>,
    /// Held while checkpoints are written, by whichever thread.
    writing: Mutex<()>,
    cluster_id: String,
    previous_epoch: BrokerEpoch,
}

/// A log with the number of its directory.
pub type Found = (Log, usize);

impl LogDirs {
    /// Takes every directory of the configuration. Empty ones are formatted.
    ///
    /// # Errors
    /// One sentence that names the directory, what is wrong with it and what to do.
    pub fn open(
        disk: &Arc<dyn Disk>,
        config: &NodeConfig,
        format: impl FnOnce(&mut [LogDir]) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut dirs = Vec::new();
        for path in &config.log_dirs {
            dirs.push(LogDir::open(disk.clone(), path).map_err(|error| error.to_string())?);
        }
        format(&mut dirs)?;
        let mut cluster_id = None;
        for dir in &dirs {
            let named = check(dir, config)?;
            match &cluster_id {
                Some((other, first)) if *other != named => {
                    return Err(format!(
                        "{} belongs to the cluster {named}, but {first} to {other}: they cannot serve one node",
                        dir.path().display()
                    ));
                }
                _ => cluster_id = Some((named, dir.path().display().to_string())),
            }
        }
        let (cluster_id, _) = cluster_id.expect("log.dirs is not empty");
        // Every directory must have been left cleanly by the same incarnation, or the stop counts as a crash.
        let epochs: Vec<_> =
            dirs.iter().map(|dir| dir.clean_shutdown().and_then(|clean| clean.broker_epoch)).collect();
        let previous_epoch = match epochs.first() {
            Some(Some(epoch)) if epochs.iter().all(|other| *other == Some(*epoch)) => *epoch,
            _ => BrokerEpoch::NONE,
        };
        Ok(Self { dirs, writing: Mutex::default(), cluster_id, previous_epoch })
    }

    /// The cluster that they belong to.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The epoch in which the last incarnation stopped cleanly; none after a crash.
    pub fn previous_epoch(&self) -> BrokerEpoch {
        self.previous_epoch
    }

    /// Path and id of each.
    pub fn iter(&self) -> impl Iterator<Item = (PathBuf, DirectoryId)> {
        self.dirs.iter().map(|dir| {
            let id = dir.meta().and_then(|meta| meta.directory_id);
            (dir.path().to_owned(), id.expect("checked when it was opened"))
        })
    }

    /// The id of one of them.
    pub fn id_of(&self, path: &Path) -> Option<DirectoryId> {
        self.iter().find(|(dir, _)| dir == path).map(|(_, id)| id)
    }

    /// Opens every log, on `threads` threads a directory. What was deleted before the last stop goes now.
    ///
    /// # Errors
    /// One sentence that names the log and what is wrong.
    pub fn open_logs(
        &mut self,
        threads: usize,
        config: &Arc<LogConfig>,
        now: Now,
    ) -> Result<Vec<Found>, String> {
        let mut found = Vec::new();
        for (index, dir) in self.dirs.iter_mut().enumerate() {
            dir.begin().map_err(|error| error.to_string())?;
            let partitions = dir.partitions().map_err(|error| error.to_string())?;
            let (current, rest): (Vec<_>, Vec<_>) =
                partitions.into_iter().partition(|partition| partition.kind == DirKind::Current);
            for leftover in rest.iter().filter(|partition| partition.kind == DirKind::Deleted) {
                dir.remove(&leftover.path).map_err(|error| error.to_string())?;
            }
            for log in open_all(dir, current, threads, config, now) {
                found.push((log?, index));
            }
            dir.opened().map_err(|error| error.to_string())?;
        }
        Ok(found)
    }

    /// Writes down how far the logs are durable and committed, so that the next start after a crash has little to scan.
    pub fn write_checkpoints(&self, broker: &Broker) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_dir = broker.checkpoints();
        for dir in &self.dirs {
            let checkpoints = by_dir.remove(dir.path()).unwrap_or_default();
            if let Err(error) = dir.write_checkpoints(&checkpoints) {
                tracing::error!(dir = %dir.path().display(), %error, "the checkpoints are not written");
            }
        }
    }

    /// Writes down how far the logs of the directory `path` were compacted.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write_first_dirty(&self, broker: &Broker, path: &Path) -> Result<(), storage::Error> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoints = broker.checkpoints().remove(path).unwrap_or_default();
        match self.dirs.iter().find(|dir| dir.path() == path) {
            Some(dir) => dir.write_first_dirty(&checkpoints),
            None => Ok(()),
        }
    }

    /// Closes every log and marks the directories in which all went well.
    pub fn close(self, logs: Vec<Log>, epoch: BrokerEpoch, now: Now) {
        let mut closed: BTreeMap<PathBuf, Result<Vec<Checkpoint>, String>> = BTreeMap::new();
        let close = |log: Log| {
            let parent = log.dir().parent().map(Path::to_owned).unwrap_or_default();
            (parent, log.close(now))
        };
        for (parent, checkpoint) in on_threads(DISK_THREADS, logs, close) {
            let all = closed.entry(parent).or_insert_with(|| Ok(Vec::new()));
            match (checkpoint, &mut *all) {
                (Ok(checkpoint), Ok(checkpoints)) => checkpoints.push(checkpoint),
                (Err(error), _) => *all = Err(error.to_string()),
                (Ok(_), Err(_)) => {}
            }
        }
        for dir in self.dirs {
            let path = dir.path().to_owned();
            let marked = closed
                .remove(&path)
                .unwrap_or_else(|| Ok(Vec::new()))
                .and_then(|checkpoints| dir.stop(&checkpoints, epoch).map_err(|error| error.to_string()));
            if let Err(error) = marked {
                tracing::error!(dir = %path.display(), %error, "not marked as cleanly stopped: the next start recovers");
            }
        }
    }
}

/// Makes logs, several at a time, and gives them in the order of their specifications.
pub fn create_logs(specs: Vec<LogSpec>, now: Now) -> Vec<Result<Log, storage::Error>> {
    let numbered = specs.into_iter().enumerate().collect();
    let mut logs = on_threads(DISK_THREADS, numbered, |(number, spec)| (number, Log::create(spec, now)));
    logs.sort_unstable_by_key(|(number, _)| *number);
    logs.into_iter().map(|(_, log)| log).collect()
}

/// Where a directory is and how full its file system.
pub fn facts(path: &Path) -> LogDirFacts {
    let bytes = |blocks: u64, size: u64| i64::try_from(blocks.saturating_mul(size)).unwrap_or(i64::MAX);
    let space = rustix::fs::statvfs(path).ok();
    LogDirFacts {
        path: path.to_owned(),
        absolute: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        total_bytes: space.as_ref().map_or(-1, |space| bytes(space.f_blocks, space.f_frsize)),
        usable_bytes: space.as_ref().map_or(-1, |space| bytes(space.f_bavail, space.f_frsize)),
    }
}

/// The cluster of a formatted directory of this node.
fn check(dir: &LogDir, config: &NodeConfig) -> Result<String, String> {
    let path = dir.path().display();
    let Some(meta) = dir.meta() else {
        return Err(format!(
            "{path} is not empty and was never formatted: empty it, name another in log.dirs, or format it with \
             `ottla storage format`"
        ));
    };
    if meta.node_id != Some(config.node_id) {
        let owner = meta.node_id.map_or_else(|| "no node".to_owned(), |node| format!("node {node}"));
        return Err(format!(
            "{path} belongs to {owner}, but this is node {}: correct node.id or log.dirs",
            config.node_id
        ));
    }
    if meta.directory_id.is_none() {
        return Err(format!(
            "{path}/meta.properties has no directory.id: start it once with Apache Kafka 3.7 or later"
        ));
    }
    meta.cluster_id.clone().ok_or_else(|| format!("{path}/meta.properties has no cluster.id"))
}

fn open_all(
    dir: &LogDir,
    partitions: Vec<PartitionDir>,
    threads: usize,
    config: &Arc<LogConfig>,
    now: Now,
) -> Vec<Result<Log, String>> {
    on_threads(threads, partitions, |partition| {
        let log = dir.open_log(&partition, None, config.clone(), now);
        log.map_err(|error| format!("{}: {error}", partition.topic_partition))
    })
}

/// Does `work` on every item, on so many threads; the order of the results is any.
fn on_threads<T: Send, R: Send>(threads: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    if threads == 1 {
        return items.into_iter().map(work).collect();
    }
    let items = Mutex::new(items.into_iter());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || std::iter::from_fn(next).map(&work).collect::<Vec<R>>();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let done = running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| std::process::abort()));
        done.flatten().collect()
    })
}
