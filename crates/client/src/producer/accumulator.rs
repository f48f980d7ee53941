//! Records that wait to be sent, as batches, a queue per partition. Pure: time and metadata come in as arguments.
//!
//! ```text
//!            append ──► [ …, closed, closed, open ]        new batches enter at the back
//! drain ◄── [ retried, retried, closed, … ]                retried ones return to their place by number
//! ```
//! Invariants: batches are numbered in the order in which they were begun, and `waiting` is in that order; a batch that
//! was sent before is sent again only when none with a lower number is in flight, so that a partition's order survives
//! retries; sequences are given out in the order of numbers.

mod queue;
mod sequences;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::{NodeId, PartitionIndex, ProducerEpoch};
use tokio::time::Instant;
use wire::compress::Compression;

use super::batch::{Batch, Callback, Identity, Number};
use super::delivery::{Delivery, Outcome};
use super::partitioner::{Candidate, Sticky, partition_of_key};
use crate::cluster::{Metadata, Topic};
use crate::error::{Error, Result};
use crate::random::Random;
use crate::record::{Record, TopicPartition};
use queue::Queue;

/// What decides when a batch is full or due.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) batch_size: usize,
    pub(crate) linger: Duration,
    pub(crate) compression: Compression,
    pub(crate) delivery_timeout: Duration,
    pub(crate) max_request_size: usize,
    pub(crate) idempotent: bool,
}

/// All queues of a producer.
#[derive(Debug)]
pub(crate) struct Accumulator {
    settings: Settings,
    topics: HashMap<Arc<str>, Queues>,
    queues: Vec<Queue>,
    /// Where the next drain starts, so that no partition is always the last.
    start: usize,
    /// The producer id for partitions that have none yet.
    identity: Option<Identity>,
    /// Batches that are not done, in the order in which they were begun.
    unfinished: BTreeMap<Number, Arc<Outcome>>,
    begun: u64,
    random: Random,
    flushing: usize,
    closed: Option<Error>,
}

/// The queues of one topic.
#[derive(Debug)]
struct Queues {
    sticky: Sticky,
    /// Places in `Accumulator::queues`, by partition.
    places: Vec<usize>,
}

/// What an append did.
pub(crate) struct Appended {
    pub(crate) delivery: Delivery,
    /// Whether the sender has something new to decide.
    pub(crate) wake: bool,
}

/// What a leader can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// A request now.
    Free,
    /// Nothing until an answer comes.
    Busy,
    /// Nothing until it is connected.
    NotConnected,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Requests to send: one per leader at most.
    pub(crate) requests: BTreeMap<NodeId, Vec<Batch>>,
    /// Batches whose time is over.
    pub(crate) expired: Vec<Batch>,
    /// Leaders that have no connection.
    pub(crate) connect: Vec<NodeId>,
    /// Whether a batch is due whose leader is unknown.
    pub(crate) leaderless: bool,
    /// Whether a producer id is needed.
    pub(crate) identify: bool,
    /// When there will be something to do without anything happening before.
    pub(crate) wake: Option<Instant>,
}

impl Plan {
    fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

impl Accumulator {
    pub(crate) fn new(settings: Settings, random: Random) -> Self {
        Self {
            settings,
            topics: HashMap::new(),
            queues: Vec::new(),
            start: 0,
            identity: None,
            unfinished: BTreeMap::new(),
            begun: 0,
            random,
            flushing: 0,
            closed: None,
        }
    }

    /// Adds a record for whose bytes memory was reserved.
    pub(crate) fn append(
        &mut self,
        record: &Record,
        topic: &Topic,
        reserved: usize,
        (now, timestamp): (Instant, i64),
        callback: Option<Callback>,
    ) -> Result<Appended> {
        if let Some(error) = &self.closed {
            return Err(error.clone());
        }
        self.add_queues(topic);
        let index = self.partition_of(record, topic)?;
        let place = self.topics[&topic.name].places[index.0 as usize];
        let settings = &self.settings;
        let queue = &mut self.queues[place];
        let begin = queue.open_for(record, timestamp, settings.batch_size).is_none();
        if begin {
            self.begun += 1;
            let batch = queue.begin(self.begun, settings, now);
            self.unfinished.insert(batch.number, batch.outcome.clone());
        }
        let waiting = queue.waiting.len();
        let batch = queue.waiting.back_mut().expect("one was begun if there was none");
        let before = batch.size();
        batch.reserved += reserved;
        let delivery = batch.push(record, timestamp, callback);
        let full = batch.size() >= settings.batch_size;
        if record.partition.is_none() && record.key.is_none() {
            let bytes = batch.size() - before;
            let queues = self.topics.get_mut(&topic.name).expect("it was added");
            queues.sticky.appended(bytes, full || begin && waiting > 1, settings.batch_size);
        }
        Ok(Appended { delivery, wake: begin || full })
    }

    fn add_queues(&mut self, topic: &Topic) {
        if self.topics.get(&topic.name).is_some_and(|known| known.places.len() >= topic.partitions.len()) {
            return;
        }
        let entry = self.topics.entry(topic.name.clone());
        let known = entry.or_insert_with(|| Queues { sticky: Sticky::new(), places: Vec::new() });
        for partition in known.places.len()..topic.partitions.len() {
            known.places.push(self.queues.len());
            self.queues.push(Queue::new(TopicPartition::new(topic.name.clone(), partition as i32)));
        }
    }

