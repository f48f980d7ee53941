//! What a log knows of its idempotent and transactional producers (KIP-98).
//!
//! ```text
//! producer 4711, epoch 3    last five batches: [20..29] [30..34] [35..35] [36..49] [50..59]   next must be 60
//! ```
//! A batch that is one of the five is a duplicate: it is answered with its first offsets and not appended. Any other batch
//! must go on where the last one ended, or begin at 0 with a greater epoch. Invariant: the state is that which the log's
//! batches below `end` make, whether it was built by appending, from a snapshot or by a scan.

use std::collections::BTreeMap;

use base::error_code::ErrorCode;
use base::ids::{Offset, ProducerEpoch, ProducerId, Sequence};
use wire::batch::Batch;

use crate::append::Origin;
use crate::index::AbortedTransaction;

pub use self::entry::{BatchEntry, ProducerEntry};

mod entry;
pub mod snapshot;

/// The state of all producers of one log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Producers {
    entries: BTreeMap<ProducerId, ProducerEntry>,
    /// First offsets of transactions that are open.
    ongoing: BTreeMap<Offset, ProducerId>,
    /// Transactions that are decided, by first offset, with the offset of their marker: readers of committed records wait
    /// until that is below the high watermark.
    unreplicated: BTreeMap<Offset, Offset>,
    /// The state includes every batch below.
    end: Offset,
}

/// What the checks need of a batch; its offsets are those that it gets or has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Who wrote it.
    pub producer_id: ProducerId,
    /// With which epoch.
    pub producer_epoch: ProducerEpoch,
    /// The sequence of its first record.
    pub base_sequence: Sequence,
    /// And of its last.
    pub last_sequence: Sequence,
    /// The offset of its first record.
    pub base_offset: Offset,
    /// And of its last.
    pub last_offset: Offset,
    /// Its greatest timestamp.
    pub timestamp: i64,
    /// Whether it belongs to a transaction.
    pub transactional: bool,
}

/// A marker that ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose transaction.
    pub producer_id: ProducerId,
    /// With which epoch it was ended.
    pub producer_epoch: ProducerEpoch,
    /// The epoch of the coordinator that ended it.
    pub coordinator_epoch: i32,
    /// The marker's own offset.
    pub offset: Offset,
    /// When it was written.
    pub timestamp: i64,
    /// Committed or aborted.
    pub committed: bool,
}

/// A transaction that a marker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    /// What the transaction index says of it, if it was aborted.
    pub transaction: AbortedTransaction,
    /// Whether it was not.
    pub committed: bool,
}

impl CompletedTransaction {
    /// What the transaction index says of it.
    pub fn aborted(&self) -> Option<AbortedTransaction> {
        (!self.committed).then_some(self.transaction)
    }
}

/// Why a producer's batch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerRefusal {
    /// What the client is told.
    pub code: ErrorCode,
    /// The numbers that do not fit, for this node's log.
    pub reason: String,
}

impl ProducerBatch {
    /// What a header says; `None` if no idempotent producer wrote it.
    pub fn of(batch: &Batch<'_>) -> Option<Self> {
        batch.has_producer_id().then(|| Self {
            producer_id: batch.producer_id(),
            producer_epoch: batch.producer_epoch(),
            base_sequence: batch.base_sequence(),
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            timestamp: batch.max_timestamp(),
            transactional: batch.attributes().is_transactional(),
        })
    }
}

impl Producers {
    /// The state of an empty log that begins at `end`.
    pub fn starting_at(end: Offset) -> Self {
        Self { end, ..Self::default() }
    }

