//! Walking over the batches of a segment file, from any position.
//!
//! Two walks: over headers alone, which reads little and trusts lengths, and over whole batches with their checksums,
//! which is what recovery trusts. Both end at the first byte that cannot belong to a batch, and say why.

use std::io;
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset};
use wire::batch::{BATCH_HEADER_SIZE, Batch, BatchError, LogEntry, NO_TIMESTAMP};

use crate::disk::{File, read_full};

/// Bytes that a walk over headers reads at once: what usually lies between two entries of the offset index.
const HEADER_CHUNK: usize = 4096;
/// And at most, when batches are so small that it reads everything.
const HEADER_CHUNK_MAX: usize = 64 * 1024;
/// Bytes that a walk over whole batches reads at once, unless it is told otherwise.
const BATCH_CHUNK: usize = 512 * 1024;

/// Where a batch stands, and what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchAt {
    /// Its first byte, from the begin of the file.
    pub(crate) position: u64,
    /// All its bytes.
    pub(crate) size: usize,
    /// Of formats 0 and 1, whose wrapper has only the last offset: that one.
    pub(crate) base_offset: Offset,
    pub(crate) last_offset: Offset,
    pub(crate) max_timestamp: i64,
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) magic: i8,
}

impl BatchAt {
    pub(crate) fn next_offset(&self) -> Offset {
        self.last_offset.next()
    }

    pub(crate) fn end(&self) -> u64 {
        self.position + self.size as u64
    }

    /// Reads what stands at the begin of `bytes`, of which only the header must be there.
    fn parse(bytes: &[u8], position: u64) -> Result<Self, BatchError> {
        let entry = LogEntry::peek(bytes)?;
        if entry.magic < 2 {
            return Ok(Self {
                position,
                size: entry.size,
                base_offset: entry.offset,
                last_offset: entry.offset,
                max_timestamp: legacy_timestamp(bytes, entry.magic),
                leader_epoch: LeaderEpoch::NONE,
                magic: entry.magic,
            });
        }
        let batch = Batch::parse_header(bytes)?;
        Ok(Self {
            position,
            size: batch.size(),
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            max_timestamp: batch.max_timestamp(),
            leader_epoch: batch.partition_leader_epoch(),
            magic: 2,
        })
    }
}

/// Format 1 has a timestamp after magic and attributes, format 0 has none.
fn legacy_timestamp(bytes: &[u8], magic: i8) -> i64 {
    const TIMESTAMP: usize = 18;
    match bytes.get(TIMESTAMP..TIMESTAMP + 8) {
        Some(timestamp) if magic == 1 => i64::from_be_bytes(*timestamp.first_chunk().expect("8 bytes")),
        _ => NO_TIMESTAMP,
    }
}

/// Why a walk ended before the end of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadBatch {
    /// Everything before is whole batches.
    pub(crate) position: u64,
    pub(crate) reason: String,
    /// The bytes end inside of it, as where a write was interrupted.
    pub(crate) is_torn: bool,
}

/// What a step of a walk found.
pub(crate) enum Step<T> {
    Batch(T),
    Bad(BadBatch),
    End,
}

/// A walk over the batches in `[position, end)` of a file.
pub(crate) struct Scan {
    file: Arc<dyn File>,
    position: u64,
    end: u64,
    /// Bytes of the file from `buffer_at`, as many as are `filled`.
    buffer: Vec<u8>,
    buffer_at: u64,
    filled: usize,
    /// Bytes that a walk over headers reads next.
    header_chunk: usize,
    /// Bytes that a walk over whole batches reads at once.
    batch_chunk: usize,
}

impl Scan {
    pub(crate) fn new(file: Arc<dyn File>, position: u64, end: u64) -> Self {
        Self {
            file,
            position,
            end,
            buffer: Vec::new(),
            buffer_at: position,
            filled: 0,
            header_chunk: HEADER_CHUNK,
            batch_chunk: BATCH_CHUNK,
        }
    }

    /// Reads `chunk` bytes at once when it walks over whole batches; a larger batch is read as a whole.
    pub(crate) fn reading(mut self, chunk: usize) -> Self {
        self.batch_chunk = chunk;
        self
    }

    /// Goes on at `position`, the begin of a batch that the walk has passed.
    pub(crate) fn go_back(&mut self, position: u64) {
        self.position = position;
    }

    /// The next batch's header; only its length and magic were checked.
    pub(crate) fn next_header(&mut self) -> io::Result<Step<BatchAt>> {
        self.header(self.header_chunk)
    }

