//! A record batch of magic 2 as a view over its bytes, and the walk over batches that stand one after another.
//!
//! ```text
//!  0        8      12     16 17   21 23    27       35       43       51 53    57    61
//!  +--------+------+------+-+----+--+------+--------+--------+--------+--+-----+-----+--------
//!  |base    |batch |leader|m|crc |at|last  |base    |max     |producer|ep|base |count|records …
//!  |offset  |length|epoch |a|32c |tr|offset|time-   |time-   |id      |oc|seq- |of   |
//!  |        |      |      |g|    |ib|delta |stamp   |stamp   |        |h |uence|recs |
//!  +--------+------+------+-+----+--+------+--------+--------+--------+--+-----+-----+--------
//!           |<- batch length counts from here ----------------------------------------------->
//!                             |<- the checksum covers from here ------------------------------>
//! ```
//! All numbers are big endian. Invariant: a [`Batch`] always has its 61 bytes of header and a sane length and magic;
//! everything else in it is as untrusted as its source. The records may be absent (a scan reads headers alone).

use std::fmt;

use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use thiserror::Error;

mod attributes;
mod header;

pub use attributes::{Attributes, TimestampType};
pub use header::{BatchHeader, stamp};

/// Bytes of a header, base offset and length included.
pub const BATCH_HEADER_SIZE: usize = 61;
/// Bytes before those that the length field counts: base offset and length.
pub const LOG_OVERHEAD: usize = 12;
/// Bytes that every format shares, up to and with the magic.
pub const HEADER_SIZE_UP_TO_MAGIC: usize = 17;
/// The smallest length field of any format: a magic-0 message without key and value.
const MIN_LENGTH: i32 = 14;
/// "No timestamp".
pub const NO_TIMESTAMP: i64 = -1;

pub(crate) const BASE_OFFSET: usize = 0;
pub(crate) const LENGTH: usize = 8;
pub(crate) const PARTITION_LEADER_EPOCH: usize = 12;
pub(crate) const MAGIC: usize = 16;
pub(crate) const CRC: usize = 17;
pub(crate) const ATTRIBUTES: usize = 21;
pub(crate) const LAST_OFFSET_DELTA: usize = 23;
pub(crate) const BASE_TIMESTAMP: usize = 27;
pub(crate) const MAX_TIMESTAMP: usize = 35;
pub(crate) const PRODUCER_ID: usize = 43;
pub(crate) const PRODUCER_EPOCH: usize = 51;
pub(crate) const BASE_SEQUENCE: usize = 53;
pub(crate) const RECORD_COUNT: usize = 57;

/// Why bytes are not a batch of magic 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// The bytes end inside the batch: a torn tail, or a fetch that was cut at its size limit.
    #[error("batch ends early: {needed} bytes needed, {left} left")]
    Torn {
        /// Bytes that the batch (or what is known of it) needs from its begin.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// The length field is smaller than the least that its format needs.
    #[error("invalid batch length {0}")]
    InvalidLength(i32),
    /// A message set of magic 0 or 1; see [`crate::legacy`].
    #[error("message format of magic {0}")]
    LegacyMagic(i8),
    /// A magic that no format has.
    #[error("unknown magic {0}")]
    UnknownMagic(i8),
}

/// What every format has in its first 17 bytes, enough to find the next entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Magic 2: the offset of the first record. Magic 0 and 1: of the last one.
    pub offset: Offset,
    /// All its bytes, those before the length field's range included.
    pub size: usize,
    /// 0, 1 or 2.
    pub magic: i8,
}

