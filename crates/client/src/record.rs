//! Records on their way out and in, and where they stand.

use std::fmt;
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset, PartitionIndex};
use bytes::Bytes;
pub use wire::batch::TimestampType;
pub use wire::record::{RecordHeader, RecordHeaders};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: PartitionIndex,
}

impl TopicPartition {
    /// The partition with this index, from 0.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: PartitionIndex(partition) }
    }
}

/// `topic-0`, as Kafka writes it.
impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A record to be sent.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it goes.
    pub topic: Arc<str>,
    /// The partition; without one the partitioner chooses.
    pub partition: Option<PartitionIndex>,
    /// Milliseconds since the epoch; without one the time of `send`.
    pub timestamp: Option<i64>,
    /// Records with equal keys go to the same partition.
    pub key: Option<Bytes>,
    /// The value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Annotations.
    pub headers: Vec<RecordHeader>,
}

impl Record {
    /// A record without key and value.
    pub fn new(topic: impl Into<Arc<str>>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// With this key.
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With this value.
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// With this header, after those that it has.
    pub fn header(mut self, key: &str, value: impl Into<Bytes>) -> Self {
        self.headers.push(RecordHeader::new(key, value));
        self
    }

    /// To this partition.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(PartitionIndex(partition));
        self
    }

    /// With this timestamp, in milliseconds since the epoch.
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }
}

/// Where a delivered record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Its partition.
    pub partition: TopicPartition,
    /// Its offset; -1 when the server did not say (acks 0, or a duplicate that it had already).
    pub offset: Offset,
    /// Its timestamp: the producer's, or the time of the append where the topic says so.
    pub timestamp: i64,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: PartitionIndex,
    /// Its offset.
    pub offset: Offset,
    /// The epoch of the leader that appended it; [`LeaderEpoch::NONE`] in old formats.
    pub leader_epoch: LeaderEpoch,
    /// Milliseconds since the epoch; -1 when it has none.
    pub timestamp: i64,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Annotations.
    pub headers: RecordHeaders,
}
