//! Records with their bytes, for those who want them: consumers, coordinators, tools.
//!
//! An uncompressed batch is not copied: keys, values and headers are slices of its buffer. A compressed one is
//! decompressed once, within a limit, and they are slices of that.

use std::ops::Range;

use base::ids::Offset;
use bytes::Bytes;

use super::RecordHeader;
use super::cursor::{Clock, Memory, RecordsError, Visitor, count_of, nullable, read_in_memory};
use crate::batch::{BATCH_HEADER_SIZE, Batch};
use crate::compress::{CompressionType, Decompressors};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp in ms, or [`crate::batch::NO_TIMESTAMP`].
    pub timestamp: i64,
    /// Decides its partition, and what compaction takes for the same.
    pub key: Option<Bytes>,
    /// Null deletes the key from a compacted topic.
    pub value: Option<Bytes>,
    /// Annotations, in order.
    pub headers: RecordHeaders,
}

/// The headers of a record, as they stand in it: taken apart when asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RecordHeaders {
    /// Known to hold `count` headers and nothing else.
    bytes: Bytes,
    count: u32,
}

impl RecordHeaders {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each in turn.
    pub fn iter(&self) -> impl Iterator<Item = RecordHeader> {
        let mut source = Memory::new(&self.bytes);
        (0..self.count).map(move |_| {
            let mut field =
                || nullable(&mut source, u64::MAX).expect("they were walked when the record was read");
            let key = field().expect("a header has a key");
            RecordHeader {
                key: slice(&self.bytes, key),
                value: field().map(|range| slice(&self.bytes, range)),
            }
        })
    }

    /// The value of the last header with this key, which is the one that counts; `Some(None)` when it is null.
    pub fn last(&self, key: &str) -> Option<Option<Bytes>> {
        self.iter().filter(|header| header.key == key.as_bytes()).last().map(|header| header.value)
    }
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    bytes.slice(range.start as usize..range.end as usize)
}

/// The records of one batch, read one by one. Ends after the batch's record count, or after the first error.
pub struct Records {
    bytes: Bytes,
    at: usize,
    clock: Clock,
    left: i32,
}

impl Records {
    /// The records of the batch at the begin of `bytes`, of at most `limit` bytes when decompressed.
    ///
    /// # Errors
    /// `Malformed` when there is no whole batch; those of decompression.
    pub fn new(bytes: &Bytes, decompressors: &mut Decompressors, limit: usize) -> Result<Self, RecordsError> {
        let batch = Batch::parse(bytes).map_err(|_| RecordsError::Malformed("no whole batch"))?;
        let compression = batch.attributes().compression().map_err(RecordsError::UnknownCompression)?;
        let left = count_of(&batch)?;
        let clock = Clock::of(&batch);
        let bytes = if compression == CompressionType::None || left == 0 {
            bytes.slice(BATCH_HEADER_SIZE..batch.size())
        } else {
            Bytes::from(decompressors.decompress(compression, batch.payload(), limit)?)
        };
        Ok(Self { bytes, at: 0, clock, left })
    }

    fn read(&mut self) -> Result<Record, RecordsError> {
        self.left -= 1;
        let mut fields = Fields::default();
        let (prefix, size) = read_in_memory(&self.bytes[self.at..], self.left == 0, &mut fields)?;
        let bytes = self.bytes.slice(self.at..self.at + size);
        self.at += size;
        Ok(Record {
            offset: self.clock.offset(prefix.offset_delta),
            timestamp: self.clock.timestamp(prefix.timestamp_delta),
            key: fields.key.map(|range| slice(&bytes, range)),
            value: fields.value.map(|range| slice(&bytes, range)),
            headers: RecordHeaders { bytes: slice(&bytes, fields.headers), count: fields.header_count },
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.left = 0;
        }
        Some(item)
    }
}

#[derive(Default)]
struct Fields {
    key: Option<Range<u64>>,
    value: Option<Range<u64>>,
    headers: Range<u64>,
    header_count: u32,
}

impl Visitor for Fields {
    fn key(&mut self, range: Option<Range<u64>>) {
        self.key = range;
    }

    fn value(&mut self, range: Option<Range<u64>>) {
        self.value = range;
    }

    fn headers(&mut self, range: Range<u64>, count: u32) {
        (self.headers, self.header_count) = (range, count);
    }
}