impl LogEntry {
    /// Reads the first 17 bytes; the rest may be absent.
    ///
    /// # Errors
    /// All of [`BatchError`] but `LegacyMagic`.
    #[inline]
    pub fn peek(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(prefix) = bytes.first_chunk::<HEADER_SIZE_UP_TO_MAGIC>() else {
            // Kafka looks at the length as soon as it is there, so that a lie is corrupt rather than torn.
            if let Some(length) = bytes.get(LENGTH..LOG_OVERHEAD) {
                check_length(be_i32(length), MIN_LENGTH)?;
            }
            return Err(BatchError::Torn { needed: HEADER_SIZE_UP_TO_MAGIC, left: bytes.len() });
        };
        let length = be_i32(&prefix[LENGTH..]);
        check_length(length, MIN_LENGTH)?;
        let magic = prefix[MAGIC] as i8;
        if !(0..=2).contains(&magic) {
            return Err(BatchError::UnknownMagic(magic));
        }
        let offset = Offset(i64::from_be_bytes(*prefix.first_chunk().expect("17 bytes are more than 8")));
        Ok(Self { offset, size: LOG_OVERHEAD + length as usize, magic })
    }
}

/// A view over the bytes of one batch. Copying it copies a pointer and a length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    header: &'a [u8; BATCH_HEADER_SIZE],
    payload: &'a [u8],
}

macro_rules! field {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $raw:ident at $at:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(&self) -> $type {
                const SIZE: usize = size_of::<$raw>();
                let bytes = self.header[$at..$at + SIZE].first_chunk::<SIZE>().expect("inside the header");
                <$raw>::from_be_bytes(*bytes).into()
            }
        )*
    };
}

impl<'a> Batch<'a> {
    /// The whole batch at the begin of `bytes`; what follows it is left alone.
    ///
    /// # Errors
    /// `Torn` when its last byte is not there; others when it is no batch of magic 2.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let batch = Self::parse_header(bytes)?;
        if bytes.len() < batch.size() {
            return Err(BatchError::Torn { needed: batch.size(), left: bytes.len() });
        }
        Ok(batch)
    }

    /// The batch at the begin of `bytes`, of which only the first 61 bytes need to be there.
    ///
    /// # Errors
    /// `Torn` when fewer are there; others when it is no batch of magic 2.
    #[inline]
    pub fn parse_header(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let entry = LogEntry::peek(bytes)?;
        if entry.magic < 2 {
            return Err(BatchError::LegacyMagic(entry.magic));
        }
        if entry.size < BATCH_HEADER_SIZE {
            return Err(BatchError::InvalidLength((entry.size - LOG_OVERHEAD) as i32));
        }
        let Some((header, rest)) = bytes.split_first_chunk() else {
            return Err(BatchError::Torn { needed: BATCH_HEADER_SIZE, left: bytes.len() });
        };
        let payload = &rest[..rest.len().min(entry.size - BATCH_HEADER_SIZE)];
        Ok(Self { header, payload })
    }

    pub(crate) fn of_header(header: &'a [u8; BATCH_HEADER_SIZE]) -> Self {
        Self { header, payload: &[] }
    }

    field! {
        /// The offset of the first record (of what was the first, after compaction).
        base_offset: Offset = i64 at BASE_OFFSET;
        /// The epoch of the leader that appended it, -1 from a client.
        partition_leader_epoch: LeaderEpoch = i32 at PARTITION_LEADER_EPOCH;
        /// The checksum that it claims.
        crc: u32 = u32 at CRC;
        /// Last offset minus base offset; compaction keeps it.
        last_offset_delta: i32 = i32 at LAST_OFFSET_DELTA;
        /// What the records' timestamp deltas add to, in ms; a delete horizon when the attributes say so.
        base_timestamp: i64 = i64 at BASE_TIMESTAMP;
        /// The greatest timestamp of its records in ms, or the time of the append.
        max_timestamp: i64 = i64 at MAX_TIMESTAMP;
        /// The producer, [`ProducerId::NONE`] when it is not idempotent.
        producer_id: ProducerId = i64 at PRODUCER_ID;
        /// The producer's epoch.
        producer_epoch: ProducerEpoch = i16 at PRODUCER_EPOCH;
        /// The sequence of the first record.
        base_sequence: Sequence = i32 at BASE_SEQUENCE;
        /// How many records it says to have; 0 is legal on disk, after compaction.
        record_count: i32 = i32 at RECORD_COUNT;
    }

    /// The flags.
    #[inline]
    pub fn attributes(&self) -> Attributes {
        Attributes(i16::from_be_bytes([self.header[ATTRIBUTES], self.header[ATTRIBUTES + 1]]))
    }

    /// The length field: bytes after it.
    #[inline]
    pub fn length(&self) -> i32 {
        be_i32(&self.header[LENGTH..])
    }

    /// All its bytes, header and present or absent records together.
    #[inline]
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + self.length() as usize
    }

    /// The format version: always 2.
    #[inline]
    pub fn magic(&self) -> i8 {
        self.header[MAGIC] as i8
    }

    /// The offset of the last record.
    #[inline]
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset().0.wrapping_add(i64::from(self.last_offset_delta())))
    }

    /// The offset after the last record: where the next batch may start.
    #[inline]
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }

    /// The sequence of the last record, [`Sequence::NONE`] without a producer's sequence.
    pub fn last_sequence(&self) -> Sequence {
        match self.base_sequence() {
            sequence if sequence.0 < 0 => Sequence::NONE,
            sequence => sequence.advanced(self.last_offset_delta().max(0)),
        }
    }

    /// When compaction may drop its tombstones or marker, in ms (KIP-534).
    pub fn delete_horizon(&self) -> Option<i64> {
        self.attributes().has_delete_horizon().then(|| self.base_timestamp())
    }

    /// Whether an idempotent or transactional producer wrote it.
    #[inline]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id().0 > ProducerId::NONE.0
    }

    /// The bytes after the header: records, compressed as one block when the attributes say so. Shorter than the
    /// batch when only the header was parsed.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Whether all its bytes are there.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.payload.len() == self.size() - BATCH_HEADER_SIZE
    }

    /// Computes the checksum over the bytes and compares. False when the records are absent.
    pub fn is_crc_valid(&self) -> bool {
        self.is_whole() && crate::crc::crc32c_of_two(&self.header[ATTRIBUTES..], self.payload) == self.crc()
    }

    /// A copy of the header, for stamping.
    #[inline]
    pub fn header(&self) -> BatchHeader {
        BatchHeader::new(*self.header)
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("base_offset", &self.base_offset())
            .field("last_offset_delta", &self.last_offset_delta())
            .field("size", &self.size())
            .field("partition_leader_epoch", &self.partition_leader_epoch())
            .field("crc", &self.crc())
            .field("attributes", &self.attributes())
            .field("base_timestamp", &self.base_timestamp())
            .field("max_timestamp", &self.max_timestamp())
            .field("producer_id", &self.producer_id())
            .field("producer_epoch", &self.producer_epoch())
            .field("base_sequence", &self.base_sequence())
            .field("record_count", &self.record_count())
            .finish()
    }
}

