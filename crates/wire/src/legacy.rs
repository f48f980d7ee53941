//! Messages of magic 0 and 1, which old logs on disk still hold. They are read, never written, and refused on the wire.
//!
//! ```text
//! 0       8      12    16 17 18        26 (magic 1)
//! +-------+------+-----+--+--+---------+------------+-----+--------------+-------+
//! |offset |size  |crc32|m |at|timestamp|key length  |key …|value length  |value …|
//! +-------+------+-----+--+--+---------+------------+-----+--------------+-------+
//!                      |<- the checksum (zlib's, not CRC-32C) covers from here ->
//! ```
//! Attributes: compression type in bits 2–0, timestamp type in bit 3. A compressed message is a wrapper: its value is a
//! set of such messages. The wrapper has the offset of the last one in it; in magic 1 those inside count from 0.

use base::ids::Offset;
use bytes::Bytes;

use crate::batch::{Attributes, BatchError, LOG_OVERHEAD, LogEntry, MAGIC, NO_TIMESTAMP, TimestampType};
use crate::compress::{CompressionType, Decompressors};
use crate::record::RecordsError;

const CRC: usize = 12;
const ATTRIBUTES: usize = 17;
const AFTER_ATTRIBUTES: usize = 18;
const MALFORMED: RecordsError = RecordsError::Malformed("a message is shorter than its fields");

/// A message or a wrapper, with all its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyEntry {
    bytes: Bytes,
    offset: Offset,
    magic: i8,
    timestamp: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
}

/// One message, taken out of its wrapper if it had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyMessage {
    /// Its offset in the log.
    pub offset: Offset,
    /// Its timestamp in ms; [`NO_TIMESTAMP`] in magic 0.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
}

impl LegacyEntry {
    /// The entry at the begin of `bytes`.
    ///
    /// # Errors
    /// `Malformed` when it is not whole, not of magic 0 or 1, or its fields do not fit into it.
    pub fn parse(bytes: &Bytes) -> Result<Self, RecordsError> {
        let entry = LogEntry::peek(bytes).map_err(|error| match error {
            BatchError::Torn { .. } => MALFORMED,
            _ => RecordsError::Malformed("no message"),
        })?;
        if entry.magic > 1 {
            return Err(RecordsError::Malformed("no message of magic 0 or 1"));
        }
        if entry.size > bytes.len() {
            return Err(MALFORMED);
        }
        let bytes = bytes.slice(..entry.size);
        let mut at = AFTER_ATTRIBUTES;
        let timestamp = if entry.magic == 0 {
            NO_TIMESTAMP
        } else {
            at += 8;
            i64::from_be_bytes(*bytes[AFTER_ATTRIBUTES..].first_chunk().ok_or(MALFORMED)?)
        };
        let (key, value) = (field(&bytes, &mut at)?, field(&bytes, &mut at)?);
        if at != bytes.len() {
            return Err(RecordsError::Malformed("a message is longer than its fields"));
        }
        Ok(Self { bytes, offset: entry.offset, magic: entry.magic, timestamp, key, value })
    }

    /// Its offset; of a wrapper, that of the last message in it.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// 0 or 1.
    pub fn magic(&self) -> i8 {
        self.magic
    }

    /// All its bytes, offset and size included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The timestamp in ms; of a wrapper, the greatest in it. [`NO_TIMESTAMP`] in magic 0.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// What the timestamp means; `None` in magic 0.
    pub fn timestamp_type(&self) -> Option<TimestampType> {
        (self.magic == 1).then(|| self.attributes().timestamp_type())
    }

    /// Whether it is a wrapper.
    pub fn is_compressed(&self) -> bool {
        self.attributes().is_compressed()
    }

    /// Computes the checksum over the bytes and compares.
    pub fn is_crc_valid(&self) -> bool {
        let crc = u32::from_be_bytes(*self.bytes[CRC..].first_chunk().expect("peeked at"));
        crc == crc_fast::crc32_iso_hdlc(&self.bytes[MAGIC..])
    }