    /// The state includes every batch below.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Notes that the log goes on to `end` without a producer's batch.
    pub fn advance(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// All producers, by id.
    pub fn entries(&self) -> impl Iterator<Item = (ProducerId, &ProducerEntry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The batch of the last five that has just these sequences.
    pub fn duplicate(&self, batch: &ProducerBatch) -> Option<BatchEntry> {
        let entry = self.entries.get(&batch.producer_id)?;
        if entry.epoch() != batch.producer_epoch {
            return None;
        }
        entry.batches().find(|seen| {
            seen.base_sequence() == batch.base_sequence && seen.last_sequence == batch.last_sequence
        })
    }

    /// Whether the batch may be appended.
    ///
    /// # Errors
    /// Its epoch is old, its sequence does not go on, or it breaks a transaction.
    pub fn check(&self, batch: &ProducerBatch, origin: Origin) -> Result<(), ProducerRefusal> {
        let Some(entry) = self.entries.get(&batch.producer_id) else { return Ok(()) };
        if origin == Origin::Replication {
            return Ok(());
        }
        entry.check_epoch(batch.producer_id, batch.producer_epoch, batch.base_offset)?;
        if origin == Origin::Client {
            entry.check_sequence(batch)?;
        }
        if entry.transaction_start().is_some() && !batch.transactional {
            return Err(ProducerRefusal {
                code: ErrorCode::INVALID_TXN_STATE,
                reason: format!("producer {} has an open transaction", batch.producer_id),
            });
        }
        Ok(())
    }

    /// Takes over a batch that is in the log, or will be.
    pub fn apply(&mut self, batch: &ProducerBatch) {
        let entry = self.entries.entry(batch.producer_id).or_default();
        entry.set_epoch(batch.producer_epoch);
        entry.push(BatchEntry {
            last_sequence: batch.last_sequence,
            last_offset: batch.last_offset,
            offset_delta: batch.last_offset.0.saturating_sub(batch.base_offset.0).clamp(0, i32::MAX.into())
                as i32,
            timestamp: batch.timestamp,
        });
        if batch.transactional && entry.transaction_start().is_none() {
            entry.set_transaction_start(Some(batch.base_offset));
            self.ongoing.insert(batch.base_offset, batch.producer_id);
        }
        self.advance(batch.last_offset.next());
    }

    /// Whether a transaction marker may be appended.
    ///
    /// # Errors
    /// Its epoch, or its coordinator's, is old.
    pub fn check_marker(&self, marker: &Marker) -> Result<(), ProducerRefusal> {
        let Some(entry) = self.entries.get(&marker.producer_id) else { return Ok(()) };
        entry.check_epoch(marker.producer_id, marker.producer_epoch, marker.offset)?;
        if marker.coordinator_epoch < entry.coordinator_epoch() {
            return Err(ProducerRefusal {
                code: ErrorCode::TRANSACTION_COORDINATOR_FENCED,
                reason: format!(
                    "coordinator epoch {} of producer {} is older than {}",
                    marker.coordinator_epoch,
                    marker.producer_id,
                    entry.coordinator_epoch()
                ),
            });
        }
        Ok(())
    }

    /// Takes over a marker that is in the log, or will be: the transaction that it ends, if one was open.
    pub fn apply_marker(&mut self, marker: &Marker) -> Option<CompletedTransaction> {
        let entry = self.entries.entry(marker.producer_id).or_default();
        entry.set_epoch(marker.producer_epoch);
        entry.set_coordinator_epoch(marker.coordinator_epoch);
        entry.set_last_timestamp(marker.timestamp);
        let first_offset = entry.transaction_start();
        entry.set_transaction_start(None);
        self.advance(marker.offset.next());
        let first_offset = first_offset?;
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, marker.offset);
        Some(CompletedTransaction {
            transaction: AbortedTransaction {
                producer_id: marker.producer_id,
                first_offset,
                last_offset: marker.offset,
                last_stable: self.ongoing.keys().next().copied().unwrap_or(marker.offset.next()),
            },
            committed: marker.committed,
        })
    }

    /// The first offset of a transaction that is open, or whose marker is not below the high watermark yet.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let open = self.ongoing.keys().next();
        let decided = self.unreplicated.keys().next();
        open.into_iter().chain(decided).min().copied()
    }

    /// Forgets decided transactions whose marker is below the high watermark.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        while let Some(first) = self.unreplicated.first_entry() {
            if *first.get() >= high_watermark {
                break;
            }
            first.remove();
        }
    }

    /// The last stable offset under this high watermark, if a transaction holds it back.
    pub fn last_stable(&self, high_watermark: Offset) -> Offset {
        self.first_unstable_offset().map_or(high_watermark, |offset| offset.min(high_watermark))
    }

    /// Forgets producers that have written nothing for `expiration_ms` and have no open transaction.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.entries.retain(|_, entry| !entry.is_expired(now_ms, expiration_ms));
    }

    /// Forgets transactions that ended before the log's start.
    pub fn truncate_from_start(&mut self, start: Offset) {
        self.unreplicated.retain(|_, marker| *marker >= start);
    }
}

#[cfg(test)]
mod tests;
