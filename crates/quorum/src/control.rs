//! Control records of the metadata log and of snapshots.
//!
//! ```text
//! key    | version i16 = 0 | type i16 |
//! value  | the record, whose first field is its version |
//! ```
//! (KIP-595, KIP-630, KIP-853.) They stand in batches whose control bit is set.

use base::ids::{LeaderEpoch, Offset};
use base::time::WallTime;
use bytes::Bytes;
use protocol::message::Message;
use protocol::records::kraft_version_record::KRaftVersionRecord;
use protocol::records::leader_change_message::LeaderChangeMessage;
use protocol::records::snapshot_footer_record::SnapshotFooterRecord;
use protocol::records::snapshot_header_record::SnapshotHeaderRecord;
use protocol::records::voters_record::VotersRecord;
use wire::builder::BatchBuilder;
use wire::compress::Compression;
use wire::output::Output;
use wire::reader::{DecodeError, Reader};

use crate::error::Error;

const LEADER_CHANGE: i16 = 2;
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const KRAFT_VERSION: i16 = 5;
const KRAFT_VOTERS: i16 = 6;

/// One control record.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// A leader's epoch begins.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot begins.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot ends.
    SnapshotFooter(SnapshotFooterRecord),
    /// The level of `kraft.version` from here on.
    KRaftVersion(KRaftVersionRecord),
    /// The voters from here on.
    Voters(VotersRecord),
    /// Of another type: a transaction marker, or one of a later Kafka. Nothing to do.
    Other(i16),
}

impl ControlRecord {
    /// Reads a record of a control batch.
    ///
    /// # Errors
    /// When key or value is not what its type says.
    pub fn decode(key: Option<Bytes>, value: Option<Bytes>) -> Result<Self, Error> {
        let mut key = Reader::new(key.unwrap_or_default());
        let kind = key
            .i16()
            .and_then(|_| key.i16())
            .map_err(|error| Error::Decode { what: "control key", error })?;
        let value = value.unwrap_or_default();
        Ok(match kind {
            LEADER_CHANGE => Self::LeaderChange(read("LeaderChange", value)?),
            SNAPSHOT_HEADER => Self::SnapshotHeader(read("SnapshotHeader", value)?),
            SNAPSHOT_FOOTER => Self::SnapshotFooter(read("SnapshotFooter", value)?),
            KRAFT_VERSION => Self::KRaftVersion(read("KRaftVersion", value)?),
            KRAFT_VOTERS => Self::Voters(read("KRaftVoters", value)?),
            other => Self::Other(other),
        })
    }

    fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let (kind, value) = match self {
            Self::LeaderChange(record) => (LEADER_CHANGE, write(record, record.version)),
            Self::SnapshotHeader(record) => (SNAPSHOT_HEADER, write(record, record.version)),
            Self::SnapshotFooter(record) => (SNAPSHOT_FOOTER, write(record, record.version)),
            Self::KRaftVersion(record) => (KRAFT_VERSION, write(record, record.version)),
            Self::Voters(record) => (KRAFT_VOTERS, write(record, record.version)),
            Self::Other(kind) => unreachable!("control records of type {kind} are only read"),
        };
        let [high, low] = kind.to_be_bytes();
        (vec![0, 0, high, low], value)
    }
}

/// One control batch of these records.
pub fn control_batch(base: Offset, epoch: LeaderEpoch, now: WallTime, records: &[ControlRecord]) -> Bytes {
    let mut batch =
        BatchBuilder::new(Compression::None).base_offset(base).partition_leader_epoch(epoch).control(true);
    for record in records {
        let (key, value) = record.encode();
        batch.append(now.0, Some(&key), Some(&value), &[]);
    }
    batch.finish()
}

/// Every version's first field is the version itself, so it is looked at before the rest is read.
fn read<M: Message>(what: &'static str, value: Bytes) -> Result<M, Error> {
    let decode = |value: Bytes| -> Result<M, DecodeError> {
        let version = Reader::new(value.clone()).i16()?;
        M::decode(&mut Reader::new(value), version)
    };
    decode(value).map_err(|error| Error::Decode { what, error })
}

fn write<M: Message>(record: &M, version: i16) -> Vec<u8> {
    let mut out = Output::new();
    record.encode(version, &mut out).expect("a control record has no strings of 32 KiB");
    out.to_bytes().expect("all of it is in memory").to_vec()
}
