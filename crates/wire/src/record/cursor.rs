//! The walk over a batch's records that keeps none of them: one pass, no allocation, compressed or not.
//!
//! Bytes come from a slice or from a decompressor through a read-ahead of fixed size; keys, values and headers are
//! passed over. Two ways of reading exist because Kafka has two. Strict: a record's length is a promise that the fields
//! in it must fill exactly. Lenient (how its validator reads a compressed batch that it will store as it is): the
//! length is not looked at.

use std::ops::Range;

use base::ids::Offset;
use thiserror::Error;

use crate::batch::{Batch, TimestampType};
use crate::compress::{CompressionType, DecompressError, Decompressor, Decompressors};

/// Read ahead at a time.
const AHEAD: usize = 16 * 1024;

/// Uncompressed bytes of a batch beyond which reading stops: Kafka's sums of them are 31 bits wide. Memory does not
/// depend on it, but a hostile batch could otherwise keep a thread busy for minutes.
const MOST: u64 = i32::MAX as u64;

/// Why a batch's records could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordsError {
    /// A record, or their number, contradicts itself.
    #[error("malformed records: {0}")]
    Malformed(&'static str),
    /// A record's length is a number of more bytes than one may have.
    #[error("record length of too many bytes")]
    InvalidLength,
    /// The attributes name no codec; the id is given.
    #[error("unknown compression type id: {0}")]
    UnknownCompression(u8),
    /// The codec found fault with its bytes.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
}

const ENDS: RecordsError = RecordsError::Malformed("the batch ends inside a record");
const REMAINING: RecordsError = RecordsError::Malformed("bytes remain after the last record");

/// What the walk tells of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Its offset; from a client, its place in the batch.
    pub offset: Offset,
    /// Its timestamp in ms, the batch's when that has the time of the append.
    pub timestamp: i64,
    /// Bytes of the key; `None` for null.
    pub key_length: Option<u32>,
    /// Bytes of the value; `None` for null.
    pub value_length: Option<u32>,
    /// How many headers it has.
    pub header_count: u32,
}

/// How much a record's own length counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Fields must fill it exactly.
    Strict,
    /// It is passed over.
    Lenient,
}

/// The walk. An iterator: ends after the batch's record count, or after the first error.
pub struct RecordCursor<'d> {
    source: AnySource<'d>,
    clock: Clock,
    reading: Reading,
    left: i32,
}

impl<'d> RecordCursor<'d> {
    /// A walk over the records of a batch that is whole.
    ///
    /// # Errors
    /// `UnknownCompression`, or `Malformed` for a negative record count.
    pub fn new(
        batch: &Batch<'d>,
        reading: Reading,
        decompressors: &'d mut Decompressors,
    ) -> Result<Self, RecordsError> {
        let left = count_of(batch)?;
        let source = AnySource::new(batch, decompressors)?;
        Ok(Self { source, clock: Clock::of(batch), reading, left })
    }

    fn read(&mut self) -> Result<RecordHead, RecordsError> {
        self.left -= 1;
        let (clock, reading, last) = (self.clock, self.reading, self.left == 0);
        match &mut self.source {
            AnySource::Memory(source) => read_record(source, clock, reading, last),
            AnySource::Stream(source) => read_record(source, clock, reading, last),
        }
    }
}

impl Iterator for RecordCursor<'_> {
    type Item = Result<RecordHead, RecordsError>;

    #[inline]
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

fn read_record(
    source: &mut impl Source,
    clock: Clock,
    reading: Reading,
    last: bool,
) -> Result<RecordHead, RecordsError> {
    let head = match plain_record(source.ahead()?, clock) {
        Some((size, head)) => {
            source.advance(size);
            head
        }
        None => {
            let (prefix, body) = read_whole(source, reading, &mut ())?;
            clock.head(&prefix, &body)
        }
    };
    if last {
        expect_end(source)?;
    }
    Ok(head)
}

/// How many records a batch says that it has.
pub(crate) fn count_of(batch: &Batch<'_>) -> Result<i32, RecordsError> {
    match batch.record_count() {
        ..0 => Err(RecordsError::Malformed("negative record count")),
        count => Ok(count),
    }
}

