//! What one answer brought of one partition, read record by record.
//!
//! Invariant: records come out in the order of their offsets, none below the position that reading began at; control
//! records and, under read_committed, those of aborted transactions are passed over.

use std::collections::{HashSet, VecDeque};

use base::ids::{LeaderEpoch, Offset, ProducerId};
use bytes::Bytes;
use wire::batch::{Batch, Batches, TimestampType};
use wire::compress::Decompressors;
use wire::record::{Record, Records};

use super::options::IsolationLevel;
use crate::error::{Error, Result};

/// A batch is not larger when decompressed: a bound against batches that are not meant honestly.
const DECOMPRESSED_LIMIT: usize = 1 << 30;

/// Bytes of whole batches, and how far they are read.
pub(super) struct Chunk {
    bytes: Bytes,
    current: Option<Current>,
    /// Aborted transactions, lowest first offset first.
    aborted: VecDeque<(ProducerId, Offset)>,
    open_aborted: HashSet<ProducerId>,
    isolation: IsolationLevel,
    check_crcs: bool,
}

/// The batch that is being read.
struct Current {
    records: Records,
    leader_epoch: LeaderEpoch,
    timestamp_type: TimestampType,
    next_offset: Offset,
}

/// A record with what its batch says about it.
pub(super) struct Read {
    pub(super) record: Record,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) timestamp_type: TimestampType,
}

/// Where a chunk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) next_offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    /// Bytes of whole batches.
    pub(super) length: usize,
}

/// Looks at the headers only; `None` when there is no whole batch.
pub(super) fn end_of(bytes: &Bytes) -> Result<Option<End>> {
    let mut end = None;
    let mut batches = Batches::new(bytes);
    while let Some(batch) = batches.next() {
        match batch {
            Ok(batch) => {
                let (next_offset, leader_epoch) = (batch.next_offset(), batch.partition_leader_epoch());
                end = Some(End { next_offset, leader_epoch, length: batches.position() });
            }
            // A broker cuts the last batch where the byte limit is.
            Err(tail) if tail.is_torn() => break,
            Err(tail) => return Err(Error::Corrupt(format!("record batch {tail}"))),
        }
    }
    Ok(end)
}

impl Chunk {
    pub(super) fn new(
        bytes: Bytes,
        mut aborted: Vec<(ProducerId, Offset)>,
        isolation: IsolationLevel,
        check_crcs: bool,
    ) -> Self {
        aborted.sort_by_key(|(_, first_offset)| *first_offset);
        let (aborted, open_aborted) = (aborted.into(), HashSet::new());
        Self { bytes, current: None, aborted, open_aborted, isolation, check_crcs }
    }

    /// The next record at or above `position`, which moves behind it; moves over gaps too.
    pub(super) fn next(
        &mut self,
        position: &mut Offset,
        decompressors: &mut Decompressors,
    ) -> Result<Option<Read>> {
        loop {
            if let Some(current) = &mut self.current {
                for record in current.records.by_ref() {
                    let record = record.map_err(|error| corrupt(*position, &error))?;
                    if record.offset < *position {
                        continue;
                    }
                    *position = record.offset.next();
                    let (leader_epoch, timestamp_type) = (current.leader_epoch, current.timestamp_type);
                    return Ok(Some(Read { record, leader_epoch, timestamp_type }));
                }
                *position = current.next_offset.max(*position);
                self.current = None;
            }
            if self.bytes.is_empty() {
                return Ok(None);
            }
            self.open_batch(position, decompressors)?;
        }
    }

    fn open_batch(&mut self, position: &mut Offset, decompressors: &mut Decompressors) -> Result<()> {
        let bytes = self.bytes.clone();
        let batch = Batch::parse(&bytes).map_err(|error| corrupt(*position, &error))?;
        let size = batch.size();
        if !self.is_visible(&batch) || batch.next_offset() <= *position {
            *position = batch.next_offset().max(*position);
        } else {
            if self.check_crcs && !batch.is_crc_valid() {
                let base = batch.base_offset();
                return Err(Error::Corrupt(format!(
                    "Record batch at offset {base} is invalid, cause: its checksum is not that of its bytes"
                )));
            }
            self.current = Some(Current {
                records: Records::new(&bytes, decompressors, DECOMPRESSED_LIMIT)
                    .map_err(|error| corrupt(*position, &error))?,
                leader_epoch: batch.partition_leader_epoch(),
                timestamp_type: batch.attributes().timestamp_type(),
                next_offset: batch.next_offset(),
            });
        }
        let _ = self.bytes.split_to(size);
        Ok(())
    }

    /// Whether the application sees the batch's records. Batches are asked about in order.
    fn is_visible(&mut self, batch: &Batch<'_>) -> bool {
        let attributes = batch.attributes();
        if self.isolation == IsolationLevel::ReadUncommitted {
            return !attributes.is_control();
        }
        while self.aborted.front().is_some_and(|(_, first_offset)| *first_offset <= batch.last_offset()) {
            self.open_aborted.extend(self.aborted.pop_front().map(|(producer, _)| producer));
        }
        if attributes.is_control() {
            // Any marker of a producer ends its transaction; an aborted one is over with it.
            self.open_aborted.remove(&batch.producer_id());
            return false;
        }
        !(attributes.is_transactional() && self.open_aborted.contains(&batch.producer_id()))
    }
}

fn corrupt(position: Offset, error: &dyn std::fmt::Display) -> Error {
    Error::Corrupt(format!("records at offset {position} cannot be read: {error}"))
}
