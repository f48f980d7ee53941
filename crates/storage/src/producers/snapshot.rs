//! `<20 digits>.snapshot`: the producers' state just before the offset in the name.
//!
//! ```text
//!  0       2         6          10
//!  +-------+---------+----------+------------------------------------------------------------------------------
//!  |version|crc-32c  |count     |entries of 46 bytes: producer id i64, epoch i16, last sequence i32, last offset i64,
//!  |i16 = 1|of the   |i32       |offset delta i32, timestamp i64, coordinator epoch i32,
//!  |       |rest     |          |first offset of the open transaction i64 (-1: none)
//!  +-------+---------+----------+------------------------------------------------------------------------------
//! ```
//! Of the five batches only the newest is kept. A snapshot that is not whole is as good as none.

use std::path::Path;

use base::ids::{Offset, ProducerEpoch, ProducerId, Sequence};
use bytes::Bytes;
use wire::crc::crc32c;
use wire::reader::{DecodeError, Reader};

use super::{BatchEntry, ProducerEntry, Producers};
use crate::disk::{Disk, read_file};
use crate::error::{Error, IoContext};

const VERSION: i16 = 1;
const HEADER_SIZE: usize = 10;
const CRC_END: usize = 6;
/// Bytes of one entry.
const ENTRY_SIZE: usize = 46;

impl Producers {
    /// The content of a snapshot of this state.
    pub fn to_snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_SIZE + ENTRY_SIZE * self.entries.len());
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.entries.len() as i32).to_be_bytes());
        for (id, entry) in &self.entries {
            put_entry(&mut bytes, *id, entry);
        }
        let crc = crc32c(&bytes[CRC_END..]);
        bytes[2..CRC_END].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// The state just before `end` that a snapshot holds, without producers that have expired since.
    ///
    /// # Errors
    /// Why the bytes are no snapshot.
    pub fn from_snapshot(
        bytes: Bytes,
        end: Offset,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<Self, DecodeError> {
        let invalid = |reason: String| DecodeError::Invalid(reason);
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if version != VERSION {
            return Err(invalid(format!("unknown version {version}")));
        }
        let stored = reader.u32()?;
        let computed = crc32c(reader.rest());
        if stored != computed {
            return Err(invalid(format!("checksum {stored:08x}, computed {computed:08x}")));
        }
        let count = reader.i32()?;
        if count < 0 || count as usize * ENTRY_SIZE != reader.remaining() {
            return Err(invalid(format!("{count} entries in {} bytes", reader.remaining())));
        }
        let mut producers = Self::starting_at(end);
        for _ in 0..count {
            let (id, entry) = entry(&mut reader)?;
            if entry.is_expired(now_ms, expiration_ms) {
                continue;
            }
            if let Some(start) = entry.transaction_start() {
                producers.ongoing.insert(start, id);
            }
            producers.entries.insert(id, entry);
        }
        Ok(producers)
    }
}

/// Reads a snapshot's file. `None` if it is no snapshot, torn or damaged.
///
/// # Errors
/// The disk failed.
pub(crate) fn read(
    disk: &dyn Disk,
    path: &Path,
    end: Offset,
    now_ms: i64,
    expiration_ms: i64,
) -> Result<Option<Producers>, Error> {
    let Some(bytes) = read_file(disk, path).context("read", path)? else { return Ok(None) };
    match Producers::from_snapshot(bytes.into(), end, now_ms, expiration_ms) {
        Ok(producers) => Ok(Some(producers)),
        Err(reason) => {
            tracing::warn!(path = %path.display(), %reason, "producer snapshot is damaged and not used");
            Ok(None)
        }
    }
}

fn put_entry(out: &mut Vec<u8>, id: ProducerId, entry: &ProducerEntry) {
    let last = entry.last_batch();
    out.extend_from_slice(&id.0.to_be_bytes());
    out.extend_from_slice(&entry.epoch().0.to_be_bytes());
    out.extend_from_slice(&last.map_or(-1, |batch| batch.last_sequence.0).to_be_bytes());
    out.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset.0).to_be_bytes());
    out.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
    out.extend_from_slice(&entry.last_timestamp().to_be_bytes());
    out.extend_from_slice(&entry.coordinator_epoch().to_be_bytes());
    out.extend_from_slice(&entry.transaction_start().map_or(-1, |start| start.0).to_be_bytes());
}

fn entry(reader: &mut Reader) -> Result<(ProducerId, ProducerEntry), DecodeError> {
    let id = ProducerId(reader.i64()?);
    let mut entry = ProducerEntry::default();
    entry.set_epoch(ProducerEpoch(reader.i16()?));
    let last_sequence = Sequence(reader.i32()?);
    let last_offset = Offset(reader.i64()?);
    let offset_delta = reader.i32()?.max(0);
    let timestamp = reader.i64()?;
    // A producer of which only a marker is known has no batch.
    if last_offset.0 >= 0 {
        entry.push(BatchEntry { last_sequence, last_offset, offset_delta, timestamp });
    }
    entry.set_last_timestamp(timestamp);
    entry.set_coordinator_epoch(reader.i32()?);
    let start = Offset(reader.i64()?);
    entry.set_transaction_start((start.0 >= 0).then_some(start));
    Ok((id, entry))
}
