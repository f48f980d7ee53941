//! The log directories of a node: taken, formatted when empty, their logs opened, and marked when the node stops.
//!
//! One that cannot be read does not keep the others from serving, unless it holds the metadata log. One that belongs to
//! somebody else, or to nobody, is a mistake of the configuration: then nothing starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use base::config::NodeConfig;
use base::ids::{BrokerEpoch, DirectoryId};
use base::time::Now;
use storage::config::LogConfig;
use storage::directory::{DirKind, METADATA_TOPIC, TopicPartition};
use storage::disk::Disk;
use storage::error::ErrorKind;
use storage::log::{Checkpoint, Log};
use storage::log_dir::{LogDir, PartitionDir};

use crate::broker::Broker;

mod state;

pub use self::state::LogDirState;

/// Logs that are made or closed at a time: they wait for the disk, which makes one trip for several.
pub const DISK_THREADS: usize = 8;

/// The directories that a node holds.
pub struct LogDirs {
    held: Vec<(LogDir, Arc<LogDirState>)>,
    /// All of the configuration, in its order.
    states: Vec<Arc<LogDirState>>,
    /// Held while checkpoints are written, by whichever thread.
    writing: Mutex<()>,
    cluster_id: String,
    previous_epoch: BrokerEpoch,
}

/// Who does many things of one kind: threads, or in the simulator the caller alone.
pub trait Workers {
    /// Does `work` on every item, on so many threads at most; the order of the results is any.
    fn map<T: Send, R: Send>(&self, threads: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R>;
}

/// What was found in the directories.
#[derive(Default)]
pub struct Found {
    /// The logs, open.
    pub logs: Vec<Log>,
    /// Copies that were on their way into a directory when the node ended.
    pub futures: Vec<PartitionDir>,
}

impl LogDirs {
    /// Takes every directory of the configuration. Empty ones are formatted. `waker` wakes whoever takes partitions of a
    /// directory offline that fails.
    ///
    /// # Errors
    /// One sentence that names the directory, what is wrong with it and what to do.
    pub fn open(
        disk: &Arc<dyn Disk>,
        config: &NodeConfig,
        waker: &Waker,
        format: impl FnOnce(&mut [LogDir]) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut dirs = Vec::new();
        let mut failed = BTreeMap::new();
        for path in &config.log_dirs {
            match LogDir::open(disk.clone(), path) {
                Ok(dir) => dirs.push(dir),
                Err(error) if error.kind() != ErrorKind::Storage => return Err(error.to_string()),
                Err(error) if *path == config.metadata_log_dir => {
                    return Err(format!(
                        "{error}; the directory holds the metadata log, without which no node starts"
                    ));
                }
                Err(error) => _ = failed.insert(path.clone(), error.to_string()),
            }
        }
        format(&mut dirs)?;
        let cluster_id = check_all(&dirs, config)?;
        // Every directory must have been left cleanly by the same incarnation, or the stop counts as a crash.
        let epochs: Vec<_> =
            dirs.iter().map(|dir| dir.clean_shutdown().and_then(|clean| clean.broker_epoch)).collect();
        let previous_epoch = match epochs.first() {
            Some(Some(epoch)) if failed.is_empty() && epochs.iter().all(|other| *other == Some(*epoch)) => {
                *epoch
            }
            _ => BrokerEpoch::NONE,
        };
        let mut dirs = dirs.into_iter();
        let (mut held, mut states) = (Vec::new(), Vec::new());
        for path in &config.log_dirs {
            let reason = failed.get(path);
            let dir = if reason.is_none() { dirs.next() } else { None };
            let id = dir.as_ref().and_then(|dir| dir.meta()?.directory_id);
            let state =
                Arc::new(LogDirState::new(path.into(), id, *path == config.metadata_log_dir, waker.clone()));
            states.push(state.clone());
            reason.into_iter().for_each(|reason| state.fail(reason));
            held.extend(dir.map(|dir| (dir, state)));
        }
        Ok(Self { held, states, writing: Mutex::default(), cluster_id, previous_epoch })
    }

    /// The cluster that they belong to.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The epoch in which the last incarnation stopped cleanly; none after a crash.
    pub fn previous_epoch(&self) -> BrokerEpoch {
        self.previous_epoch
    }

    /// All of them in the order of the configuration, those that failed too.
    pub fn states(&self) -> &[Arc<LogDirState>] {
        &self.states
    }

    /// Those that serve.
    pub fn online(&self) -> impl Iterator<Item = &Arc<LogDirState>> {
        self.states.iter().filter(|state| state.is_online())
    }

    /// The id of one that serves.
    pub fn id_of(&self, path: &Path) -> Option<DirectoryId> {
        self.online().find(|state| state.path() == path)?.id()
    }

    /// Opens every log, on `threads` threads a directory. What was deleted before the last stop goes now. A directory in
    /// which the disk fails goes offline with all its logs.
    ///
    /// # Errors
    /// One sentence that names the log and what is wrong, or the directories without which no node goes on.
    pub fn open_logs(
        &mut self,
        workers: &impl Workers,
        threads: usize,
        config: &Arc<LogConfig>,
        now: Now,
    ) -> Result<Found, String> {
        let mut found = Found::default();
        for (dir, state) in &mut self.held {
            match open_dir(dir, workers, threads, config, now) {
                Ok(of_dir) => {
                    found.logs.extend(of_dir.logs);
                    found.futures.extend(of_dir.futures);
                }
                Err((name, error)) if error.kind() != ErrorKind::Storage => {
                    return Err(format!("{name}{error}"));
                }
                Err((_, error)) => state.fail(&error.to_string()),
            }
        }
        check_rest(&self.states)?;
        Ok(found)
    }