    /// The next batch's header, for a control batch with all its bytes; checksums are not looked at.
    pub(crate) fn next_producer(&mut self) -> io::Result<Step<(BatchAt, &[u8])>> {
        let batch = match self.header(self.header_chunk)? {
            Step::End => return Ok(Step::End),
            Step::Bad(bad) => return Ok(Step::Bad(bad)),
            Step::Batch(batch) => batch,
        };
        let head = BATCH_HEADER_SIZE.min(batch.size);
        self.position = batch.position;
        let is_control = Batch::parse_header(self.bytes(head, self.header_chunk)?)
            .is_ok_and(|it| it.attributes().is_control());
        let needed = if is_control { batch.size } else { head };
        self.bytes(needed, self.header_chunk)?;
        self.position = batch.end();
        let start = (batch.position - self.buffer_at) as usize;
        let end = self.filled.min(start + needed);
        Ok(Step::Batch((batch, &self.buffer[start..end])))
    }

    /// The next batch with all its bytes; its checksum was compared.
    pub(crate) fn next_whole(&mut self) -> io::Result<Step<(BatchAt, &[u8])>> {
        let at = self.position;
        match self.header(self.batch_chunk)? {
            Step::End => Ok(Step::End),
            Step::Bad(bad) => Ok(Step::Bad(bad)),
            Step::Batch(batch) => {
                self.position = at;
                let bytes = self.bytes(batch.size, self.batch_chunk)?;
                let (valid, short) =
                    (bytes.len() == batch.size && is_crc_valid(bytes, batch.magic), bytes.len());
                if !valid {
                    let reason = if short < batch.size {
                        "the file ends inside"
                    } else {
                        "its checksum does not match"
                    };
                    return Ok(Step::Bad(BadBatch {
                        position: at,
                        reason: format!("batch at offset {}: {reason}", batch.base_offset),
                        is_torn: short < batch.size,
                    }));
                }
                self.position = batch.end();
                let start = (at - self.buffer_at) as usize;
                Ok(Step::Batch((batch, &self.buffer[start..start + batch.size])))
            }
        }
    }

    fn header(&mut self, chunk: usize) -> io::Result<Step<BatchAt>> {
        if self.position >= self.end {
            return Ok(Step::End);
        }
        let (left, position) = (self.left(), self.position);
        let found = BatchAt::parse(self.bytes(BATCH_HEADER_SIZE.min(left), chunk)?, position);
        Ok(self.step(found))
    }

    fn step(&mut self, found: Result<BatchAt, BatchError>) -> Step<BatchAt> {
        let bad = |is_torn, reason| Step::Bad(BadBatch { position: self.position, reason, is_torn });
        match found {
            Ok(batch) if batch.end() > self.end => {
                let (offset, size, left) = (batch.base_offset, batch.size, self.left());
                bad(true, format!("batch at offset {offset} needs {size} bytes, {left} are left"))
            }
            Ok(batch) if batch.last_offset < batch.base_offset || batch.last_offset.0 == i64::MAX => {
                bad(false, format!("batch ends at offset {}, before it begins", batch.last_offset))
            }
            Ok(batch) => {
                self.position = batch.end();
                Step::Batch(batch)
            }
            Err(reason) => bad(matches!(reason, BatchError::Torn { .. }), reason.to_string()),
        }
    }

    fn left(&self) -> usize {
        usize::try_from(self.end - self.position).unwrap_or(usize::MAX)
    }

    /// The next `needed` bytes (or fewer, if the file is shorter than it was), reading at least a chunk when they are not
    /// in the buffer.
    fn bytes(&mut self, needed: usize, chunk: usize) -> io::Result<&[u8]> {
        let buffer_end = self.buffer_at + self.filled as u64;
        if self.position < self.buffer_at || self.position + needed as u64 > buffer_end {
            let goes_on = (self.buffer_at..=buffer_end).contains(&self.position) && self.filled > 0;
            let kept = if goes_on { (buffer_end - self.position) as usize } else { 0 };
            self.header_chunk =
                if goes_on { (2 * self.header_chunk).min(HEADER_CHUNK_MAX) } else { HEADER_CHUNK };
            self.buffer.copy_within(self.filled - kept..self.filled, 0);
            let length = needed.max(chunk).min(self.left());
            if self.buffer.len() < length {
                self.buffer.resize(length, 0);
            }
            let read = read_full(&*self.file, &mut self.buffer[kept..length], self.position + kept as u64)?;
            self.filled = kept + read;
            self.buffer_at = self.position;
        }
        let start = (self.position - self.buffer_at) as usize;
        Ok(&self.buffer[start..self.filled.min(start + needed)])
    }
}

fn is_crc_valid(bytes: &[u8], magic: i8) -> bool {
    match magic {
        2 => Batch::parse(bytes).is_ok_and(|batch| batch.is_crc_valid()),
        _ => legacy_crc_is_valid(bytes),
    }
}

/// Formats 0 and 1: CRC-32 of what follows the checksum.
fn legacy_crc_is_valid(bytes: &[u8]) -> bool {
    const CRC: usize = 12;
    let Some((head, body)) = bytes.split_at_checked(CRC + 4) else { return false };
    let stored = u32::from_be_bytes(*head[CRC..].first_chunk().expect("4 bytes"));
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body) as u32 == stored
}
