//! A log directory fails: its partitions go offline, the others go on.
//!
//! The last directory, and the one that holds the metadata log, take the node with them, as in Apache Kafka.

use std::sync::Arc;

use storage::directory::{METADATA_TOPIC, TopicPartition};

use super::Hosting;
use crate::log_dirs::LogDirState;
use crate::shard::Op;

impl Hosting {
    /// Takes the partitions of directories offline that failed since the last call.
    pub(super) fn give_up_failed_dirs(&mut self) -> Result<(), String> {
        let mut failed = Vec::new();
        for dir in self.dirs.iter_mut().filter(|dir| !dir.given_up && !dir.state.is_online()) {
            dir.given_up = true;
            failed.push(dir.state.clone());
        }
        for dir in &failed {
            self.give_up(dir);
        }
        if failed.is_empty() { Ok(()) } else { self.check_rest() }
    }

    fn give_up(&mut self, dir: &Arc<LogDirState>) {
        let path = dir.path();
        let mut count = 0;
        for handle in self.broker.partitions() {
            if !Arc::ptr_eq(&handle.shared.log_dir(), dir) {
                continue;
            }
            handle.shared.set_offline();
            handle.shard.submit_one(Op::TakeOffline(handle.slot));
            count += 1;
        }
        // What waits there to be removed goes at the next start that finds the directory.
        self.removals.retain(|(_, removal)| !removal.starts_with(path));
        tracing::error!(dir = %path.display(), partitions = count, "partitions went offline with their log directory");
    }

    /// Whether the node can go on with the directories that are left.
    fn check_rest(&self) -> Result<(), String> {
        let all = self.broker.log_dirs();
        if all.iter().all(|dir| !dir.is_online()) {
            let paths: Vec<_> = all.iter().map(|dir| dir.path().display().to_string()).collect();
            return Err(format!(
                "all log directories have failed ({}): the node shuts down",
                paths.join(", ")
            ));
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
}
