//! A log directory fails: its partitions go offline, the others go on.

use std::sync::Arc;

use super::Hosting;
use crate::log_dirs::{LogDirState, check_rest};
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
        if failed.is_empty() { Ok(()) } else { check_rest(&self.broker.log_dirs()) }
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
}
