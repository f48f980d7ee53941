//! An owned copy of a batch's 61-byte header that can be stamped, while the records stay where they are.
//!
//! A leader writes `[stamped header][the client's bytes from 61 on]`: nothing of the payload is copied, and what is
//! stamped in the common case (base offset, leader epoch) stands outside the checksum. A change of the timestamps is
//! inside it, but the new checksum follows from the old one without reading the records again.

use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};

use super::{
    ATTRIBUTES, Attributes, BASE_OFFSET, BASE_SEQUENCE, BASE_TIMESTAMP, BATCH_HEADER_SIZE, Batch, CRC,
    LENGTH, LOG_OVERHEAD, MAX_TIMESTAMP, PARTITION_LEADER_EPOCH, PRODUCER_EPOCH, PRODUCER_ID, TimestampType,
};
use crate::crc::{crc32c, crc32c_of_two, crc32c_with_front_replaced};

/// The header. Its length field still counts the records that are not here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    bytes: [u8; BATCH_HEADER_SIZE],
}

impl BatchHeader {
    pub(super) fn new(bytes: [u8; BATCH_HEADER_SIZE]) -> Self {
        Self { bytes }
    }

    /// The 61 bytes, to be written before the batch's bytes from 61 on.
    pub fn as_bytes(&self) -> &[u8; BATCH_HEADER_SIZE] {
        &self.bytes
    }

    /// The same bytes as a view; [`Batch::payload`] of it is empty.
    pub fn view(&self) -> Batch<'_> {
        Batch::of_header(&self.bytes)
    }

    /// Sets what the leader assigns at append. The checksum does not cover it.
    pub fn stamp(&mut self, base_offset: Offset, partition_leader_epoch: LeaderEpoch) {
        stamp(&mut self.bytes, base_offset, partition_leader_epoch);
    }

    /// Sets timestamp type and max timestamp and corrects the checksum, which must have been right before.
    ///
    /// Does nothing when both are so already, so that the bytes of a well-behaved producer reach the disk unchanged.
    pub fn set_max_timestamp(&mut self, timestamp_type: TimestampType, max_timestamp: i64) {
        let view = self.view();
        if view.attributes().timestamp_type() == timestamp_type && view.max_timestamp() == max_timestamp {
            return;
        }
        let attributes = view.attributes().with_timestamp_type(timestamp_type);
        self.change(|bytes| {
            bytes[ATTRIBUTES..][..2].copy_from_slice(&attributes.0.to_be_bytes());
            bytes[MAX_TIMESTAMP..][..8].copy_from_slice(&max_timestamp.to_be_bytes());
        });
    }

    /// Sets who wrote it and corrects the checksum, which must have been right before: a producer that starts a new
    /// epoch sends what it has again under that epoch.
    pub fn set_producer(&mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: Sequence) {
        self.change(|bytes| {
            bytes[PRODUCER_ID..][..8].copy_from_slice(&id.0.to_be_bytes());
            bytes[PRODUCER_EPOCH..][..2].copy_from_slice(&epoch.0.to_be_bytes());
            bytes[BASE_SEQUENCE..][..4].copy_from_slice(&base_sequence.0.to_be_bytes());
        });
    }

    /// Changes bytes from the attributes on and corrects the checksum.
    fn change(&mut self, change: impl FnOnce(&mut [u8])) {
        let (crc, payload_length) = (self.view().crc(), self.view().size() - BATCH_HEADER_SIZE);
        let old_front = crc32c(&self.bytes[ATTRIBUTES..]);
        change(&mut self.bytes);
        let new_front = crc32c(&self.bytes[ATTRIBUTES..]);
        let crc = crc32c_with_front_replaced(crc, old_front, new_front, payload_length as u64);
        self.bytes[CRC..][..4].copy_from_slice(&crc.to_be_bytes());
    }

    /// Makes it the header of another payload with as many records, numbered without gaps.
    pub(crate) fn describe(
        &mut self,
        attributes: Attributes,
        base_timestamp: i64,
        max_timestamp: i64,
        payload: &[u8],
    ) {
        let length = i32::try_from(BATCH_HEADER_SIZE - LOG_OVERHEAD + payload.len());
        let length = length.expect("a batch is shorter than 2 GiB");
        self.bytes[LENGTH..][..4].copy_from_slice(&length.to_be_bytes());
        self.bytes[ATTRIBUTES..][..2].copy_from_slice(&attributes.0.to_be_bytes());
        self.bytes[BASE_TIMESTAMP..][..8].copy_from_slice(&base_timestamp.to_be_bytes());
        self.bytes[MAX_TIMESTAMP..][..8].copy_from_slice(&max_timestamp.to_be_bytes());
        let crc = crc32c_of_two(&self.bytes[ATTRIBUTES..], payload);
        self.bytes[CRC..][..4].copy_from_slice(&crc.to_be_bytes());
    }
}

impl std::fmt::Debug for BatchHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

/// Sets base offset and leader epoch of the batch at the begin of `bytes`, in place.
///
/// # Panics
/// When there are fewer bytes than a header has.
pub fn stamp(bytes: &mut [u8], base_offset: Offset, partition_leader_epoch: LeaderEpoch) {
    assert!(bytes.len() >= BATCH_HEADER_SIZE, "only a parsed batch is stamped");
    bytes[BASE_OFFSET..][..8].copy_from_slice(&base_offset.0.to_be_bytes());
    bytes[PARTITION_LEADER_EPOCH..][..4].copy_from_slice(&partition_leader_epoch.0.to_be_bytes());
}
