//! Records of one partition on their way: filled, closed, sent, perhaps sent again.
//!
//! Invariant: once it has a sequence, the batch's bytes never change except for producer id, epoch and sequence, so that
//! the broker recognises a retry.

use std::fmt;
use std::sync::Arc;

use base::ids::{ProducerEpoch, ProducerId, Sequence};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;
use wire::batch::{BATCH_HEADER_SIZE, Batch as WireBatch};
use wire::builder::BatchBuilder;
use wire::compress::{Compression, Compressors, Decompressors};
use wire::record::{RecordHeader, Records};

use super::delivery::{Delivery, Outcome, Placed, metadata_of};
use crate::error::{Error, Result};
use crate::record::{Record, RecordMetadata, TopicPartition};

/// Called once, when the record is delivered or lost.
pub(crate) type Callback = Box<dyn FnOnce(Result<RecordMetadata>) + Send>;

/// A producer id with its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: ProducerId,
    pub(crate) epoch: ProducerEpoch,
}

/// When a batch was begun, and the place of its first record in the batch that was begun then: halves of a batch that was
/// too large stand in the place of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number {
    pub(crate) begun: u64,
    pub(crate) part: i32,
}

pub(crate) struct Batch {
    pub(crate) partition: TopicPartition,
    /// Its place among the batches of its producer.
    pub(crate) number: Number,
    pub(crate) created: Instant,
    /// Bytes of memory that it holds, given back when it is done.
    pub(crate) reserved: usize,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// Who wrote it and with which sequence, once that is decided.
    pub(crate) stamped: Option<(Identity, Sequence)>,
    pub(crate) outcome: Arc<Outcome>,
    content: Content,
    record_count: i32,
    callbacks: Vec<(Callback, i32, i64)>,
}

enum Content {
    /// Still open or waiting.
    Open(BatchBuilder),
    /// Sent at least once.
    Finished(Bytes),
}

impl Batch {
    pub(crate) fn new(
        partition: TopicPartition,
        begun: u64,
        compression: Compression,
        capacity: usize,
        created: Instant,
    ) -> Self {
        Self {
            partition,
            number: Number { begun, part: 0 },
            created,
            reserved: 0,
            attempts: 0,
            stamped: None,
            outcome: Arc::default(),
            content: Content::Open(BatchBuilder::with_capacity(compression, capacity)),
            record_count: 0,
            callbacks: Vec::new(),
        }
    }

    /// Whether the record still fits into `limit` bytes. The first one always does.
    pub(crate) fn has_room(&self, record: &Record, timestamp: i64, limit: usize) -> bool {
        let Content::Open(builder) = &self.content else { return false };
        // A half was sent before, as part of the whole: it has all its sequences.
        if self.attempts > 0 {
            return false;
        }
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.is_empty() || builder.size_with(timestamp, key, value, &record.headers) <= limit
    }

