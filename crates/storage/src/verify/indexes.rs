//! What the indexes say, held against the batches as they are walked.
//!
//! An entry of the offset index names the last offset of a batch (or of several that were appended together) and where that
//! append begins; one of the time index, the greatest timestamp so far and the offset of the batch that has it.

use std::path::{Path, PathBuf};

use base::ids::Offset;
use bytes::Bytes;
use wire::batch::NO_TIMESTAMP;
use wire::reader::Reader;

use super::{Fault, Report, Severity};
use crate::directory::FileKind;
use crate::disk::{Disk, read_file};
use crate::error::{Error, IoContext};
use crate::index::{ABORTED_SIZE, AbortedTransaction, Entry, OffsetEntry, TimeEntry};
use crate::scan::BatchAt;

/// The entries of one index that the walk has not passed yet. Only the first fault of an index is told.
struct Ahead<E> {
    path: PathBuf,
    entries: Vec<E>,
    at: usize,
    severity: Severity,
}

impl<E: Entry> Ahead<E> {
    fn read(
        disk: &dyn Disk,
        dir: &Path,
        base: Offset,
        trusted: bool,
        report: &mut Report,
    ) -> Result<Self, Error> {
        let path = E::KIND.path(dir, base);
        let severity = Severity::wrong_if(trusted);
        let bytes = read_file(disk, &path).context("read", &path)?.unwrap_or_default();
        let mut ahead = Self { path, entries: Vec::new(), at: 0, severity };
        if !bytes.len().is_multiple_of(E::SIZE) {
            ahead.fault(
                report,
                bytes.len() / E::SIZE,
                format!("has {} bytes, not whole entries", bytes.len()),
            );
            return Ok(ahead);
        }
        let mut entries: Vec<&[u8]> = bytes.chunks_exact(E::SIZE).collect();
        // Kafka fills the index of an active segment with zeros and cuts it when it stops.
        let is_padding = |entry: &&[u8]| entry.iter().all(|byte| *byte == 0);
        let padding = entries.iter().skip(1).rev().take_while(|entry| is_padding(entry)).count();
        if padding > 0 {
            let filled = entries.len() - padding;
            ahead.fault(report, filled, format!("ends in {padding} entries of zeros"));
            entries.truncate(filled);
            if filled == 1 && is_padding(&entries[0]) {
                entries.clear();
            }
        }
        ahead.entries = entries.into_iter().map(|entry| E::decode(base, entry)).collect();
        let falls = |pair: &[E]| pair[0].key() >= pair[1].key();
        if let Some(at) = ahead.entries.windows(2).position(falls) {
            ahead.fault(report, at + 1, "is not after the entry before it".to_owned());
        }
        Ok(ahead)
    }

    fn next(&self) -> Option<E> {
        self.entries.get(self.at).copied()
    }

    fn fault(&mut self, report: &mut Report, at: usize, what: String) {
        report.add(Fault::Derived, self.severity, &self.path, Some((at * E::SIZE) as u64), what);
        self.at = self.entries.len();
    }
}

/// All indexes of a segment.
pub(super) struct Indexes {
    offsets: Ahead<OffsetEntry>,
    times: Ahead<TimeEntry>,
    /// The last offset of the append that an entry of the offset index stands for, until that was met.
    promised: Option<Offset>,
    /// The greatest timestamp so far.
    max_timestamp: i64,
}

impl Indexes {
    pub(super) fn read(
        disk: &dyn Disk,
        dir: &Path,
        base: Offset,
        trusted: bool,
        report: &mut Report,
    ) -> Result<Self, Error> {
        Ok(Self {
            offsets: Ahead::read(disk, dir, base, trusted, report)?,
            times: Ahead::read(disk, dir, base, trusted, report)?,
            promised: None,
            max_timestamp: NO_TIMESTAMP,
        })
    }

