//! The shards of a node and the syncs that they asked for.

use std::sync::Arc;

use base::time::{MonoTime, Now};
use broker::shard::{Effects, Op, Shard, ShardQueue};

use super::{Flag, PendingSync};

/// All shards, of every log directory.
#[derive(Default)]
pub(super) struct Shards {
    shards: Vec<Driven>,
    pub(super) pending: Vec<PendingSync>,
}

struct Driven {
    shard: Shard,
    queue: Arc<ShardQueue>,
    woken: Flag,
}

impl Shards {
    /// One more.
    pub(super) fn add(&mut self) -> Arc<ShardQueue> {
        let woken = Flag::default();
        let queue = Arc::new(ShardQueue::new(woken.waker()));
        self.shards.push(Driven { shard: Shard::default(), queue: queue.clone(), woken });
        queue
    }

    pub(super) fn busy(&self, now: Now) -> Vec<usize> {
        let due = |shard: &Driven| shard.shard.next_timeout().is_some_and(|at| at <= now.mono);
        let busy = self.shards.iter().enumerate().filter(|(_, shard)| shard.woken.is_set() || due(shard));
        busy.map(|(index, _)| index).collect()
    }

    pub(super) fn next_timeout(&self) -> Option<MonoTime> {
        self.shards.iter().filter_map(|shard| shard.shard.next_timeout()).min()
    }

    pub(super) fn run(&mut self, index: usize, now: Now) {
        let driven = &mut self.shards[index];
        driven.woken.take();
        let (mut ops, mut effects) = (Vec::new(), Effects::default());
        driven.queue.drain(&mut ops);
        driven.shard.run(&mut ops, now, &mut effects);
        let syncs = effects.syncs.into_iter().map(|(slot, job)| PendingSync { shard: index, slot, job });
        self.pending.extend(syncs);
        for replies in effects.wakes {
            replies.wake();
        }
    }

    pub(super) fn run_sync(&mut self, index: usize) {
        let PendingSync { shard, slot, job } = self.pending.remove(index);
        self.shards[shard].queue.submit_one(Op::Synced(slot, job.run()));
    }

    /// Runs every shard until its queue is empty, as a stop does.
    pub(super) fn finish(&mut self, now: Now) {
        for index in 0..self.shards.len() {
            self.shards[index].queue.close();
            while self.shards[index].woken.is_set() {
                self.run(index, now);
            }
        }
    }
}
