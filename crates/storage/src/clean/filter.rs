//! What compaction keeps of one batch. Pure: bytes of a batch in, what stands in its place out.
//!
//! A record stays if it is newer than what the map covers, or the newest of its key and no expired tombstone (a record
//! without value). A batch of which everything stays is copied as it is. A batch of which nothing stays goes, unless it
//! is the last of a live producer or ends what is compacted: then its header stays, with the sequences and the last
//! offset. The first pass over a tombstone or over a marker without a transaction gives its batch a delete horizon
//! (KIP-534): from then on it stays for `delete.retention.ms`.

use std::collections::HashMap;

use base::ids::{Offset, ProducerEpoch, ProducerId};
use wire::batch::Batch;
use wire::compress::{CompressionType, Compressors, Decompressors};
use wire::rebuild::{emptied, rebuilt};
use wire::record::{RecordView, RecordViews};

use super::offset_map::{NewestOffsets, OffsetMap};
use super::transactions::CleanedTransactions;
use crate::append::marker_of;
use crate::index::AbortedTransaction;

mod legacy;

pub(crate) use self::legacy::messages_of;

/// Uncompressed bytes of one batch beyond which it is damaged: Kafka's sums of them are 31 bits wide.
pub(crate) const RECORDS_BYTES_MAX: usize = i32::MAX as usize;

/// What of a producer must be found again after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastRecord {
    /// The last offset of its newest batch.
    Data(Offset),
    /// The epoch of the marker that is all that is known of it.
    Marker(ProducerEpoch),
}

/// What stands in a batch's place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing.
    Nothing,
    /// The batch itself.
    Whole,
    /// Another one, which was appended to what is written.
    Changed,
}

/// The filter on its way through a log.
pub(crate) struct Filter<'a> {
    /// Newest offsets of the keys up to `map_end`.
    pub(crate) map: &'a OffsetMap,
    /// The same as far as records were read for the map: most of them need no look into it.
    pub(crate) newest: &'a NewestOffsets,
    /// The map covers everything below.
    pub(crate) map_end: Offset,
    /// Everything below is compacted; the batch that ends there stays, if only with its header.
    pub(crate) limit: Offset,
    pub(crate) last_records: &'a HashMap<ProducerId, LastRecord>,
    pub(crate) transactions: CleanedTransactions,
    pub(crate) now_ms: i64,
    pub(crate) delete_retention_ms: i64,
    /// Whether tombstones of formats 0 and 1, which have no horizon, stay in the present segment.
    pub(crate) legacy_tombstones_stay: bool,
    /// What the transaction index of the present result must say.
    pub(crate) retained_aborts: Vec<AbortedTransaction>,
    pub(crate) decompressors: Decompressors,
    pub(crate) compressors: Compressors,
}

/// What happens to a batch as such.
struct Verdict {
    /// No record stays.
    discard: bool,
    /// The header stays even without records.
    keep_header: bool,
    /// It is the marker of a transaction of which nothing is left.
    lone_marker: bool,
}

impl Filter<'_> {
    /// Decides about the batch that `bytes` are; another one in its place is appended to `out`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn keep(&mut self, bytes: &[u8], magic: i8, out: &mut Vec<u8>) -> Result<Kept, String> {
        if magic < 2 {
            return self.keep_legacy(bytes, out);
        }
        let batch = Batch::parse(bytes).map_err(|error| error.to_string())?;
        let verdict = self.judge(&batch, bytes)?;
        if verdict.discard {
            return Ok(if verdict.keep_header { empty(&batch, out) } else { Kept::Nothing });
        }
        let decompressed;
        let plain = match batch.attributes().compression() {
            Ok(CompressionType::None) => batch.payload(),
            Ok(_) if batch.record_count() == 0 => &[],
            Ok(compression) => {
                decompressed = self
                    .decompressors
                    .decompress(compression, batch.payload(), RECORDS_BYTES_MAX)
                    .map_err(|error| error.to_string())?;
                &decompressed
            }
            Err(id) => return Err(format!("unknown compression type id: {id}")),
        };
        let horizon = batch.delete_horizon();
        let tombstones_stay = horizon.is_none_or(|horizon| self.now_ms < horizon);
        let mut kept: Vec<RecordView<'_>> = Vec::new();
        let mut has_tombstones = false;
        for record in RecordViews::new(&batch, plain).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let stays = batch.attributes().is_control()
                || self.stays(record.offset, record.key, record.has_value || tombstones_stay);
            if stays {
                has_tombstones |= !record.has_value;
                kept.push(record);
            }
        }
        if kept.is_empty() {
            return Ok(if verdict.keep_header { empty(&batch, out) } else { Kept::Nothing });
        }
        let new_horizon = (horizon.is_none() && (has_tombstones || verdict.lone_marker))
            .then(|| self.now_ms.saturating_add(self.delete_retention_ms));
        if new_horizon.is_none() && kept.len() == batch.record_count() as usize {
            return Ok(Kept::Whole);
        }
        rebuilt(&batch, &kept, new_horizon.or(horizon), &mut self.compressors, out);
        Ok(Kept::Changed)
    }

    /// Whether a record stays; one without value only counts as `has_value` as long as tombstones stay.
    fn stays(&self, offset: Offset, key: Option<&[u8]>, has_value: bool) -> bool {
        if offset >= self.map_end {
            return true;
        }
        // Kafka lets no record without key into a compacted log, but a log may become a compacted one.
        let Some(key) = key else { return false };
        let is_newest = || self.map.get(key).is_none_or(|newest| offset >= newest);
        has_value && self.newest.contains(offset).unwrap_or_else(is_newest)
    }

    fn judge(&mut self, batch: &Batch<'_>, bytes: &[u8]) -> Result<Verdict, String> {
        let is_control = batch.attributes().is_control();
        let (discard, lone_marker) = if is_control {
            let committed = marker_of(bytes)?.map(|marker| marker.committed);
            let fate = self.transactions.on_control(batch, committed);
            self.retained_aborts.extend(fate.retained);
            let expired = batch.delete_horizon().is_some_and(|horizon| horizon <= self.now_ms);
            (fate.discardable && expired, fate.discardable)
        } else {
            (self.transactions.on_data(batch), false)
        };
        let is_last_of_producer = batch.has_producer_id()
            && match self.last_records.get(&batch.producer_id()) {
                Some(LastRecord::Data(offset)) => batch.last_offset() == *offset,
                Some(LastRecord::Marker(epoch)) => is_control && batch.producer_epoch() == *epoch,
                None => false,
            };
        let keep_header = is_last_of_producer || batch.next_offset() == self.limit;
        Ok(Verdict { discard, keep_header, lone_marker })
    }
}

/// A header that stands alone already is not written anew.
fn empty(batch: &Batch<'_>, out: &mut Vec<u8>) -> Kept {
    let bytes = emptied(batch);
    if batch.record_count() == 0 && bytes[..] == batch.header().as_bytes()[..] {
        return Kept::Whole;
    }
    out.extend_from_slice(&bytes);
    Kept::Changed
}