    /// Adds the record.
    pub(crate) fn push(&mut self, record: &Record, timestamp: i64, callback: Option<Callback>) -> Delivery {
        let Content::Open(builder) = &mut self.content else { unreachable!("it has room, so it is open") };
        builder.append(timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
        let place = self.record_count;
        self.record_count += 1;
        self.callbacks.extend(callback.map(|callback| (callback, place, timestamp)));
        Delivery::new(self.outcome.clone(), self.partition.clone(), place, timestamp)
    }

    /// Bytes that it will take in a request, at most.
    pub(crate) fn size(&self) -> usize {
        match &self.content {
            Content::Open(builder) => builder.uncompressed_size(),
            Content::Finished(bytes) => bytes.len(),
        }
    }

    pub(crate) fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Gives it a producer and a sequence, the first time or anew.
    pub(crate) fn stamp(&mut self, identity: Identity, sequence: Sequence) {
        self.stamped = Some((identity, sequence));
        if let Content::Finished(bytes) = &self.content {
            self.content = Content::Finished(restamped(bytes, identity, sequence));
        }
    }

    /// The bytes to send.
    pub(crate) fn bytes(&mut self, compressors: &mut Compressors) -> Bytes {
        if let Content::Open(builder) = &mut self.content {
            let mut builder = std::mem::replace(builder, BatchBuilder::new(Compression::None));
            if let Some((identity, sequence)) = self.stamped {
                builder = builder.producer(identity.id, identity.epoch, sequence);
            }
            self.content = Content::Finished(builder.finish_with(compressors));
        }
        match &self.content {
            Content::Finished(bytes) => bytes.clone(),
            Content::Open(_) => unreachable!("it was finished just now"),
        }
    }

    /// The same records in two batches, in the place of this one, which was sent and is too large for the topic. Whoever
    /// waits for it waits for them.
    ///
    /// # Panics
    /// When there is only one record, or it was never sent.
    pub(crate) fn halves(mut self, compression: Compression, tools: &mut Decompressors) -> [Self; 2] {
        let Content::Finished(bytes) = &self.content else { panic!("only what was sent is too large") };
        let middle = self.record_count / 2;
        assert!(middle > 0, "one record cannot be taken apart");
        let mut halves = [0, middle].map(|first| {
            let mut half = Self::new(self.partition.clone(), 0, compression, 0, self.created);
            half.number = Number { part: self.number.part + first, ..self.number };
            half.attempts = self.attempts;
            half.stamped = self.stamped.map(|(identity, sequence)| (identity, sequence.advanced(first)));
            half
        });
        let records = Records::new(bytes, tools, usize::MAX).expect("we built it");
        for (place, record) in (0..).zip(records) {
            let record = record.expect("we built it");
            let half = &mut halves[usize::from(place >= middle)];
            let Content::Open(builder) = &mut half.content else { unreachable!("it was begun just now") };
            let headers: Vec<RecordHeader> = record.headers.iter().collect();
            builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
            half.record_count += 1;
        }
        for (callback, place, timestamp) in std::mem::take(&mut self.callbacks) {
            let (half, first) = if place < middle { (0, 0) } else { (1, middle) };
            halves[half].callbacks.push((callback, place - first, timestamp));
        }
        halves[1].reserved = self.reserved;
        self.outcome.split(middle, [halves[0].outcome.clone(), halves[1].outcome.clone()]);
        halves
    }

    /// Says what became of it, to futures and callbacks.
    pub(crate) fn complete(&mut self, result: Result<Placed>) {
        for (callback, place, timestamp) in std::mem::take(&mut self.callbacks) {
            callback(metadata_of(result.clone(), &self.partition, place, timestamp));
        }
        self.outcome.complete(result);
    }
}

/// A batch that nobody will complete, because the producer's task is gone, still tells those who wait.
impl Drop for Batch {
    fn drop(&mut self) {
        if !self.outcome.is_complete() {
            for (callback, place, timestamp) in std::mem::take(&mut self.callbacks) {
                callback(metadata_of(Err(Error::Closed), &self.partition, place, timestamp));
            }
            self.outcome.complete(Err(Error::Closed));
        }
    }
}

fn restamped(bytes: &Bytes, identity: Identity, sequence: Sequence) -> Bytes {
    let batch = WireBatch::parse(bytes).expect("we built it");
    let mut header = batch.header();
    header.set_producer(identity.id, identity.epoch, sequence);
    let mut whole = BytesMut::with_capacity(bytes.len());
    whole.extend_from_slice(header.as_bytes());
    whole.extend_from_slice(&bytes[BATCH_HEADER_SIZE..]);
    whole.freeze()
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("partition", &self.partition)
            .field("number", &self.number)
            .field("records", &self.record_count)
            .field("attempts", &self.attempts)
            .field("stamped", &self.stamped)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ids::Offset;

    #[test]
    fn a_retry_has_the_same_bytes_and_a_new_stamp_a_valid_checksum() {
        let mut batch = Batch::new(TopicPartition::new("t", 0), 0, Compression::Gzip(-1), 0, Instant::now());
        for n in 0..10 {
            batch.push(&Record::new("t").value(format!("value {n}")), 1000 + n, None);
        }
        let first = Identity { id: ProducerId(7), epoch: ProducerEpoch(0) };
        batch.stamp(first, Sequence(40));
        let mut compressors = Compressors::new();
        let sent = batch.bytes(&mut compressors);
        assert_eq!(batch.bytes(&mut compressors), sent);
        batch.stamp(Identity { epoch: ProducerEpoch(1), ..first }, Sequence(0));
        let again = batch.bytes(&mut compressors);
        let view = WireBatch::parse(&again).unwrap();
        assert!(view.is_crc_valid());
        assert_eq!((view.producer_epoch(), view.base_sequence()), (ProducerEpoch(1), Sequence(0)));
        assert_eq!(again[BATCH_HEADER_SIZE..], sent[BATCH_HEADER_SIZE..]);
    }

    #[tokio::test]
    async fn halves_stand_in_the_place_of_the_whole() {
        let mut batch = Batch::new(TopicPartition::new("t", 0), 8, Compression::Lz4(9), 0, Instant::now());
        let (told, tell) = (Arc::new(std::sync::Mutex::new(Vec::new())), |n: i64| format!("value {n}"));
        let mut deliveries = Vec::new();
        for n in 0..5 {
            let told = told.clone();
            let callback: Callback =
                Box::new(move |result| told.lock().unwrap().push(result.unwrap().offset));
            let record = Record::new("t").value(tell(n)).header("h", "x");
            deliveries.push(batch.push(&record, 1000 + n, Some(callback)));
        }
        batch.stamp(Identity { id: ProducerId(7), epoch: ProducerEpoch(0) }, Sequence(40));
        let _ = batch.bytes(&mut Compressors::new());
        let tools = &mut Decompressors::new();
        let [first, second] = batch.halves(Compression::Lz4(9), tools);
        assert_eq!((first.record_count(), second.record_count()), (2, 3));
        assert_eq!((first.number.part, second.number.part), (0, 2));
        assert_eq!(second.stamped.map(|(_, sequence)| sequence), Some(Sequence(42)));
        let mut second = second;
        let bytes = second.bytes(&mut Compressors::new());
        let values: Vec<_> =
            Records::new(&bytes, tools, 1000).unwrap().map(|one| one.unwrap().value.unwrap()).collect();
        assert_eq!(values, [tell(2), tell(3), tell(4)]);
        let placed = |offset| Ok(Placed { base_offset: Offset(offset), log_append_time: None });
        // A half may be halved again.
        let [third, fourth] = second.halves(Compression::None, tools);
        for (mut half, offset) in [(first, 100), (third, 200), (fourth, 201)] {
            half.complete(placed(offset));
        }
        let mut offsets = Vec::new();
        for delivery in deliveries {
            offsets.push(delivery.await.unwrap().offset);
        }
        let expect = [100, 101, 200, 201, 202].map(Offset);
        assert_eq!((&offsets[..], &told.lock().unwrap()[..]), (&expect[..], &expect[..]));
    }
}
