//! A shard: the partitions that one thread at a time works on, and the queue by which others reach them.
//!
//! ```text
//!  connections ──► ShardQueue ──► Shard::run: stage all ─► one write per partition ─► answers ─► wakes
//!  sync pool   ──►    (ops)                                        └─► sync jobs ──► sync pool
//! ```
//! A plain value: whoever drives it brings the ops and the time, and carries out the effects. Invariants: a partition has
//! at most one sync under way; nobody is woken before everything that was drained together is answered.

mod hosted;
mod queue;

use std::sync::Arc;

use base::ids::LeaderEpoch;
use base::time::{MonoTime, Now};
use bytes::Bytes;
use replication::acks::Acks;
use storage::config::LogConfig;
use storage::log::Log;
use storage::sync::{SyncJob, Synced};

use crate::apis::produce::ProducePart;
use crate::partition::{PartitionShared, Slot};
use crate::replies::Replies;

use hosted::Hosted;
pub use queue::ShardQueue;

/// One thing to do for a partition.
pub enum Op {
    /// A producer's batch.
    Append(Append),
    /// A log to own from now on.
    Adopt(Box<Adopt>),
    /// Another configuration.
    Configure(Slot, Arc<LogConfig>),
    /// This node leads in another epoch.
    Lead(Slot, LeaderEpoch),
    /// A sync ended.
    Synced(Slot, Synced),
    /// The log is handed back, to be closed or deleted.
    Release(Slot, Box<dyn FnOnce(Log) + Send>),
    /// Something to do with the log on the thread that owns it, such as a step of a compaction. An error takes the log
    /// offline. Dropped if the log is not here.
    Visit(Slot, Visit),
    /// The log's directory failed.
    TakeOffline(Slot),
    /// Retention, expiry and files to be removed, for all partitions.
    Maintain,
}

/// What an [`Op::Visit`] does.
pub type Visit = Box<dyn FnOnce(&mut Log, Now) -> Result<(), storage::Error> + Send>;

/// A batch to append.
pub struct Append {
    /// Where.
    pub slot: Slot,
    /// The batch as the client sent it.
    pub batch: Bytes,
    /// When its producer is answered.
    pub acks: Acks,
    /// The part of a produce that it is.
    pub part: ProducePart,
}

/// A log that comes to a shard.
pub struct Adopt {
    /// Its place, given by the queue.
    pub slot: Slot,
    /// The log.
    pub log: Log,
    /// Its shared side.
    pub shared: Arc<PartitionShared>,
    /// What governs it.
    pub config: Arc<LogConfig>,
}

/// What a shard asks its driver to do after a run.
#[derive(Default)]
pub struct Effects {
    /// Connections that have an answer.
    pub wakes: Vec<Arc<Replies>>,
    /// Syncs to run elsewhere; their end comes back as [`Op::Synced`].
    pub syncs: Vec<(Slot, SyncJob)>,
    /// Logs that went offline, by name with the reason.
    pub failures: Vec<String>,
    /// There is a log whose `cleanup.policy` has `compact`, which it may not have had before.
    pub has_compacted: bool,
}

/// Partitions that are worked on together.
#[derive(Default)]
pub struct Shard {
    slots: Vec<Option<Hosted>>,
    /// Slots with something staged in this run, each once.
    touched: Vec<Slot>,
    /// When `flush.ms` or a file to be removed asks for a look.
    next_timeout: Option<MonoTime>,
}

impl Shard {
    /// Does all of `ops`, leaving it empty, and says in `effects` what is left to others.
    pub fn run(&mut self, ops: &mut Vec<Op>, now: Now, effects: &mut Effects) {
        for op in ops.drain(..) {
            self.on(op, now, effects);
        }
        if self.next_timeout.is_some_and(|at| at <= now.mono) {
            self.on_timeout(now);
        }
        let mut touched = std::mem::take(&mut self.touched);
        for slot in touched.drain(..) {
            let Some(hosted) = self.get(slot) else { continue };
            hosted.settle(slot, now, effects);
            if let Some(at) = hosted.next_flush_at() {
                self.look_at(at);
            }
        }
        self.touched = touched;
    }

    /// When [`Shard::run`] must be called at the latest, if only with no ops.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        self.next_timeout
    }

    fn on(&mut self, op: Op, now: Now, effects: &mut Effects) {
        match op {
            Op::Append(append) => match self.get(append.slot) {
                Some(hosted) => {
                    let slot = append.slot;
                    if hosted.stage(append, now, effects) {
                        self.touched.push(slot);
                    }
                }
                None => append.part.refuse_gone(effects),
            },
            Op::Synced(slot, synced) => {
                if let Some(hosted) = self.get(slot) {
                    hosted.synced(slot, synced, now, effects);
                    self.touch(slot);
                }
            }
            Op::Adopt(adopt) => {
                let slot = adopt.slot;
                effects.has_compacted |= adopt.config.cleanup_policy.compact;
                self.adopt(*adopt);
                // What a crash left may not be on disk yet: where that counts, nothing is readable before it is.
                self.touch(slot);
            }
            Op::Configure(slot, config) => {
                if let Some(hosted) = self.get(slot) {
                    effects.has_compacted |= config.cleanup_policy.compact;
                    hosted.configure(config);
                    self.touch(slot);
                }
            }
            Op::Lead(slot, epoch) => {
                if let Some(hosted) = self.get(slot) {
                    hosted.lead(epoch);
                }
            }
            Op::Visit(slot, visit) => {
                if let Some(hosted) = self.get(slot) {
                    hosted.visit(visit, now, effects);
                }
            }
            Op::TakeOffline(slot) => {
                if let Some(hosted) = self.get(slot) {
                    hosted.take_offline(effects);
                }
            }
            Op::Release(slot, take) => self.release(slot, take, now, effects),
            Op::Maintain => {
                for hosted in self.slots.iter_mut().flatten() {
                    if let Some(at) = hosted.maintain(now, effects) {
                        self.next_timeout = Some(self.next_timeout.map_or(at, |next| next.min(at)));
                    }
                }
            }
        }
    }

    fn adopt(&mut self, adopt: Adopt) {
        let index = adopt.slot.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        debug_assert!(self.slots[index].is_none(), "a slot is given out again only after its release");
        self.slots[index] = Some(Hosted::new(adopt));
    }

    /// Everything staged is written and answered before the log leaves.
    fn release(&mut self, slot: Slot, take: Box<dyn FnOnce(Log) + Send>, now: Now, effects: &mut Effects) {
        if let Some(hosted) = self.get(slot) {
            hosted.settle(slot, now, effects);
            let hosted = self.slots[slot.index as usize].take().expect("it was there just now");
            take(hosted.release(effects));
        }
    }

    fn on_timeout(&mut self, now: Now) {
        self.next_timeout = None;
        for index in 0..self.slots.len() {
            let Some(hosted) = &mut self.slots[index] else { continue };
            let slot = hosted.slot();
            match hosted.next_flush_at() {
                Some(at) if at <= now.mono => self.touch(slot),
                Some(at) => self.look_at(at),
                None => {}
            }
        }
    }

    fn get(&mut self, slot: Slot) -> Option<&mut Hosted> {
        self.slots.get_mut(slot.index as usize)?.as_mut().filter(|hosted| hosted.slot() == slot)
    }

    fn touch(&mut self, slot: Slot) {
        if !self.touched.contains(&slot) {
            self.touched.push(slot);
        }
    }

    fn look_at(&mut self, at: MonoTime) {
        self.next_timeout = Some(self.next_timeout.map_or(at, |next| next.min(at)));
    }
}
