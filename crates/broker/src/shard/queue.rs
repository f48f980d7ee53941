//! The way into a shard from other threads.
//!
//! Invariant: ops of one caller are done in the order they were submitted. The waker is called only when the queue was
//! empty, so a busy shard is not disturbed; it may run the shard there and then, so no lock may be held at a submit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::Op;
use crate::partition::Slot;

/// A shard's queue and its table of free slots.
pub struct ShardQueue {
    waker: Waker,
    queued: Mutex<Queued>,
}

#[derive(Default)]
struct Queued {
    ops: Vec<Op>,
    generations: Vec<u32>,
    free: Vec<u32>,
    closed: bool,
}

impl ShardQueue {
    /// The queue of the shard that `waker` runs, or has run soon.
    pub fn new(waker: Waker) -> Self {
        Self { waker, queued: Mutex::default() }
    }

    /// Submits all of `ops`, leaving it empty.
    pub fn submit(&self, ops: &mut Vec<Op>) {
        let was_empty = {
            let mut queued = self.queued();
            let was_empty = queued.ops.is_empty();
            queued.ops.append(ops);
            was_empty
        };
        if was_empty {
            self.waker.wake_by_ref();
        }
    }

    /// Submits one op.
    pub fn submit_one(&self, op: Op) {
        self.submit(&mut vec![op]);
    }

    /// Exchanges the queue's ops for the empty `ops`; false when the queue is closed and empty: the shard may end.
    pub fn drain(&self, ops: &mut Vec<Op>) -> bool {
        debug_assert!(ops.is_empty());
        let mut queued = self.queued();
        std::mem::swap(&mut queued.ops, ops);
        !(queued.closed && ops.is_empty())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queued().ops.is_empty()
    }

    /// No more ops will come: the shard ends when it has done what is queued.
    pub fn close(&self) {
        self.queued().closed = true;
        self.waker.wake_by_ref();
    }

    /// A slot for a partition that is about to be adopted.
    pub fn reserve(&self) -> Slot {
        let mut queued = self.queued();
        match queued.free.pop() {
            Some(index) => Slot { index, generation: queued.generations[index as usize] },
            None => {
                queued.generations.push(0);
                Slot { index: queued.generations.len() as u32 - 1, generation: 0 }
            }
        }
    }

    /// The slot's partition was released: the place may be given to another.
    pub fn vacate(&self, slot: Slot) {
        let mut queued = self.queued();
        queued.generations[slot.index as usize] += 1;
        queued.free.push(slot.index);
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
