//! Control records: what brokers write among the data, and consumers never see.
//!
//! ```text
//! key:   version i16 = 0 | type i16
//! value: of a transaction marker: version i16 = 0 | coordinator epoch i32
//!        of the quorum's records:  the message itself, whose first field is its version (`protocol` has them)
//! ```
//! A transaction marker stands alone in its batch, which carries the producer's id and epoch, no sequence, and the
//! transactional bit besides the control bit.

use base::ids::{ProducerEpoch, ProducerId, Sequence};
use bytes::Bytes;

use crate::builder::BatchBuilder;
use crate::compress::Compression;

/// What a control record says, by the type in its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// The producer's transaction is aborted.
    Abort,
    /// The producer's transaction is committed.
    Commit,
    /// A leader of the quorum was elected (KIP-595).
    LeaderChange,
    /// A snapshot begins (KIP-630).
    SnapshotHeader,
    /// A snapshot is complete (KIP-630).
    SnapshotFooter,
    /// `kraft.version` changes (KIP-853).
    KRaftVersion,
    /// The voters of the quorum change (KIP-853).
    KRaftVoters,
}

/// A key or value that is no control record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed control record: {0}")]
pub struct MalformedControlRecord(&'static str);

impl ControlRecordType {
    /// All of them, by number.
    pub const ALL: [Self; 7] = [
        Self::Abort,
        Self::Commit,
        Self::LeaderChange,
        Self::SnapshotHeader,
        Self::SnapshotFooter,
        Self::KRaftVersion,
        Self::KRaftVoters,
    ];

    /// The number in the key.
    pub fn id(self) -> i16 {
        self as i16
    }

    /// The record's key.
    pub fn key(self) -> [u8; 4] {
        let [high, low] = self.id().to_be_bytes();
        [0, 0, high, low]
    }

    /// The type that a key names; `None` for one that this version does not know, which readers pass over.
    ///
    /// # Errors
    /// When the key is too short or its version negative. Later versions only add to the end.
    pub fn of_key(key: &[u8]) -> Result<Option<Self>, MalformedControlRecord> {
        let Some(&[v0, v1, high, low]) = key.first_chunk() else {
            return Err(MalformedControlRecord("key of less than four bytes"));
        };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return Err(MalformedControlRecord("negative key version"));
        }
        let id = i16::from_be_bytes([high, low]);
        Ok(usize::try_from(id).ok().and_then(|id| Self::ALL.get(id).copied()))
    }

    /// Whether it ends a transaction.
    pub fn is_marker(self) -> bool {
        matches!(self, Self::Abort | Self::Commit)
    }
}

/// The value of a transaction marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// The epoch of the transaction coordinator that decided; a lower one than before is fenced.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// The record's value.
    pub fn value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// Reads a value; what later versions add is passed over.
    ///
    /// # Errors
    /// When it is too short or its version negative.
    pub fn of_value(value: &[u8]) -> Result<Self, MalformedControlRecord> {
        let Some(&[v0, v1, a, b, c, d]) = value.first_chunk() else {
            return Err(MalformedControlRecord("marker value of less than six bytes"));
        };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return Err(MalformedControlRecord("negative marker version"));
        }
        Ok(Self { coordinator_epoch: i32::from_be_bytes([a, b, c, d]) })
    }
}

/// A builder for control records: uncompressed always, timestamps in ms as given. Keys are [`ControlRecordType::key`].
pub fn control_batch() -> BatchBuilder {
    BatchBuilder::new(Compression::None).control(true)
}

/// The batch that ends a producer's transaction in a partition, to be stamped by the log.
pub fn end_txn_batch(
    timestamp: i64,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    committed: bool,
    marker: EndTxnMarker,
) -> Bytes {
    let kind = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
    let builder = control_batch().transactional(true);
    let mut builder = builder.producer(producer_id, producer_epoch, Sequence::NONE);
    builder.append(timestamp, Some(&kind.key()), Some(&marker.value()), &[]);
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_type() {
        for kind in ControlRecordType::ALL {
            assert_eq!(ControlRecordType::of_key(&kind.key()), Ok(Some(kind)));
        }
        let check = |key: &[u8], expect: Option<Option<ControlRecordType>>| {
            assert_eq!(ControlRecordType::of_key(key).ok(), expect, "{key:?}");
        };
        check(&[0, 0, 0, 7], Some(None));
        check(&[0, 0, 0xff, 0xff], Some(None));
        check(&[0, 9, 0, 1, 5, 5], Some(Some(ControlRecordType::Commit)));
        check(&[0xff, 0xff, 0, 1], None);
        check(&[0, 0, 0], None);
    }

    #[test]
    fn markers_carry_the_coordinators_epoch() {
        let marker = EndTxnMarker { coordinator_epoch: 77 };
        assert_eq!(EndTxnMarker::of_value(&marker.value()), Ok(marker));
        assert_eq!(EndTxnMarker::of_value(&[0, 3, 0, 0, 0, 77, 1]), Ok(marker));
        assert!(EndTxnMarker::of_value(&[0xff, 0xff, 0, 0, 0, 77]).is_err());
        assert!(EndTxnMarker::of_value(&[0, 0, 0, 0, 77]).is_err());
    }
}