    fn partition_of(&mut self, record: &Record, topic: &Topic) -> Result<PartitionIndex> {
        let count = topic.partitions.len();
        if let Some(index) = record.partition {
            return if (0..count as i32).contains(&index.0) {
                Ok(index)
            } else {
                Err(Error::Invalid(format!(
                    "Partition {index} of topic {} with partition count {count} is not present in metadata.",
                    topic.name
                )))
            };
        }
        if count == 0 {
            return Err(Error::refused(ErrorCode::LEADER_NOT_AVAILABLE, None));
        }
        if let Some(key) = &record.key {
            return Ok(partition_of_key(key, count));
        }
        let queues = self.topics.get_mut(&topic.name).expect("queues were added");
        let (places, all) = (&queues.places, &self.queues);
        Ok(queues.sticky.partition(&mut self.random, || candidates(topic, places, all)))
    }

    /// What is due at `now`: takes batches out of their queues. Called again until it takes nothing more.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        metadata: &Metadata,
        hurry: bool,
        capacity: impl Fn(NodeId) -> Capacity,
    ) -> Plan {
        let mut plan = Plan::default();
        let mut sizes: HashMap<NodeId, usize> = HashMap::new();
        let hurry = hurry || self.flushing > 0 || self.closed.is_some();
        let count = self.queues.len();
        self.start = if count == 0 { 0 } else { (self.start + 1) % count };
        for step in 0..count {
            let place = (self.start + step) % count;
            let queue = &mut self.queues[place];
            queue.expire(now, self.settings.delivery_timeout, &mut plan.expired);
            let Some(front) = queue.waiting.front() else { continue };
            plan.wake_at(front.created + self.settings.delivery_timeout);
            match queue.due(now, hurry, &self.settings) {
                Some(due) if due > now => {
                    plan.wake_at(due);
                    continue;
                }
                Some(_) => {}
                None => continue,
            }
            let Some(leader) = metadata.leader(&queue.partition) else {
                plan.leaderless = true;
                continue;
            };
            let size = front.size();
            let filled = sizes.entry(leader).or_default();
            if *filled > 0 && *filled + size > self.settings.max_request_size {
                continue;
            }
            match capacity(leader) {
                Capacity::Free => {}
                Capacity::Busy => continue,
                Capacity::NotConnected => {
                    plan.connect.push(leader);
                    continue;
                }
            }
            if self.settings.idempotent && !queue.identified(&mut self.identity) {
                plan.identify = true;
                continue;
            }
            *filled += size;
            let batch = queue.take();
            plan.requests.entry(leader).or_default().push(batch);
        }
        plan
    }

    /// Puts a batch back that is to be sent again, not before `at`.
    pub(crate) fn requeue(&mut self, batch: Batch, at: Instant) {
        self.queue(&batch.partition).requeue(batch, at);
    }

    /// The broker called the batch out of order. The partition's sequences start again under a new epoch, once nothing of
    /// it is in flight, when the batch was the oldest and nothing behind it was delivered (KIP-360); gives whether.
    pub(crate) fn bump_epoch_for(&mut self, batch: &Batch) -> bool {
        self.queue(&batch.partition).bump_epoch_for(batch)
    }

    /// Forgets a batch that was in flight or expired and is done.
    pub(crate) fn finish(&mut self, batch: &Batch, delivered: bool) {
        self.unfinished.remove(&batch.number);
        self.queue(&batch.partition).finish(batch, delivered);
    }

    /// The producer id for what has none yet.
    pub(crate) fn identify(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// All batches that wait, taken out: the producer failed for good.
    pub(crate) fn fail(&mut self, error: &Error) -> Vec<Batch> {
        self.closed = Some(error.clone());
        self.queues.iter_mut().flat_map(|queue| queue.waiting.drain(..)).collect()
    }

    /// No more records are taken.
    pub(crate) fn close(&mut self) {
        self.closed.get_or_insert(Error::Closed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether every batch is done.
    pub(crate) fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// Puts the halves of a batch that was too large in its place, to be sent again at once.
    pub(crate) fn replace(&mut self, whole: Number, halves: [Batch; 2], now: Instant) {
        self.unfinished.remove(&whole);
        for half in &halves {
            self.unfinished.insert(half.number, half.outcome.clone());
        }
        self.queue(&halves[0].partition.clone()).replace(whole, halves, now);
    }

    /// Everything is due until [`Self::end_flush`]; gives the last batch that was begun before.
    pub(crate) fn begin_flush(&mut self) -> u64 {
        self.flushing += 1;
        self.begun
    }

    /// The oldest batch up to that one which is not done.
    pub(crate) fn unfinished_up_to(&self, begun: u64) -> Option<Arc<Outcome>> {
        let (number, outcome) = self.unfinished.first_key_value()?;
        (number.begun <= begun).then(|| outcome.clone())
    }

    pub(crate) fn end_flush(&mut self) {
        self.flushing -= 1;
    }

    fn queue(&mut self, partition: &TopicPartition) -> &mut Queue {
        let place = self.topics[&partition.topic].places[partition.partition.0 as usize];
        &mut self.queues[place]
    }
}

/// Partitions with a leader, or all when none has one.
fn candidates(topic: &Topic, places: &[usize], queues: &[Queue]) -> Vec<Candidate> {
    let candidate = |partition: &crate::cluster::Partition| Candidate {
        partition: partition.index,
        waiting: queues[places[partition.index.0 as usize]].waiting.len(),
    };
    let led: Vec<_> = topic.partitions.iter().filter(|one| one.leader.is_some()).map(candidate).collect();
    if led.is_empty() { topic.partitions.iter().map(candidate).collect() } else { led }
}

/// The next epoch of the same producer id; `None` when there is none left.
fn next_epoch(identity: Identity) -> Option<Identity> {
    Some(Identity { epoch: ProducerEpoch(identity.epoch.0.checked_add(1)?), ..identity })
}

#[cfg(test)]
mod tests;
