//! Making a batch: records go in one by one, the bytes of a batch of magic 2 come out.
//!
//! Invariant: what comes out is valid by [`Batch`](crate::batch::Batch)'s own reading: right length, checksum, record
//! count, offset deltas in ascending order, and a max timestamp that is that of its records.

use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use bytes::Bytes;

use crate::batch::{
    ATTRIBUTES, Attributes, BATCH_HEADER_SIZE, CRC, LENGTH, LOG_OVERHEAD, NO_TIMESTAMP, TimestampType,
};
use crate::compress::{Compression, Compressors};
use crate::crc::crc32c;
use crate::record::{RecordHeader, body_size, put_record};
use crate::varint::varint_size;

/// A batch being filled. Starts as what a plain producer sends: base offset 0, no leader epoch, no producer id.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    compression: Compression,
    attributes: Attributes,
    base_offset: Offset,
    partition_leader_epoch: LeaderEpoch,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: Sequence,
    base_timestamp: i64,
    max_timestamp: i64,
    last_offset_delta: i32,
    record_count: i32,
    /// Uncompressed, and behind room for the header so that an uncompressed batch needs no copy.
    bytes: Vec<u8>,
}

impl BatchBuilder {
    /// An empty one.
    pub fn new(compression: Compression) -> Self {
        Self::with_capacity(compression, 0)
    }

    /// An empty one with room for `capacity` bytes of uncompressed batch, header included.
    pub fn with_capacity(compression: Compression, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity.max(BATCH_HEADER_SIZE));
        bytes.resize(BATCH_HEADER_SIZE, 0);
        Self {
            compression,
            attributes: Attributes::default().with_compression(compression.compression_type()),
            base_offset: Offset::ZERO,
            partition_leader_epoch: LeaderEpoch::NONE,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            last_offset_delta: -1,
            record_count: 0,
            bytes,
        }
    }

    /// Sets the offset of the first record; a producer leaves it 0, a leader knows it.
    pub fn base_offset(mut self, base_offset: Offset) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// Sets the epoch of the leader that appends it.
    pub fn partition_leader_epoch(mut self, partition_leader_epoch: LeaderEpoch) -> Self {
        self.partition_leader_epoch = partition_leader_epoch;
        self
    }

    /// Sets who wrote it and the sequence of its first record; markers have no sequence.
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: Sequence) -> Self {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, base_sequence);
        self
    }

    /// Changes the sequence alone, as a producer does that numbers its batches only when they are sent.
    pub fn set_base_sequence(&mut self, base_sequence: Sequence) {
        self.base_sequence = base_sequence;
    }

    /// Says whether it is part of a transaction.
    pub fn transactional(mut self, transactional: bool) -> Self {
        self.attributes = self.attributes.with_transactional(transactional);
        self
    }

    /// Says whether its records are control records.
    pub fn control(mut self, control: bool) -> Self {
        self.attributes = self.attributes.with_control(control);
        self
    }

    /// Says that timestamps are the time of the append, in ms, whatever records bring along.
    pub fn log_append_time(mut self, now: i64) -> Self {
        self.attributes = self.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        (self.base_timestamp, self.max_timestamp) = (now, now);
        self
    }

    /// Adds a record at the next offset. `timestamp` in ms, [`NO_TIMESTAMP`] for none.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader],
    ) {
        self.append_at(self.last_offset_delta + 1, timestamp, key, value, headers);
    }

    /// Adds a record at base offset plus `offset_delta`, as compaction does: offsets may have gaps.
    ///
    /// # Panics
    /// When the delta is not above the last one.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader],
    ) {
        assert!(offset_delta > self.last_offset_delta, "offsets of a batch ascend");
        let delta = self.timestamp_delta(timestamp);
        put_record(&mut self.bytes, delta, offset_delta, key, value, headers);
        self.last_offset_delta = offset_delta;
        self.record_count += 1;
    }

    fn timestamp_delta(&mut self, timestamp: i64) -> i64 {
        if self.attributes.timestamp_type() == TimestampType::LogAppendTime {
            return 0;
        }
        if self.record_count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        timestamp.wrapping_sub(self.base_timestamp)
    }

    /// Records so far.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Bytes of the batch so far, header included, without compression: an upper bound for any codec that helps.
    pub fn uncompressed_size(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that a record would add before compression; `timestamp` as in [`Self::append`].
    pub fn size_with(
        &self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader],
    ) -> usize {
        let base = if self.record_count == 0 { timestamp } else { self.base_timestamp };
        let delta = timestamp.wrapping_sub(base);
        let body = body_size(delta, self.last_offset_delta + 1, key, value, headers);
        self.bytes.len() + varint_size(body as i32) + body
    }

    /// The finished batch. Contexts are made and thrown away; see [`Self::finish_with`].
    pub fn finish(self) -> Bytes {
        self.finish_with(&mut Compressors::new())
    }

    /// The finished batch, compressed with reused contexts.
    ///
    /// # Panics
    /// When there is no record: such a batch is refused everywhere.
    pub fn finish_with(mut self, compressors: &mut Compressors) -> Bytes {
        assert!(self.record_count > 0, "a batch has records");
        let mut bytes = if self.compression == Compression::None {
            std::mem::take(&mut self.bytes)
        } else {
            let mut compressed = Vec::with_capacity(BATCH_HEADER_SIZE + self.bytes.len() / 2);
            compressed.resize(BATCH_HEADER_SIZE, 0);
            compressors.compress(self.compression, &self.bytes[BATCH_HEADER_SIZE..], &mut compressed);
            compressed
        };
        self.put_header(&mut bytes);
        Bytes::from(bytes)
    }

    fn put_header(&self, bytes: &mut [u8]) {
        let length = i32::try_from(bytes.len() - LOG_OVERHEAD).expect("a batch is shorter than 2 GiB");
        let mut header = Vec::with_capacity(BATCH_HEADER_SIZE);
        header.extend_from_slice(&self.base_offset.0.to_be_bytes());
        debug_assert_eq!(header.len(), LENGTH);
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&self.partition_leader_epoch.0.to_be_bytes());
        header.push(2);
        header.extend_from_slice(&[0; 4]);
        debug_assert_eq!(header.len(), ATTRIBUTES);
        header.extend_from_slice(&self.attributes.0.to_be_bytes());
        header.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        header.extend_from_slice(&self.base_timestamp.to_be_bytes());
        header.extend_from_slice(&self.max_timestamp.to_be_bytes());
        header.extend_from_slice(&self.producer_id.0.to_be_bytes());
        header.extend_from_slice(&self.producer_epoch.0.to_be_bytes());
        header.extend_from_slice(&self.base_sequence.0.to_be_bytes());
        header.extend_from_slice(&self.record_count.to_be_bytes());
        bytes[..BATCH_HEADER_SIZE].copy_from_slice(&header);
        let crc = crc32c(&bytes[ATTRIBUTES..]);
        bytes[CRC..][..4].copy_from_slice(&crc.to_be_bytes());
    }
}
