//! What the roof gives the log directories: threads to open and close logs on, and what the operating system says of them.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base::time::Now;
use broker::broker::LogDirFacts;
use broker::log_dirs::{DISK_THREADS, Workers};
use storage::log::{Log, LogSpec};

/// Threads of the operating system.
pub struct Threads;

impl Workers for Threads {
    fn map<T: Send, R: Send>(&self, threads: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        let threads = threads.clamp(1, items.len().max(1));
        if threads == 1 {
            return items.into_iter().map(work).collect();
        }
        let items = Mutex::new(items.into_iter());
        let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
        let run = || std::iter::from_fn(next).map(&work).collect::<Vec<R>>();
        std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            let done =
                running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| std::process::abort()));
            done.flatten().collect()
        })
    }
}

/// Makes logs, several at a time, and gives them in the order of their specifications.
pub fn create_logs(specs: Vec<LogSpec>, now: Now) -> Vec<Result<Log, storage::Error>> {
    let numbered = specs.into_iter().enumerate().collect();
    let mut logs = Threads.map(DISK_THREADS, numbered, |(number, spec)| (number, Log::create(spec, now)));
    logs.sort_unstable_by_key(|(number, _)| *number);
    logs.into_iter().map(|(_, log)| log).collect()
}

/// Where a directory is and how full its file system.
pub fn facts(path: &Path) -> LogDirFacts {
    let bytes = |blocks: u64, size: u64| i64::try_from(blocks.saturating_mul(size)).unwrap_or(i64::MAX);
    let space = rustix::fs::statvfs(path).ok();
    LogDirFacts {
        absolute: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        total_bytes: space.as_ref().map_or(-1, |space| bytes(space.f_blocks, space.f_frsize)),
        usable_bytes: space.as_ref().map_or(-1, |space| bytes(space.f_bavail, space.f_frsize)),
    }
}
