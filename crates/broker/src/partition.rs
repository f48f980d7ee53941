//! What everybody may know of a partition that this node hosts: where it is, its reader, and who waits for it.
//!
//! The log itself belongs to its shard alone. Invariant: a waiter that was added before it read the ends is told of every
//! later advance, so no wake-up is lost between a look and a wait.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use replication::acks::Durability;
use storage::directory::TopicPartition;
use storage::log::Checkpoint;
use storage::read::LogReader;

use crate::log_dirs::LogDirState;
use crate::shard::ShardQueue;

/// Where a partition lives in its shard. The generation tells a slot's later tenant from an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The index in the shard's table.
    pub index: u32,
    /// How many tenants the slot had before.
    pub generation: u32,
}

/// A partition by its topic's id: this broker has one replica of it.
pub type Replica = (TopicId, PartitionIndex);

/// A partition resolved: good until it is removed, after which its shard answers that it is gone.
#[derive(Clone)]
pub struct PartitionHandle {
    /// The shard that owns it.
    pub shard: Arc<ShardQueue>,
    /// Its place there.
    pub slot: Slot,
    /// What may be read of it from any thread.
    pub shared: Arc<PartitionShared>,
}

/// The shared side of a hosted partition.
pub struct PartitionShared {
    /// Its topic.
    pub topic_id: TopicId,
    /// The topic's name.
    pub topic: Arc<str>,
    /// Its index.
    pub index: PartitionIndex,
    reader: Arc<LogReader>,
    log_dir: Mutex<Arc<LogDirState>>,
    leader_epoch: AtomicI32,
    /// Producers are answered only once their records are on disk.
    synced: AtomicBool,
    /// Its disk failed: nothing is read or written any more.
    offline: AtomicBool,
    waiting: AtomicBool,
    waiters: Mutex<Vec<Arc<FetchWaiter>>>,
}

/// More bytes than any fetch wants.
const WAKE: i64 = i64::MAX / 2;

/// A fetch that waits for bytes, in as many partitions as it asked for.
pub struct FetchWaiter {
    wanted: AtomicI64,
    waker: Waker,
}

impl PartitionShared {
    /// The shared side of a log.
    pub fn new(
        topic_id: TopicId,
        topic: Arc<str>,
        index: PartitionIndex,
        leader_epoch: LeaderEpoch,
        reader: Arc<LogReader>,
        log_dir: Arc<LogDirState>,
    ) -> Self {
        Self {
            topic_id,
            topic,
            index,
            reader,
            log_dir: Mutex::new(log_dir),
            leader_epoch: AtomicI32::new(leader_epoch.0),
            synced: AtomicBool::new(false),
            offline: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            waiters: Mutex::default(),
        }
    }

    /// Which it is.
    pub fn replica(&self) -> Replica {
        (self.topic_id, self.index)
    }

    /// Reads the log.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// The directory that its log lies in.
    pub fn log_dir(&self) -> Arc<LogDirState> {
        self.log_dir.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its log was moved to another directory.
    pub(crate) fn set_log_dir(&self, dir: Arc<LogDirState>) {
        *self.log_dir.lock().unwrap_or_else(PoisonError::into_inner) = dir;
    }

    /// A read of its log failed. One of a file that is gone says nothing: its partition may have been deleted meanwhile.
    pub(crate) fn observe_read(&self, error: &storage::Error) {
        if !error.is_gone() {
            self.log_dir().observe(error);
        }
    }

    /// What is to be written down of its log.
    pub fn checkpoint(&self) -> Checkpoint {
        self.reader.checkpoint(TopicPartition::new(self.topic.as_ref(), self.index.0))
    }

    /// The epoch in which this node leads the partition.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// This node leads in another epoch.
    pub fn set_leader_epoch(&self, epoch: LeaderEpoch) {
        self.leader_epoch.store(epoch.0, Ordering::Release);
    }

    /// What producers are promised.
    pub fn durability(&self) -> Durability {
        if self.synced.load(Ordering::Acquire) { Durability::Synced } else { Durability::Written }
    }

    /// Producers are promised something else.
    pub fn set_durability(&self, durability: Durability) {
        self.synced.store(durability == Durability::Synced, Ordering::Release);
    }

    /// Whether the disk below failed.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// The disk below failed: every waiter looks again and is told.
    pub fn set_offline(&self) {
        self.offline.store(true, Ordering::Release);
        self.wake_all();
    }

    /// Adds a waiter. It must look at the ends once more afterwards.
    pub fn wait(&self, waiter: Arc<FetchWaiter>) {
        self.waiters().push(waiter);
        self.waiting.store(true, Ordering::SeqCst);
    }

    /// Consumers may read further than before, by about the bytes between the two offsets.
    pub fn advanced(&self, from: Offset, to: Offset) {
        if !self.waiting.load(Ordering::SeqCst) {
            return;
        }
        let bytes = self.reader.bytes_between(from, to) as i64;
        let mut waiters = self.waiters();
        waiters.retain(|waiter| !waiter.arrived(bytes));
        self.waiting.store(!waiters.is_empty(), Ordering::SeqCst);
    }

    /// Leadership, the log start or the disk changed: every waiter looks again.
    pub fn wake_all(&self) {
        let waiters = std::mem::take(&mut *self.waiters());
        for waiter in waiters {
            waiter.arrived(WAKE);
        }
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Vec<Arc<FetchWaiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FetchWaiter {
    /// Waits for `wanted` bytes in all; `waker` wakes its connection.
    pub fn new(wanted: i64, waker: Waker) -> Arc<Self> {
        Arc::new(Self { wanted: AtomicI64::new(wanted), waker })
    }

    /// What wakes its connection.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether enough arrived, or it was cancelled.
    pub fn is_done(&self) -> bool {
        self.wanted.load(Ordering::Acquire) <= 0
    }

    /// Nobody waits any more; partitions let go of it at their next advance.
    pub fn cancel(&self) {
        self.wanted.store(i64::MIN / 2, Ordering::Release);
    }

    /// Counts `bytes`; true when the waiter has what it wanted and can be let go of.
    fn arrived(&self, bytes: i64) -> bool {
        let bytes = bytes.max(1);
        // Every partition that it waits in may count before it is looked at: what is enough must stay enough.
        let before =
            self.wanted.update(Ordering::AcqRel, Ordering::Acquire, |wanted| wanted.saturating_sub(bytes));
        if before > 0 && before <= bytes {
            self.waker.wake_by_ref();
        }
        before <= bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_is_done_when_its_bytes_have_come() {
        let waiter = FetchWaiter::new(100, Waker::noop().clone());
        assert!(!waiter.arrived(60));
        assert!(!waiter.is_done());
        assert!(waiter.arrived(40));
        assert!(waiter.is_done());
        assert!(waiter.arrived(1), "later advances let go of it too");
    }

    #[test]
    fn a_waiter_that_many_partitions_wake_stays_done() {
        let waiter = FetchWaiter::new(1, Waker::noop().clone());
        for _ in 0..5 {
            assert!(waiter.arrived(WAKE));
            assert!(waiter.is_done());
        }
    }

    #[test]
    fn a_cancelled_waiter_is_let_go_of() {
        let waiter = FetchWaiter::new(100, Waker::noop().clone());
        waiter.cancel();
        assert!(waiter.arrived(1));
    }
}