/// Reads a record at the begin of `bytes`, strictly; the last one must end with them. Its prefix, and its size.
pub(crate) fn read_in_memory(
    bytes: &[u8],
    last: bool,
    visitor: &mut impl Visitor,
) -> Result<(Prefix, usize), RecordsError> {
    let mut source = Memory::new(bytes);
    let (prefix, _) = read_whole(&mut source, Reading::Strict, visitor)?;
    if last {
        expect_end(&mut source)?;
    }
    Ok((prefix, source.position() as usize))
}

/// After the last record nothing may follow.
pub(crate) fn expect_end(source: &mut impl Source) -> Result<(), RecordsError> {
    if source.ahead()?.is_empty() { Ok(()) } else { Err(REMAINING) }
}

/// What deltas are relative to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
}

impl Clock {
    pub(crate) fn of(batch: &Batch<'_>) -> Self {
        let appended = batch.attributes().timestamp_type() == TimestampType::LogAppendTime;
        Self {
            base_offset: batch.base_offset().0,
            base_timestamp: batch.base_timestamp(),
            append_time: appended.then(|| batch.max_timestamp()),
        }
    }

    /// What the walk tells of a record with these fields.
    pub(crate) fn head(self, prefix: &Prefix, body: &Body) -> RecordHead {
        RecordHead {
            offset: self.offset(prefix.offset_delta),
            timestamp: self.timestamp(prefix.timestamp_delta),
            key_length: body.key_length,
            value_length: body.value_length,
            header_count: body.header_count,
        }
    }

    #[inline]
    pub(crate) fn offset(self, delta: i32) -> Offset {
        Offset(self.base_offset.wrapping_add(i64::from(delta)))
    }

    #[inline]
    pub(crate) fn timestamp(self, delta: i64) -> i64 {
        self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(delta))
    }
}

/// Where records are read from, front to back.
pub(crate) trait Source {
    /// Bytes that come next: at least one, unless the end is reached.
    fn ahead(&mut self) -> Result<&[u8], RecordsError>;
    /// Passes over bytes that `ahead` has shown.
    fn advance(&mut self, count: usize);
    /// Bytes passed over so far.
    fn position(&self) -> u64;
}

/// Records in memory.
pub(crate) struct Memory<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Records being decompressed.
pub(crate) struct Stream<'d> {
    decompressor: Decompressor<'d>,
    buffer: &'d mut [u8],
    start: usize,
    end: usize,
    before: u64,
}

pub(crate) enum AnySource<'d> {
    Memory(Memory<'d>),
    Stream(Stream<'d>),
}

impl<'d> AnySource<'d> {
    pub(crate) fn new(batch: &Batch<'d>, decompressors: &'d mut Decompressors) -> Result<Self, RecordsError> {
        let compression = batch.attributes().compression().map_err(RecordsError::UnknownCompression)?;
        Ok(if compression == CompressionType::None {
            Self::Memory(Memory::new(batch.payload()))
        } else {
            Self::Stream(Stream::new(compression, batch.payload(), decompressors))
        })
    }
}

impl<'a> Memory<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Source for Memory<'_> {
    #[inline]
    fn ahead(&mut self) -> Result<&[u8], RecordsError> {
        Ok(&self.bytes[self.at..])
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.at += count;
    }

    #[inline]
    fn position(&self) -> u64 {
        self.at as u64
    }
}

impl<'d> Stream<'d> {
    fn new(compression: CompressionType, payload: &'d [u8], decompressors: &'d mut Decompressors) -> Self {
        let (decompressor, buffer) = decompressors.start_with_buffer(compression, payload);
        buffer.resize(AHEAD, 0);
        Self { decompressor, buffer, start: 0, end: 0, before: 0 }
    }
}

impl Source for Stream<'_> {
    #[inline]
    fn ahead(&mut self) -> Result<&[u8], RecordsError> {
        if self.start == self.end {
            self.before += self.end as u64;
            (self.start, self.end) = (0, 0);
            if self.before > MOST {
                return Err(DecompressError::TooLarge(MOST as usize).into());
            }
            self.end = self.decompressor.read(self.buffer)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        self.start += count;
    }

    #[inline]
    fn position(&self) -> u64 {
        self.before + self.start as u64
    }
}

/// The fields before the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    /// What the length field promises; not negative in a strict reading.
    pub(crate) length: i32,
    /// Where the bytes that the length counts start.
    pub(crate) start: u64,
    /// Where the key's length stands.
    pub(crate) end: u64,
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
}

