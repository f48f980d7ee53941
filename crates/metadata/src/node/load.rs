//! Loading: the latest snapshot, then the log behind it.
//!
//! ```text
//! snapshots   0-0    57-2     64-2 (latest)
//! log         0 ─────────────│64───────────── log end
//!                             replayed
//! ```
//! The log must go on where the snapshot ends or before. A snapshot that ends behind the log's end takes its place.

use std::path::Path;

use base::ids::{LeaderEpoch, Offset};
use base::time::{Now, WallTime};
use bytes::Bytes;
use machine::{Hard, Stamp};
use protocol::metadata_record::MetadataRecord;
use quorum::{Content, ControlRecord, LogBatch, LogBatches, SnapshotId, VoterHistory, VoterSet};
use storage::log::Log;
use storage::read::ReadError;

use super::files::{Files, SnapshotFile};
use crate::error::Error;
use crate::image::{Image, ReplayError};
use crate::state::State;

/// How much of the log is read at a time, at least one batch.
const READ_BYTES: usize = 1 << 20;

/// What the disk says.
pub(super) struct Loaded {
    /// At the end of the latest snapshot.
    pub(super) committed: State,
    pub(super) committed_end: Offset,
    /// At the log's end.
    pub(super) state: State,
    pub(super) history: VoterHistory,
    pub(super) snapshots: Vec<SnapshotFile>,
    /// The epoch of the last batch, or of the snapshot.
    pub(super) last_epoch: LeaderEpoch,
    /// When the last record was appended.
    pub(super) last_timestamp: WallTime,
    /// Bytes of the log behind the latest snapshot.
    pub(super) bytes_since_snapshot: u64,
}

/// Reads everything.
pub(super) fn load(
    log: &mut Log,
    files: &Files,
    cluster_id: &str,
    static_voters: Option<&VoterSet>,
    now: Now,
) -> Result<Loaded, Error> {
    let history = VoterHistory::new(static_voters.cloned().unwrap_or_default());
    let state = State::new(Image::empty(cluster_id));
    let mut loaded = Loaded {
        committed: state.clone(),
        committed_end: Offset::ZERO,
        state,
        history,
        snapshots: files.snapshots()?,
        last_epoch: LeaderEpoch(0),
        last_timestamp: WallTime(-1),
        bytes_since_snapshot: 0,
    };
    if let Some(latest) = loaded.snapshots.last().copied() {
        loaded.take_snapshot(latest.id, log, files)?;
        if latest.id.end_offset > log.ends().log_end {
            log.truncate_fully_and_start_at(latest.id.end_offset, now)?;
        }
    }
    let (start, covered) = (log.ends().log_start, loaded.committed_end);
    if start > covered {
        return Err(Error::Refused(format!(
            "{}: the metadata log starts at offset {start}, but no snapshot goes that far: restore the missing \
             *.checkpoint file or the whole directory",
            log.dir().display()
        )));
    }
    loaded.take_log(log)?;
    Ok(loaded)
}

impl Loaded {
    fn take_snapshot(&mut self, id: SnapshotId, log: &Log, files: &Files) -> Result<(), Error> {
        let snapshot = files.read_snapshot(id)?;
        let said_at = id.end_offset.plus(-1);
        let stamp = Stamp::new(said_at, id.epoch);
        if let Some(voters) = snapshot.voters {
            self.history.set_kraft_version(said_at, snapshot.kraft_version);
            self.history.set_voters(said_at, voters);
        }
        let path = log.dir().join(id.file_name());
        for value in snapshot.records {
            replay(&mut self.state, stamp, value, &path)?;
        }
        self.last_epoch = id.epoch;
        self.last_timestamp = snapshot.last_contained_log_timestamp;
        self.state.set_kraft_version(self.history.kraft_version());
        self.committed = self.state.clone();
        self.committed_end = id.end_offset;
        Ok(())
    }

    fn take_log(&mut self, log: &Log) -> Result<(), Error> {
        let reader = log.reader();
        let end = log.ends().log_end;
        let mut from = self.committed_end;
        while from < end {
            let read = reader.read(from, end, READ_BYTES, true).map_err(|error| match error {
                ReadError::Storage(error) => Error::Storage(error),
                other => Error::Refused(format!("{}: {other}", log.dir().display())),
            })?;
            let Some(records) = read.records else { break };
            let bytes =
                records.to_bytes().map_err(|error| super::files::io_error("read", &log.dir(), error))?;
            let next = self.take_batches(bytes, &log.dir())?;
            if next <= from {
                let reason = format!("no whole batch at offset {from}");
                return Err(Error::Refused(format!("{}: {reason}", log.dir().display())));
            }
            from = next;
        }
        self.state.set_kraft_version(self.history.kraft_version());
        Ok(())
    }

    /// Takes whole batches; gives the end of the last one. The last batch may be cut: it is read again.
    fn take_batches(&mut self, bytes: Bytes, path: &Path) -> Result<Offset, Error> {
        let whole = whole_batches(&bytes);
        let mut end = Offset::ZERO;
        for batch in LogBatches::new(bytes.slice(..whole)) {
            let batch = batch.map_err(|error| Error::Quorum { path: path.to_owned(), error })?;
            end = batch.end;
            self.take_batch(batch, path)?;
        }
        Ok(end)
    }

    /// The batch in which a snapshot ends holds records that the snapshot has: they are passed over.
    fn take_batch(&mut self, batch: LogBatch, path: &Path) -> Result<(), Error> {
        let quorum_error = |error| Error::Quorum { path: path.to_owned(), error };
        self.last_epoch = batch.epoch;
        self.last_timestamp = batch.timestamp;
        self.bytes_since_snapshot += batch.size as u64;
        match batch.content {
            Content::Control(records) => {
                for (offset, record) in
                    records.into_iter().filter(|(offset, _)| *offset >= self.committed_end)
                {
                    match record {
                        ControlRecord::KRaftVersion(record) => {
                            self.history.set_kraft_version(offset, record.kraft_version);
                        }
                        ControlRecord::Voters(record) => {
                            let voters = VoterSet::from_record(&record).map_err(quorum_error)?;
                            self.history.set_voters(offset, voters);
                        }
                        ControlRecord::LeaderChange(_)
                        | ControlRecord::SnapshotHeader(_)
                        | ControlRecord::SnapshotFooter(_)
                        | ControlRecord::Other(_) => {}
                    }
                }
            }
            Content::Data(records) => {
                for (offset, value) in records.into_iter().filter(|(offset, _)| *offset >= self.committed_end)
                {
                    replay(&mut self.state, Stamp::new(offset, batch.epoch), value, path)?;
                }
            }
        }
        Ok(())
    }
}

/// How many bytes the batches take that are there as a whole.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut batches = wire::batch::Batches::new(bytes);
    let torn = batches.by_ref().find_map(|batch| batch.err().filter(|tail| tail.is_torn()));
    if torn.is_some() { batches.position() } else { bytes.len() }
}

fn replay(state: &mut State, stamp: Stamp, value: Bytes, path: &Path) -> Result<(), Error> {
    let record = MetadataRecord::decode(value)
        .map_err(|error| ReplayError { stamp, reason: format!("it cannot be read: {error}") });
    let replayed = record.and_then(|(record, _)| state.replay(stamp, &record));
    replayed.map_err(|error| Error::Replay { path: path.to_owned(), error })
}
