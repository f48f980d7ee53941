//! Records as slices of the bytes that their batch was read into: for those who look at keys and copy what they keep.

use base::ids::Offset;

use super::cursor::{Clock, RecordsError, Visitor, count_of, read_in_memory};
use crate::batch::Batch;
use std::ops::Range;

/// A record whose bytes are somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp in ms, the batch's when that has the time of the append.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Whether its value is not null.
    pub has_value: bool,
    /// The encoded record from the key's length on: what does not depend on where the record stands.
    pub body: &'a [u8],
}

/// The records of one batch, read strictly. Ends after the batch's record count, or after the first error.
pub struct RecordViews<'a> {
    bytes: &'a [u8],
    clock: Clock,
    left: i32,
}

impl<'a> RecordViews<'a> {
    /// The records of a batch in `records`: its payload, decompressed if it was compressed.
    ///
    /// # Errors
    /// `Malformed` for a negative record count.
    pub fn new(batch: &Batch<'_>, records: &'a [u8]) -> Result<Self, RecordsError> {
        Ok(Self { bytes: records, clock: Clock::of(batch), left: count_of(batch)? })
    }

    fn read(&mut self) -> Result<RecordView<'a>, RecordsError> {
        self.left -= 1;
        let bytes = self.bytes;
        let mut fields = Fields::default();
        let (prefix, end) = read_in_memory(bytes, self.left == 0, &mut fields)?;
        self.bytes = &bytes[end..];
        Ok(RecordView {
            offset: self.clock.offset(prefix.offset_delta),
            timestamp: self.clock.timestamp(prefix.timestamp_delta),
            key: fields.key.map(|range| &bytes[range.start as usize..range.end as usize]),
            has_value: fields.has_value,
            body: &bytes[prefix.end as usize..end],
        })
    }
}

impl<'a> Iterator for RecordViews<'a> {
    type Item = Result<RecordView<'a>, RecordsError>;

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
    has_value: bool,
}

impl Visitor for Fields {
    fn key(&mut self, range: Option<Range<u64>>) {
        self.key = range;
    }

    fn value(&mut self, range: Option<Range<u64>>) {
        self.has_value = range.is_some();
    }
}