/// The fields from the key on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) key_length: Option<u32>,
    pub(crate) value_length: Option<u32>,
    pub(crate) header_count: u32,
}

/// Told where the fields of a record stand, in the source's positions.
pub(crate) trait Visitor {
    fn key(&mut self, _range: Option<Range<u64>>) {}
    fn value(&mut self, _range: Option<Range<u64>>) {}
    fn headers(&mut self, _range: Range<u64>, _count: u32) {}
}

impl Visitor for () {}

pub(crate) fn read_whole(
    source: &mut impl Source,
    reading: Reading,
    visitor: &mut impl Visitor,
) -> Result<(Prefix, Body), RecordsError> {
    let prefix = read_prefix(source, reading)?;
    let body = read_body(source, reading, &prefix, visitor)?;
    Ok((prefix, body))
}

/// Reads a record up to the key.
#[inline]
pub(crate) fn read_prefix(source: &mut impl Source, reading: Reading) -> Result<Prefix, RecordsError> {
    let length = match varint(source, u64::MAX) {
        Err(TOO_LONG) if reading == Reading::Strict => return Err(RecordsError::InvalidLength),
        length => length?,
    };
    if reading == Reading::Strict && length < 0 {
        return Err(RecordsError::Malformed("negative record length"));
    }
    let start = source.position();
    let end = end_of(reading, start, length);
    let _attributes = byte(source, end)?;
    let timestamp_delta = varlong(source, end)?;
    let offset_delta = varint(source, end)?;
    Ok(Prefix { length, start, end: source.position(), timestamp_delta, offset_delta })
}

/// Reads the rest of a record.
#[inline]
pub(crate) fn read_body(
    source: &mut impl Source,
    reading: Reading,
    prefix: &Prefix,
    visitor: &mut impl Visitor,
) -> Result<Body, RecordsError> {
    let end = end_of(reading, prefix.start, prefix.length);
    let key = nullable(source, end)?;
    let key_length = length_of(&key);
    visitor.key(key);
    let value = nullable(source, end)?;
    let value_length = length_of(&value);
    visitor.value(value);
    let header_count = varint(source, end)?;
    let header_count =
        u32::try_from(header_count).map_err(|_| RecordsError::Malformed("negative header count"))?;
    let headers = source.position();
    for _ in 0..header_count {
        nullable(source, end)?.ok_or(RecordsError::Malformed("header without a key"))?;
        nullable(source, end)?;
    }
    visitor.headers(headers..source.position(), header_count);
    if reading == Reading::Strict && source.position() != end {
        return Err(RecordsError::Malformed("a record is longer than its fields"));
    }
    Ok(Body { key_length, value_length, header_count })
}

#[inline]
fn end_of(reading: Reading, start: u64, length: i32) -> u64 {
    match reading {
        Reading::Strict => start + u64::try_from(length).expect("checked when it was read"),
        Reading::Lenient => u64::MAX,
    }
}

#[inline]
fn length_of(range: &Option<Range<u64>>) -> Option<u32> {
    // A length is an i32, so it fits.
    range.as_ref().map(|range| (range.end - range.start) as u32)
}

const TOO_LONG: RecordsError = RecordsError::Malformed("a number of too many bytes");

#[inline]
fn byte(source: &mut impl Source, end: u64) -> Result<u8, RecordsError> {
    if source.position() >= end {
        return Err(ENDS);
    }
    let byte = *source.ahead()?.first().ok_or(ENDS)?;
    source.advance(1);
    Ok(byte)
}