    /// The walk is at this batch.
    pub(super) fn on_batch(&mut self, batch: &BatchAt, report: &mut Report) {
        self.offset_entry(batch, report);
        self.max_timestamp = self.max_timestamp.max(batch.max_timestamp);
        while let Some(entry) = self.times.next().filter(|entry| entry.offset <= batch.last_offset) {
            if entry.timestamp != self.max_timestamp {
                let what = format!(
                    "says timestamp {} for offset {}; the greatest up to there is {}",
                    entry.timestamp, entry.offset, self.max_timestamp
                );
                return self.times.fault(report, self.times.at, what);
            }
            self.times.at += 1;
        }
    }

    fn offset_entry(&mut self, batch: &BatchAt, report: &mut Report) {
        if let Some(entry) = self.offsets.next() {
            let position = u64::from(entry.position);
            if position < batch.position || (position == batch.position && entry.offset < batch.base_offset) {
                let what =
                    format!("says that offset {} is at {position}, where no such batch begins", entry.offset);
                self.promised = None;
                return self.offsets.fault(report, self.offsets.at, what);
            }
            if position == batch.position {
                self.promised = Some(entry.offset);
                self.offsets.at += 1;
            }
        }
        match self.promised {
            Some(offset) if offset < batch.last_offset => {
                let what =
                    format!("says that a batch ends at offset {offset}; one ends at {}", batch.last_offset);
                self.promised = None;
                let at = self.offsets.at.saturating_sub(1);
                self.offsets.fault(report, at, what);
            }
            Some(offset) if offset == batch.last_offset => self.promised = None,
            Some(_) | None => {}
        }
    }

    /// The walk has met every batch of the segment.
    pub(super) fn on_end(&mut self, report: &mut Report) {
        if let Some(entry) = self.offsets.next() {
            let what = format!("says that offset {} is at {}, after the end", entry.offset, entry.position);
            self.offsets.fault(report, self.offsets.at, what);
        }
        if let Some(entry) = self.times.next() {
            let what =
                format!("says timestamp {} for offset {}, after the end", entry.timestamp, entry.offset);
            self.times.fault(report, self.times.at, what);
        }
    }
}

/// The index of aborted transactions, whose markers lie in the segment's offsets.
pub(super) fn aborted(
    disk: &dyn Disk,
    dir: &Path,
    (base, end): (Offset, Offset),
    trusted: bool,
    report: &mut Report,
) -> Result<(), Error> {
    const VERSION: i16 = 0;
    let path = FileKind::TransactionIndex.path(dir, base);
    let Some(bytes) = read_file(disk, &path).context("read", &path)? else { return Ok(()) };
    let severity = Severity::wrong_if(trusted);
    let length = bytes.len();
    let versions = bytes.chunks(ABORTED_SIZE).map(|entry| Reader::new(Bytes::copy_from_slice(entry)).i16());
    let bad = versions.enumerate().find(|(_, version)| !matches!(version, Ok(VERSION)));
    if !length.is_multiple_of(ABORTED_SIZE) || bad.is_some() {
        let at = bad.map_or(length / ABORTED_SIZE, |(at, _)| at);
        report.add(Fault::Derived, severity, &path, Some((at * ABORTED_SIZE) as u64), "is no entry");
        return Ok(());
    }
    let mut before = base.0 - 1;
    for (at, entry) in AbortedTransaction::decode_all(bytes).into_iter().enumerate() {
        let marker = entry.last_offset;
        let is_sound = entry.first_offset <= marker && before < marker.0 && marker < end;
        if !is_sound || entry.producer_id.0 < 0 || entry.last_stable.0 > marker.0 + 1 {
            let what = format!(
                "says that producer {} aborted {} to {marker}",
                entry.producer_id, entry.first_offset
            );
            report.add(Fault::Derived, severity, &path, Some((at * ABORTED_SIZE) as u64), what);
            return Ok(());
        }
        before = marker.0;
    }
    Ok(())
}
