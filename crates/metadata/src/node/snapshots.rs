//! When a snapshot of the image is written, and which older ones stay.
//!
//! A snapshot is due after so many bytes of records, or after so long if there is any; and, so that a start has little to
//! replay, when there are more bytes than a few snapshots take, or some of them at a clean stop. Older ones go while log and
//! snapshots together are larger than `metadata.max.retention.bytes`, or when they are older than
//! `metadata.max.retention.ms`; the newest always stays, and the log begins where the oldest that stays ends.

use base::ids::Offset;
use base::time::{MonoTime, Now, WallTime};
use quorum::{Quorum, SnapshotId, SnapshotWriter, VoterHistory};
use storage::log::Log;

use super::NodeSettings;
use super::files::{Files, SnapshotFile};
use crate::error::Error;
use crate::image::{Image, METADATA_VERSION};
use crate::version::record_version;

/// A start replays so much without anybody noticing.
const FEW_BYTES: u64 = 1 << 20;
/// From so many on a clean stop writes a snapshot.
const STOP_BYTES: u64 = 64 << 10;
/// More bytes than a start should replay are taken into a snapshot when they have been there for so long.
const PATIENCE_MS: i64 = 10_000;

/// The snapshots on disk, and what has happened since the newest.
pub(super) struct Snapshots {
    due_bytes: u64,
    interval_ms: i64,
    retention_bytes: i64,
    retention_ms: i64,
    /// Oldest first.
    files: Vec<SnapshotFile>,
    bytes_since: u64,
    last_at: MonoTime,
    last_timestamp: WallTime,
}

impl Snapshots {
    pub(super) fn new(settings: &NodeSettings, files: Vec<SnapshotFile>, bytes_since: u64, now: Now) -> Self {
        Self {
            due_bytes: settings.snapshot_bytes,
            interval_ms: settings.snapshot_interval_ms,
            retention_bytes: settings.retention_bytes,
            retention_ms: settings.retention_ms,
            files,
            bytes_since,
            last_at: now.mono,
            last_timestamp: WallTime(-1),
        }
    }

    /// The append time of the last record that was loaded.
    pub(super) fn set_last_timestamp(&mut self, timestamp: WallTime) {
        self.last_timestamp = timestamp;
    }

    /// A batch of so many bytes was committed.
    pub(super) fn committed(&mut self, size: u64, timestamp: WallTime) {
        self.bytes_since += size;
        self.last_timestamp = timestamp;
    }

    pub(super) fn is_due(&self, now: Now) -> bool {
        let late = self.next_timeout().is_some_and(|at| at <= now.mono);
        self.bytes_since > 0 && (self.bytes_since >= self.due_bytes || late)
    }

    /// Whether a clean stop should leave one.
    pub(super) fn is_worth_at_stop(&self) -> bool {
        self.bytes_since >= STOP_BYTES.min(self.due_bytes)
    }

    /// When one is due for the age of the last, or of what is new since: never while there is nothing new.
    pub(super) fn next_timeout(&self) -> Option<MonoTime> {
        let by_age = self.bytes_since > 0 && self.interval_ms > 0;
        let by_age = by_age.then(|| self.last_at.plus_ms(self.interval_ms));
        let by_replay =
            self.bytes_since >= FEW_BYTES.max(2 * self.files.last().map_or(0, |newest| newest.size));
        let by_replay = by_replay.then(|| self.last_at.plus_ms(PATIENCE_MS));
        by_age.into_iter().chain(by_replay).min()
    }

    /// Writes a snapshot of a committed image.
    pub(super) fn write(
        &mut self,
        image: &Image,
        history: &VoterHistory,
        files: &Files,
        now: Now,
    ) -> Result<(), Error> {
        let id = SnapshotId { end_offset: image.offset().next(), epoch: image.epoch() };
        self.bytes_since = 0;
        self.last_at = now.mono;
        if image.offset() == Offset::NONE || self.files.last().is_some_and(|newest| newest.id >= id) {
            return Ok(());
        }
        let content = snapshot(image, history, id, self.last_timestamp, now.wall);
        files.write_snapshot(id, &content)?;
        tracing::info!(end_offset = id.end_offset.0, bytes = content.len(), "metadata snapshot written");
        let file = SnapshotFile { id, size: content.len() as u64, timestamp: self.last_timestamp };
        self.files.push(file);
        Ok(())
    }

    /// Removes what need not stay: first the log moves on, then the files go, so that a crash in between loses nothing.
    pub(super) fn clean(
        &mut self,
        log: &mut Log,
        quorum: &mut Quorum,
        files: &Files,
        now: Now,
    ) -> Result<(), Error> {
        let mut total = log.reader().size_bytes() + self.files.iter().map(|file| file.size).sum::<u64>();
        while let [oldest, next, ..] = self.files[..] {
            let too_large = self.retention_bytes >= 0 && total > self.retention_bytes as u64;
            let age = now.wall.0.saturating_sub(oldest.timestamp.0);
            let too_old = self.retention_ms >= 0 && age > self.retention_ms;
            if !too_large && !too_old {
                break;
            }
            log.advance_log_start(next.id.end_offset)?;
            log.delete_old_segments(now)?;
            quorum.trim_to(next.id.end_offset);
            files.remove_snapshot(oldest.id)?;
            self.files.remove(0);
            total = log.reader().size_bytes() + self.files.iter().map(|file| file.size).sum::<u64>();
        }
        Ok(())
    }
}

/// The bytes of a snapshot.
fn snapshot(
    image: &Image,
    history: &VoterHistory,
    id: SnapshotId,
    last_timestamp: WallTime,
    now: WallTime,
) -> Vec<u8> {
    let (level, voters) = history.before(id.end_offset);
    let quorum = voters.filter(|_| level > 0).map(|voters| (level, voters));
    let metadata_version = image.feature(METADATA_VERSION);
    let mut writer = SnapshotWriter::new(id.epoch, now, last_timestamp, quorum);
    image.for_each_record(|record| {
        let mut value = wire::output::Output::new();
        let version = record_version(&record, metadata_version);
        record.encode(version, &mut value).expect("what was replayed can be written at the same level");
        writer.append(&value.to_bytes().expect("all of it is in memory"));
    });
    writer.finish()
}
