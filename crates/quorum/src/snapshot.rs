//! Snapshots of the metadata log: names and bytes.
//!
//! ```text
//! 00000000000000000064-0000000002.checkpoint      offsets below 64, the last of them written in epoch 2
//!
//! | control batch: header [, kraft.version, voters] | batches of records … | control batch: footer |
//!   offset 0                                          counted on from there
//! ```
//! A snapshot is whole only with its footer (KIP-630). It is written under another name, synced and renamed, so that a
//! file of this name is whole unless the disk is damaged. `bootstrap.checkpoint` has the same form.

use std::fmt;

use base::ids::{LeaderEpoch, Offset};
use base::time::WallTime;
use bytes::Bytes;
use protocol::records::kraft_version_record::KRaftVersionRecord;
use protocol::records::snapshot_footer_record::SnapshotFooterRecord;
use protocol::records::snapshot_header_record::SnapshotHeaderRecord;
use wire::builder::BatchBuilder;
use wire::compress::Compression;

use crate::control::{ControlRecord, control_batch};
use crate::voters::VoterSet;

mod read;
#[cfg(test)]
mod tests;

/// The end of a snapshot's name.
pub const SUFFIX: &str = ".checkpoint";
/// The end of its name while it is written.
pub const PART_SUFFIX: &str = ".checkpoint.part";

/// Kafka's limit for one batch of the metadata log.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Names a snapshot: what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// One past the last record in it.
    pub end_offset: Offset,
    /// The epoch of that record.
    pub epoch: LeaderEpoch,
}

/// What a snapshot says.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The append time of the last record in it.
    pub last_contained_log_timestamp: WallTime,
    /// The level of `kraft.version`; 0 when it does not say.
    pub kraft_version: i16,
    /// The voters, when it says them.
    pub voters: Option<VoterSet>,
    /// The values of its records.
    pub records: Vec<Bytes>,
}

/// Puts a snapshot's bytes together.
pub struct SnapshotWriter {
    epoch: LeaderEpoch,
    now: WallTime,
    next_offset: Offset,
    batch: BatchBuilder,
    bytes: Vec<u8>,
}

impl SnapshotId {
    /// What formatting leaves: voters, but no record.
    pub const BOOTSTRAP: Self = Self { end_offset: Offset::ZERO, epoch: LeaderEpoch(0) };

    /// The file's name.
    pub fn file_name(self) -> String {
        format!("{self}{SUFFIX}")
    }

    /// The file's name while it is written.
    pub fn part_name(self) -> String {
        format!("{self}{PART_SUFFIX}")
    }

    /// Reads a file's name; other names are `None`.
    pub fn parse(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let digits =
            |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(offset, 20) || !digits(epoch, 10) {
            return None;
        }
        Some(Self { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{:010}", self.end_offset.0, self.epoch.0)
    }
}

impl SnapshotWriter {
    /// Begins one. `quorum` is the level of `kraft.version` with the voters, where the log holds them.
    pub fn new(
        epoch: LeaderEpoch,
        now: WallTime,
        last_contained_log_timestamp: WallTime,
        quorum: Option<(i16, &VoterSet)>,
    ) -> Self {
        let mut records = vec![ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
            version: 0,
            last_contained_log_timestamp: last_contained_log_timestamp.0,
            ..Default::default()
        })];
        if let Some((level, voters)) = quorum {
            let version = KRaftVersionRecord { version: 0, kraft_version: level, ..Default::default() };
            records.push(ControlRecord::KRaftVersion(version));
            records.push(ControlRecord::Voters(voters.to_record()));
        }
        let bytes = control_batch(Offset::ZERO, epoch, now, &records).to_vec();
        let next_offset = Offset(records.len() as i64);
        Self { epoch, now, next_offset, batch: BatchBuilder::new(Compression::None), bytes }
    }

    /// Adds a record.
    pub fn append(&mut self, value: &[u8]) {
        if !self.batch.is_empty() && self.batch.uncompressed_size() + value.len() > BATCH_BYTES_MAX {
            self.finish_batch();
        }
        self.batch.append(self.now.0, None, Some(value), &[]);
    }

    /// Ends it: the whole file.
    pub fn finish(mut self) -> Vec<u8> {
        self.finish_batch();
        let footer = ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: 0, ..Default::default() });
        self.bytes.extend_from_slice(&control_batch(self.next_offset, self.epoch, self.now, &[footer]));
        self.bytes
    }

    fn finish_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batch, BatchBuilder::new(Compression::None));
        let count = batch.record_count();
        let batch = batch.base_offset(self.next_offset).partition_leader_epoch(self.epoch).finish();
        self.bytes.extend_from_slice(&batch);
        self.next_offset = self.next_offset.plus(count.into());
    }
}