/// A byte string that any negative length makes null, as Kafka reads it.
#[inline]
pub(crate) fn nullable(source: &mut impl Source, end: u64) -> Result<Option<Range<u64>>, RecordsError> {
    let length = varint(source, end)?;
    if length < 0 {
        return Ok(None);
    }
    let start = source.position();
    let after = start + length as u64;
    if after > end {
        return Err(ENDS);
    }
    pass_over(source, length as usize)?;
    Ok(Some(start..after))
}

#[inline]
fn pass_over(source: &mut impl Source, mut left: usize) -> Result<(), RecordsError> {
    while left > 0 {
        let count = source.ahead()?.len().min(left);
        if count == 0 {
            return Err(ENDS);
        }
        source.advance(count);
        left -= count;
    }
    Ok(())
}

/// The record at the begin of `bytes` after its size, if it is whole, without headers, and fills its length exactly:
/// nearly every record, read in a few nanoseconds. Anything else, right or wrong, is left to the full reading, which
/// agrees with this one on such a record in both ways of reading.
#[inline]
fn plain_record(bytes: &[u8], clock: Clock) -> Option<(usize, RecordHead)> {
    let mut at = 0;
    let length = usize::try_from(short(bytes, &mut at)?).ok()?;
    let bytes = bytes.get(..at + length)?;
    // The attributes say nothing.
    at += 1;
    let timestamp_delta = short(bytes, &mut at)?;
    let offset_delta = short(bytes, &mut at)?;
    let key_length = short(bytes, &mut at)?;
    at += key_length.max(0) as usize;
    let value_length = short(bytes, &mut at)?;
    at += value_length.max(0) as usize;
    if at + 1 != bytes.len() || bytes[at] != 0 {
        return None;
    }
    let head = RecordHead {
        offset: clock.offset(offset_delta),
        timestamp: clock.timestamp(i64::from(timestamp_delta)),
        key_length: u32::try_from(key_length).ok(),
        value_length: u32::try_from(value_length).ok(),
        header_count: 0,
    };
    Some((bytes.len(), head))
}

/// A number of at most three bytes.
#[inline]
fn short(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let [b0, rest @ ..] = bytes.get(*at..)? else { return None };
    let mut raw = u32::from(*b0);
    *at += 1;
    if raw >= 0x80 {
        let b1 = u32::from(*rest.first()?);
        raw = raw & 0x7f | b1 << 7;
        *at += 1;
        if b1 >= 0x80 {
            let b2 = u32::from(*rest.get(1)?);
            raw = raw & 0x3fff | b2 << 14;
            *at += 1;
            if b2 >= 0x80 {
                return None;
            }
        }
    }
    Some(signed(raw))
}

#[inline]
fn signed(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

/// How many bytes a number of 32 bits may have, and one of 64.
const VARINT: usize = 5;
const VARLONG: usize = 10;

#[inline]
fn varint(source: &mut impl Source, end: u64) -> Result<i32, RecordsError> {
    Ok(signed(number::<VARINT>(source, end)? as u32))
}

#[inline]
fn varlong(source: &mut impl Source, end: u64) -> Result<i64, RecordsError> {
    let raw = number::<VARLONG>(source, end)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// A number of at most `MOST` groups of seven bits. Nearly all numbers of a batch have one byte, some two.
#[inline]
fn number<const MOST: usize>(source: &mut impl Source, end: u64) -> Result<u64, RecordsError> {
    let left = end - source.position();
    match *source.ahead()? {
        [first, ..] if first < 0x80 && left >= 1 => {
            source.advance(1);
            Ok(u64::from(first))
        }
        [first, second, ..] if second < 0x80 && left >= 2 => {
            source.advance(2);
            Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => long_number(source, end, MOST),
    }
}

/// What falls out of a type's width at the top is dropped, as Kafka does.
fn long_number(source: &mut impl Source, end: u64, most: usize) -> Result<u64, RecordsError> {
    let mut raw: u64 = 0;
    for group in 0..most {
        let byte = byte(source, end)?;
        raw |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return Ok(raw);
        }
    }
    Err(TOO_LONG)
}
