//! The queue of one partition, and its sequences.

use std::collections::VecDeque;
use std::time::Duration;

use base::ids::Sequence;
use tokio::time::Instant;

use super::{Settings, next_epoch};
use crate::producer::batch::{Batch, Identity, Number};
use crate::record::{Record, TopicPartition};

/// Bytes that a batch begins with at most; it grows when it needs more.
const FIRST_CAPACITY: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) partition: TopicPartition,
    /// In the order of their numbers.
    pub(super) waiting: VecDeque<Batch>,
    /// Numbers of batches in flight.
    in_flight: Vec<Number>,
    /// Nothing is sent before.
    not_before: Option<Instant>,
    /// Who writes to this partition.
    identity: Option<Identity>,
    next_sequence: Sequence,
    /// Sequences start again under the next epoch as soon as nothing is in flight.
    bumping: bool,
}

impl Queue {
    pub(super) fn new(partition: TopicPartition) -> Self {
        Self {
            partition,
            waiting: VecDeque::new(),
            in_flight: Vec::new(),
            not_before: None,
            identity: None,
            next_sequence: Sequence(0),
            bumping: false,
        }
    }

    /// The batch that takes the record, if there is one with room.
    pub(super) fn open_for(&mut self, record: &Record, timestamp: i64, limit: usize) -> Option<&mut Batch> {
        self.waiting.back_mut().filter(|batch| batch.has_room(record, timestamp, limit))
    }

    /// Begins a batch at the back.
    pub(super) fn begin(&mut self, begun: u64, settings: &Settings, now: Instant) -> &Batch {
        let capacity = settings.batch_size.min(FIRST_CAPACITY);
        let batch = Batch::new(self.partition.clone(), begun, settings.compression, capacity, now);
        self.waiting.push_back(batch);
        self.waiting.back().expect("it was pushed just now")
    }

    /// When the front is to be sent; `None` when that waits for an answer.
    pub(super) fn due(&self, now: Instant, hurry: bool, settings: &Settings) -> Option<Instant> {
        let front = self.waiting.front()?;
        if self.bumping && !self.in_flight.is_empty() {
            return None;
        }
        let sent_before = front.attempts > 0;
        if sent_before && self.in_flight.iter().any(|number| *number < front.number) {
            return None;
        }
        let full = self.waiting.len() > 1 || front.size() >= settings.batch_size;
        let due = if sent_before || full || hurry { now } else { front.created + settings.linger };
        Some(self.not_before.map_or(due, |at| due.max(at)))
    }

    /// Takes out what waited too long.
    pub(super) fn expire(&mut self, now: Instant, timeout: Duration, expired: &mut Vec<Batch>) {
        while self.waiting.front().is_some_and(|front| front.created + timeout <= now) {
            let batch = self.waiting.pop_front().expect("there is a front");
            // Whether the broker has it is unknown, and so is the sequence that it expects next.
            if batch.stamped.is_some() {
                self.bump_epoch();
            }
            expired.push(batch);
        }
    }

    /// Makes sure that there is a producer id, of `free` if the queue has none; false when that is missing too.
    pub(super) fn identified(&mut self, free: &mut Option<Identity>) -> bool {
        if self.bumping {
            debug_assert!(self.in_flight.is_empty(), "it is not due before");
            let Some(current) = *free else { return false };
            *free = next_epoch(current);
            let Some(next) = *free else { return false };
            self.restart(next);
        } else if self.identity.is_none() {
            self.identity = *free;
        }
        self.identity.is_some()
    }

    /// Numbers everything that has a sequence anew.
    fn restart(&mut self, identity: Identity) {
        (self.identity, self.next_sequence, self.bumping) = (Some(identity), Sequence(0), false);
        for batch in self.waiting.iter_mut().filter(|batch| batch.stamped.is_some()) {
            batch.stamp(identity, self.next_sequence);
            self.next_sequence = self.next_sequence.advanced(batch.record_count());
        }
    }

    /// Takes the front out to be sent.
    pub(super) fn take(&mut self) -> Batch {
        let mut batch = self.waiting.pop_front().expect("it is due");
        if let (Some(identity), None) = (self.identity, batch.stamped) {
            batch.stamp(identity, self.next_sequence);
            self.next_sequence = self.next_sequence.advanced(batch.record_count());
        }
        batch.attempts += 1;
        self.in_flight.push(batch.number);
        self.not_before = None;
        batch
    }

    /// Puts a batch back in its place.
    pub(super) fn requeue(&mut self, batch: Batch, at: Instant) {
        self.resolve(batch.number);
        let place = self.waiting.partition_point(|other| other.number < batch.number);
        self.waiting.insert(place, batch);
        self.not_before = Some(self.not_before.map_or(at, |before| before.max(at)));
    }

    pub(super) fn resolve(&mut self, number: Number) {
        self.in_flight.retain(|other| *other != number);
    }

    pub(super) fn has_older(&self, number: Number) -> bool {
        self.in_flight.iter().any(|other| *other < number)
            || self.waiting.front().is_some_and(|front| front.number < number)
    }

    pub(super) fn bump_epoch(&mut self) {
        self.bumping = self.identity.is_some();
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity.filter(|_| !self.bumping)
    }
}