/// Where a walk over batches stopped before the end of the bytes, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("at position {position}: {reason}")]
pub struct InvalidTail {
    /// Bytes before it, all of them whole batches.
    pub position: usize,
    /// What is wrong there.
    #[source]
    pub reason: BatchError,
}

impl InvalidTail {
    /// Whether the bytes merely end too early.
    pub fn is_torn(&self) -> bool {
        matches!(self.reason, BatchError::Torn { .. })
    }
}

/// Whole batches that stand one after another; the first that is not whole or no batch ends the walk with an error.
/// Checksums are not looked at.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    ended: bool,
}

impl<'a> Batches<'a> {
    /// The walk over `bytes` from their begin.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, ended: false }
    }

    /// Where the next batch starts; after an error, where the invalid tail starts.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, InvalidTail>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.position == self.bytes.len() {
            return None;
        }
        Some(match Batch::parse(&self.bytes[self.position..]) {
            Ok(batch) => {
                self.position += batch.size();
                Ok(batch)
            }
            Err(reason) => {
                self.ended = true;
                Err(InvalidTail { position: self.position, reason })
            }
        })
    }
}

#[inline]
fn check_length(length: i32, least: i32) -> Result<(), BatchError> {
    // The upper bound keeps size() within 31 bits, as Kafka's own arithmetic needs it.
    if length < least || length > i32::MAX - LOG_OVERHEAD as i32 {
        return Err(BatchError::InvalidLength(length));
    }
    Ok(())
}

#[inline]
fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(*bytes.first_chunk().expect("the caller has four bytes"))
}

#[cfg(test)]
mod tests;
