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
use wire::compress::{Compression, Compressors};

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

pub(crate) struct Batch {
    pub(crate) partition: TopicPartition,
    /// Counts up within the partition.
    pub(crate) number: u64,
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
        number: u64,
        compression: Compression,
        capacity: usize,
        created: Instant,
    ) -> Self {
        Self {
            partition,
            number,
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

    /// Says what became of it, to futures and callbacks.
    pub(crate) fn complete(mut self, result: Result<Placed>) {
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
}