    /// The message itself, or those that it wraps, of at most `limit` bytes when decompressed.
    ///
    /// # Errors
    /// Those of decompression; `Malformed` when what is wrapped is no set of plain messages of the same magic.
    pub fn messages(
        &self,
        decompressors: &mut Decompressors,
        limit: usize,
    ) -> Result<LegacyMessages, RecordsError> {
        let compression = self.attributes().compression().map_err(RecordsError::UnknownCompression)?;
        let bytes = match compression {
            CompressionType::None => return Ok(LegacyMessages::of(self)),
            CompressionType::Zstd => return Err(RecordsError::UnknownCompression(compression.id())),
            CompressionType::Lz4 if self.magic == 0 => {
                decompressors.start_legacy_lz4(self.wrapped()?).read_to_end(limit)?
            }
            _ => decompressors.decompress(compression, self.wrapped()?, limit)?,
        };
        LegacyMessages::inside(self, Bytes::from(bytes))
    }

    fn wrapped(&self) -> Result<&[u8], RecordsError> {
        self.value.as_deref().ok_or(RecordsError::Malformed("a wrapper without messages"))
    }

    fn attributes(&self) -> Attributes {
        Attributes(i16::from(self.bytes[ATTRIBUTES]))
    }
}

/// The messages of one entry. Ends after the last one, or after the first error.
pub struct LegacyMessages {
    bytes: Bytes,
    magic: i8,
    /// What is added to the offsets inside: 0 in magic 0, where they are those of the log.
    base_offset: i64,
    append_time: Option<i64>,
    single: Option<LegacyMessage>,
}

impl LegacyMessages {
    fn of(entry: &LegacyEntry) -> Self {
        let LegacyEntry { offset, timestamp, key, value, .. } = entry.clone();
        let single = Some(LegacyMessage { offset, timestamp, key, value });
        Self { bytes: Bytes::new(), magic: entry.magic, base_offset: 0, append_time: None, single }
    }

    fn inside(wrapper: &LegacyEntry, bytes: Bytes) -> Result<Self, RecordsError> {
        let last = last_offset(&bytes)?;
        let base_offset = if wrapper.magic == 0 { 0 } else { wrapper.offset.0.wrapping_sub(last.0) };
        let appended = wrapper.timestamp_type() == Some(TimestampType::LogAppendTime);
        let append_time = appended.then_some(wrapper.timestamp);
        Ok(Self { bytes, magic: wrapper.magic, base_offset, append_time, single: None })
    }

    fn read(&mut self) -> Result<LegacyMessage, RecordsError> {
        let entry = LegacyEntry::parse(&self.bytes)?;
        if entry.magic != self.magic || entry.is_compressed() {
            return Err(RecordsError::Malformed("a wrapper holds other than plain messages of its magic"));
        }
        self.bytes = self.bytes.slice(entry.size()..);
        Ok(LegacyMessage {
            offset: Offset(self.base_offset.wrapping_add(entry.offset.0)),
            timestamp: self.append_time.unwrap_or(entry.timestamp),
            key: entry.key,
            value: entry.value,
        })
    }
}

impl Iterator for LegacyMessages {
    type Item = Result<LegacyMessage, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(single) = self.single.take() {
            return Some(Ok(single));
        }
        if self.bytes.is_empty() {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.bytes = Bytes::new();
        }
        Some(item)
    }
}

/// The offset of the last whole entry.
fn last_offset(set: &Bytes) -> Result<Offset, RecordsError> {
    let (mut rest, mut last) = (&set[..], None);
    while !rest.is_empty() {
        let entry =
            LogEntry::peek(rest).map_err(|_| RecordsError::Malformed("a wrapper holds no messages"))?;
        rest = rest.get(entry.size..).ok_or(MALFORMED)?;
        last = Some(entry.offset);
    }
    last.ok_or(RecordsError::Malformed("a wrapper without messages"))
}

/// A byte string after its length; any negative length is null.
fn field(bytes: &Bytes, at: &mut usize) -> Result<Option<Bytes>, RecordsError> {
    let rest = bytes.get(*at..).ok_or(MALFORMED)?;
    let length = i32::from_be_bytes(*rest.first_chunk().ok_or(MALFORMED)?);
    *at += 4;
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    if length > bytes.len() - *at {
        return Err(MALFORMED);
    }
    *at += length;
    Ok(Some(bytes.slice(*at - length..*at)))
}

const _: () =
    assert!(AFTER_ATTRIBUTES <= LOG_OVERHEAD + 14, "peek has checked that the attributes are there");

#[cfg(test)]
mod tests;