    /// Writes down how far the logs are durable and committed, so that the next start after a crash has little to scan.
    pub fn write_checkpoints(&self, broker: &Broker) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_dir = broker.checkpoints();
        for (dir, state) in self.held.iter().filter(|(_, state)| state.is_online()) {
            let checkpoints = by_dir.remove(dir.path()).unwrap_or_default();
            if let Err(error) = dir.write_checkpoints(&checkpoints) {
                state.observe(&error);
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
        match self.held.iter().find(|(dir, state)| dir.path() == path && state.is_online()) {
            Some((dir, _)) => dir.write_first_dirty(&checkpoints),
            None => Ok(()),
        }
    }

    /// Closes every log and marks the directories in which all went well.
    ///
    /// # Errors
    /// What is wrong with the first directory that is not marked: its next start recovers.
    pub fn close(
        self,
        workers: &impl Workers,
        logs: Vec<Log>,
        epoch: BrokerEpoch,
        now: Now,
    ) -> Result<(), String> {
        let mut closed: BTreeMap<PathBuf, Result<Vec<Checkpoint>, String>> = BTreeMap::new();
        let close = |log: Log| {
            let parent = log.dir().parent().map(Path::to_owned).unwrap_or_default();
            (parent, log.close(now))
        };
        for (parent, checkpoint) in workers.map(DISK_THREADS, logs, close) {
            let all = closed.entry(parent).or_insert_with(|| Ok(Vec::new()));
            match (checkpoint, &mut *all) {
                (Ok(checkpoint), Ok(checkpoints)) => checkpoints.push(checkpoint),
                (Err(error), _) => *all = Err(error.to_string()),
                (Ok(_), Err(_)) => {}
            }
        }
        let mut result = Ok(());
        for (dir, state) in self.held {
            let path = dir.path().to_owned();
            let checkpoints = closed.remove(&path).unwrap_or_else(|| Ok(Vec::new()));
            let marked = match state.is_online() {
                true => checkpoints
                    .and_then(|checkpoints| dir.stop(&checkpoints, epoch).map_err(|error| error.to_string())),
                false => Err(format!("{} is offline", path.display())),
            };
            if let Err(error) = &marked {
                tracing::error!(dir = %path.display(), error, "not marked as cleanly stopped: the next start recovers");
            }
            result = result.and(marked);
        }
        result
    }
}

/// Whether a node can go on with those of its directories that have not failed: the last one, and the one that holds the
/// metadata log, take it with them, as in Apache Kafka.
///
/// # Errors
/// One sentence that says which failed.
pub fn check_rest(all: &[Arc<LogDirState>]) -> Result<(), String> {
    if all.iter().all(|dir| !dir.is_online()) {
        let paths: Vec<_> = all.iter().map(|dir| dir.path().display().to_string()).collect();
        return Err(format!("all log directories have failed ({}): the node shuts down", paths.join(", ")));
    }
    match all.iter().find(|dir| !dir.is_online() && dir.holds_metadata()) {
        Some(dir) => Err(format!(
            "the log directory {} has failed, and with it the log {}: the node shuts down",
            dir.path().display(),
            TopicPartition::new(METADATA_TOPIC, 0)
        )),
        None => Ok(()),
    }
}

/// The cluster of formatted directories of this node.
fn check_all(dirs: &[LogDir], config: &NodeConfig) -> Result<String, String> {
    let mut cluster_id: Option<(String, String)> = None;
    let mut ids = BTreeSet::new();
    for dir in dirs {
        let (named, path) = (check(dir, config)?, dir.path().display().to_string());
        let id = dir.meta().and_then(|meta| meta.directory_id);
        if !ids.insert(id) {
            return Err(format!(
                "{path} has the directory.id of another of log.dirs: it is a copy; remove one of the two from log.dirs"
            ));
        }
        match &cluster_id {
            Some((other, first)) if *other != named => {
                return Err(format!(
                    "{path} belongs to the cluster {named}, but {first} to {other}: they cannot serve one node"
                ));
            }
            _ => cluster_id = Some((named, path)),
        }
    }
    cluster_id
        .map(|(cluster_id, _)| cluster_id)
        .ok_or_else(|| "no directory of log.dirs can be used".to_owned())
}

/// Opens the logs of one directory; the error comes with the name of the log, if it is one log's.
fn open_dir(
    dir: &mut LogDir,
    workers: &impl Workers,
    threads: usize,
    config: &Arc<LogConfig>,
    now: Now,
) -> Result<Found, (String, storage::Error)> {
    let of_dir = |error| (String::new(), error);
    dir.begin().map_err(of_dir)?;
    let mut found = Found::default();
    let mut current = Vec::new();
    for partition in dir.partitions().map_err(of_dir)? {
        match partition.kind {
            DirKind::Current => current.push(partition),
            DirKind::Deleted => dir.remove(&partition.path).map_err(of_dir)?,
            DirKind::Future => found.futures.push(partition),
            DirKind::Stray => {}
        }
    }
    let held = &*dir;
    let opened = workers.map(threads, current, |partition| {
        let log = held.open_log(&partition, None, config.clone(), now);
        log.map_err(|error| (format!("{}: ", partition.topic_partition), error))
    });
    for log in opened {
        found.logs.push(log?);
    }
    dir.opened().map_err(of_dir)?;
    Ok(found)
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
