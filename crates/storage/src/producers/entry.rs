//! One producer.

use base::error_code::ErrorCode;
use base::ids::{Offset, ProducerEpoch, ProducerId, Sequence};

use super::{ProducerBatch, ProducerRefusal};

/// How many of a producer's batches are remembered; as many as it may have in flight.
const BATCHES_MAX: usize = 5;

/// A batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    /// The sequence of its last record.
    pub last_sequence: Sequence,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// Last offset minus first.
    pub offset_delta: i32,
    /// Its greatest timestamp.
    pub timestamp: i64,
}

/// What is known of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    epoch: ProducerEpoch,
    /// Oldest first; `count` of them are real.
    batches: [BatchEntry; BATCHES_MAX],
    count: u8,
    coordinator_epoch: i32,
    last_timestamp: i64,
    transaction_start: Option<Offset>,
}

impl BatchEntry {
    const NONE: Self =
        Self { last_sequence: Sequence::NONE, last_offset: Offset::NONE, offset_delta: 0, timestamp: -1 };

    /// The sequence of its first record, before the wrap if the batch wraps.
    pub fn base_sequence(&self) -> Sequence {
        let (last, delta) = (self.last_sequence.0, self.offset_delta);
        // Counted back over the wrap: 0 follows the maximum.
        Sequence(if last >= delta {
            last - delta
        } else {
            i32::MAX.wrapping_sub(delta.wrapping_sub(last)).wrapping_add(1)
        })
    }

    /// The offset of its first record.
    pub fn base_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

impl Default for ProducerEntry {
    fn default() -> Self {
        Self {
            epoch: ProducerEpoch::NONE,
            batches: [BatchEntry::NONE; BATCHES_MAX],
            count: 0,
            coordinator_epoch: -1,
            last_timestamp: -1,
            transaction_start: None,
        }
    }
}

impl ProducerEntry {
    /// Its epoch, [`ProducerEpoch::NONE`] if only its id is known.
    pub fn epoch(&self) -> ProducerEpoch {
        self.epoch
    }

    /// Its last batches, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = BatchEntry> {
        self.batches[..self.count.into()].iter().copied()
    }

    /// Its newest batch.
    pub fn last_batch(&self) -> Option<BatchEntry> {
        self.count.checked_sub(1).map(|at| self.batches[usize::from(at)])
    }

    /// The epoch of the coordinator that ended its last transaction, -1 if there was none.
    pub fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    /// The timestamp of its last batch or marker.
    pub fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    /// The first offset of its open transaction.
    pub fn transaction_start(&self) -> Option<Offset> {
        self.transaction_start
    }

    pub(super) fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.count = 0;
        }
    }

    pub(super) fn push(&mut self, batch: BatchEntry) {
        if usize::from(self.count) == BATCHES_MAX {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[usize::from(self.count)] = batch;
        self.count += 1;
        self.last_timestamp = batch.timestamp;
    }

    pub(super) fn set_coordinator_epoch(&mut self, epoch: i32) {
        self.coordinator_epoch = epoch;
    }

    pub(super) fn set_last_timestamp(&mut self, timestamp: i64) {
        self.last_timestamp = timestamp;
    }

    pub(super) fn set_transaction_start(&mut self, start: Option<Offset>) {
        self.transaction_start = start;
    }

    pub(super) fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.transaction_start.is_none() && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }

    pub(super) fn check_epoch(
        &self,
        id: ProducerId,
        epoch: ProducerEpoch,
        offset: Offset,
    ) -> Result<(), ProducerRefusal> {
        if epoch >= self.epoch {
            return Ok(());
        }
        Err(ProducerRefusal {
            code: ErrorCode::INVALID_PRODUCER_EPOCH,
            reason: format!("epoch {epoch} of producer {id} at offset {offset} is older than {}", self.epoch),
        })
    }

    pub(super) fn check_sequence(&self, batch: &ProducerBatch) -> Result<(), ProducerRefusal> {
        let refused = |what: &str| {
            Err(ProducerRefusal {
                code: ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
                reason: format!(
                    "sequence {} of producer {} with epoch {} at offset {} {what}; last is {:?} of epoch {}",
                    batch.base_sequence,
                    batch.producer_id,
                    batch.producer_epoch,
                    batch.base_offset,
                    self.last_batch().map(|last| last.last_sequence.0),
                    self.epoch,
                ),
            })
        };
        if self.epoch == ProducerEpoch::NONE {
            // All that the producer wrote is deleted: where it stands is not known.
            return Ok(());
        }
        if batch.producer_epoch != self.epoch {
            return if batch.base_sequence.0 == 0 { Ok(()) } else { refused("begins a new epoch not at 0") };
        }
        let next = match self.last_batch() {
            Some(last) if last.last_sequence.0 >= 0 => last.last_sequence.advanced(1),
            _ => Sequence(0),
        };
        if batch.base_sequence == next { Ok(()) } else { refused("does not go on") }
    }
}
