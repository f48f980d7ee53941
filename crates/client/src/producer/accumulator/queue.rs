//! The queue of one partition: what waits, what is in flight, and when the next batch is to be sent.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use super::sequences::Sequences;
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
    sequences: Sequences,
}

impl Queue {
    pub(super) fn new(partition: TopicPartition) -> Self {
        Self {
            partition,
            waiting: VecDeque::new(),
            in_flight: Vec::new(),
            not_before: None,
            sequences: Sequences::new(),
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
        let sent_before = front.attempts > 0;
        let blocked = if self.sequences.bumping() {
            !self.in_flight.is_empty()
        } else if sent_before {
            self.in_flight.iter().any(|number| *number < front.number)
        } else {
            !self.sequences.may_go_on()
        };
        if blocked {
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
            self.sequences.lose(batch.number);
            expired.push(batch);
        }
    }

    /// Makes sure that there is a producer id, of `free` if the queue has none; false when that is missing too.
    pub(super) fn identified(&mut self, free: &mut Option<Identity>) -> bool {
        debug_assert!(!self.sequences.bumping() || self.in_flight.is_empty(), "it is not due before");
        let sent_before = self.waiting.iter_mut().filter(|batch| batch.stamped.is_some());
        self.sequences.identified(free, sent_before)
    }

    /// Takes the front out to be sent.
    pub(super) fn take(&mut self) -> Batch {
        let mut batch = self.waiting.pop_front().expect("it is due");
        if batch.stamped.is_none() {
            self.sequences.give(&mut batch);
        }
        batch.attempts += 1;
        self.in_flight.push(batch.number);
        self.not_before = None;
        batch
    }

    /// Puts a batch back in its place. One behind others goes after them anyway and does not hold them up.
    pub(super) fn requeue(&mut self, batch: Batch, at: Instant) {
        self.resolve(batch.number);
        let place = self.waiting.partition_point(|other| other.number < batch.number);
        self.waiting.insert(place, batch);
        if place == 0 {
            self.not_before = Some(self.not_before.map_or(at, |before| before.max(at)));
        }
    }

    /// Puts halves in the place of the whole, which was in flight.
    pub(super) fn replace(&mut self, whole: Number, halves: [Batch; 2], at: Instant) {
        self.resolve(whole);
        self.sequences.halve(whole, [halves[0].number, halves[1].number]);
        halves.into_iter().for_each(|half| self.requeue(half, at));
    }

    /// Forgets a batch that is done.
    pub(super) fn finish(&mut self, batch: &Batch, delivered: bool) {
        self.resolve(batch.number);
        if delivered {
            self.sequences.deliver(batch);
        } else {
            self.sequences.lose(batch.number);
        }
    }

    /// See [`Sequences::bump_epoch_for`].
    pub(super) fn bump_epoch_for(&mut self, batch: &Batch) -> bool {
        self.sequences.bump_epoch_for(batch)
    }

    fn resolve(&mut self, number: Number) {
        self.in_flight.retain(|other| *other != number);
    }
}
