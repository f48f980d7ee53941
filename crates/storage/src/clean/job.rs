//! The work of one compaction: the map of newest offsets first, then group by group the segments without the rest.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use base::ids::{Offset, ProducerId};
use base::time::WallTime;
use wire::batch::Batch;
use wire::compress::{CompressionType, Compressors, Decompressors};
use wire::record::RecordViews;

use super::filter::{Filter, Kept, LastRecord, RECORDS_BYTES_MAX, messages_of};
use super::offset_map::{Digest, NewestOffsets, OffsetMap};
use super::output::{Output, UnsyncedSegment};
use super::plan::{Measures, groups};
use super::transactions::CleanedTransactions;
use super::{Cancelled, Cleanable};
use crate::append::marker_of;
use crate::config::LogConfig;
use crate::error::{Error, IoContext};
use crate::home::Home;
use crate::index::AbortedTransaction;
use crate::scan::Scan;
use crate::segment::Segment;

/// Bytes between two questions whether to go on.
const STRIDE: usize = 64 * 1024;
/// The least that is read or written at once.
const BUFFER_MIN: usize = 4 * 1024;

/// Says whether to go on, and may take its time over the answer.
pub trait Pace {
    /// So many bytes were read or written since the last call.
    fn go_on(&mut self, bytes: usize) -> bool;
}

/// How much memory one compaction may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanMemory {
    /// For the map of keys: `log.cleaner.dedupe.buffer.size` ÷ `log.cleaner.threads`. What is derived from it takes a 64th
    /// more.
    pub map_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`.
    pub load_factor: f64,
    /// For what is read and what is written, half each: `log.cleaner.io.buffer.size` ÷ `log.cleaner.threads`. A larger
    /// batch takes what it needs.
    pub io_bytes: usize,
}

/// Why a compaction ended early. Its segments are removed; those that were swapped already are fine as they are.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The log changed, or the node stops.
    #[error("the compaction was given up")]
    Aborted,
    /// Nothing can be compacted in this memory.
    #[error("log.cleaner.dedupe.buffer.size is too small for the keys of one batch")]
    NoRoom,
    /// The disk failed, or a batch is damaged.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What a compaction did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CleanStats {
    /// Bytes of the segments that were filtered.
    pub bytes_read: u64,
    /// Bytes of the segments that were made of them.
    pub bytes_written: u64,
    /// Bytes read for the map.
    pub map_bytes_read: u64,
    /// How full the map was, from 0 to 1.
    pub map_utilization: f64,
}

/// A compaction that nobody has begun: what [`crate::log::Log::clean_job`] gives out.
pub struct CleanJob {
    pub(super) home: Arc<Home>,
    pub(super) config: Arc<LogConfig>,
    /// All segments of the log; those from `end` on are only asked for aborted transactions.
    pub(super) segments: Arc<[Arc<Segment>]>,
    pub(super) end: usize,
    pub(super) plan: Cleanable,
    pub(super) last_records: HashMap<ProducerId, LastRecord>,
    pub(super) cancelled: Cancelled,
    pub(super) now: WallTime,
}

/// A compaction with its map: makes one segment after the other.
pub struct CleanRound {
    job: CleanJob,
    memory: CleanMemory,
    map: OffsetMap,
    newest: NewestOffsets,
    map_end: Offset,
    groups: std::vec::IntoIter<Range<usize>>,
    /// State that goes on from one segment to the next.
    transactions: CleanedTransactions,
    codecs: (Decompressors, Compressors),
    /// Segments of formats 0 and 1 whose file is not younger lose their tombstones.
    legacy_horizon_ms: i64,
    stats: CleanStats,
}

/// The proof that a compaction came to its end: goes to [`crate::log::Log::cleaned`].
pub struct CleanDone {
    pub(super) up_to: Offset,
    pub(super) cancelled: Cancelled,
}

impl CleanJob {
    /// Reads the keys of the dirty part.
    ///
    /// # Errors
    /// See [`CleanError`].
    pub fn map(self, memory: CleanMemory, pace: &mut dyn Pace) -> Result<CleanRound, CleanError> {
        let dirty = self.plan.first_uncleanable.0 - self.plan.first_dirty.0;
        let mut mapping = Mapping {
            map: OffsetMap::new(memory.map_bytes, memory.load_factor, dirty.max(0) as u64),
            end: self.plan.first_dirty,
            transactions: CleanedTransactions::new(self.aborted(self.plan.first_dirty)?),
            decompressors: Decompressors::new(),
            digests: Vec::new(),
            bytes_read: 0,
        };
        mapping.fill(&self, memory.io_bytes, &mut Stride::new(pace, &self.cancelled))?;
        let Mapping { map, end: map_end, decompressors, bytes_read, .. } = mapping;
        if map_end <= self.plan.first_dirty {
            return Err(CleanError::NoRoom);
        }
        let covered = self.segments[..self.end].partition_point(|segment| segment.base() < map_end);
        let measures: Vec<Measures> =
            self.segments[..covered].iter().map(|segment| Measures::of(segment)).collect::<Result<_, _>>()?;
        let groups = groups(
            &measures,
            self.config.segment_bytes.into(),
            self.config.segment_index_bytes as usize,
            self.plan.first_uncleanable,
        );
        let clean = self.segments[..covered].partition_point(|it| it.base() < self.plan.first_dirty);
        let legacy_horizon_ms = match self.segments[..clean].last() {
            Some(newest) => newest.modified()?.0.saturating_sub(self.config.delete_retention_ms),
            None => 0,
        };
        let stats = CleanStats {
            map_bytes_read: bytes_read,
            map_utilization: map.utilization(),
            ..Default::default()
        };
        Ok(CleanRound {
            transactions: CleanedTransactions::new(self.aborted(Offset::ZERO)?),
            newest: map.newest(self.plan.first_dirty, map_end, memory.map_bytes / 64 * 8),
            memory,
            map,
            map_end,
            groups: groups.into_iter(),
            codecs: (decompressors, Compressors::new()),
            legacy_horizon_ms,
            stats,
            job: self,
        })
    }

    /// The aborted transactions that have records from `from` on and begin below what is uncleanable.
    fn aborted(&self, from: Offset) -> Result<Vec<AbortedTransaction>, CleanError> {
        let mut found = Vec::new();
        let first = self.segments.partition_point(|segment| segment.base() <= from).saturating_sub(1);
        for segment in &self.segments[first..] {
            for transaction in segment.aborted().map_err(given_up)? {
                if transaction.last_offset >= from && transaction.first_offset < self.plan.first_uncleanable {
                    found.push(transaction);
                }
                if transaction.last_stable >= self.plan.first_uncleanable {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

impl CleanRound {
    /// Makes the next segment; `None` when there is none left. They are to be swapped in this order.
    ///
    /// # Errors
    /// See [`CleanError`].
    pub fn next_segment(&mut self, pace: &mut dyn Pace) -> Result<Option<UnsyncedSegment>, CleanError> {
        if self.job.cancelled.get() {
            return Err(CleanError::Aborted);
        }
        let Some(group) = self.groups.next() else { return Ok(None) };
        let sources = self.job.segments[group].to_vec();
        let mut stride = Stride::new(pace, &self.job.cancelled);
        let buffer = (self.memory.io_bytes / 2).max(BUFFER_MIN);
        let interval = self.job.config.index_interval_bytes;
        let cancelled = self.job.cancelled.clone();
        let mut output = Output::create(&self.job.home, sources.clone(), cancelled, interval, buffer)?;
        let mut filter = Filter {
            map: &self.map,
            newest: &self.newest,
            map_end: self.map_end,
            limit: self.job.plan.first_uncleanable,
            last_records: &self.job.last_records,
            transactions: std::mem::take(&mut self.transactions),
            now_ms: self.job.now.0,
            delete_retention_ms: self.job.config.delete_retention_ms,
            legacy_tombstones_stay: true,
            retained_aborts: Vec::new(),
            decompressors: std::mem::take(&mut self.codecs.0),
            compressors: std::mem::take(&mut self.codecs.1),
        };
        for source in &sources {
            filter.legacy_tombstones_stay = source.modified()?.0 > self.legacy_horizon_ms;
            let written = copy(source, &mut filter, &mut output, buffer, &mut stride)?;
            self.stats.bytes_read += source.size();
            self.stats.bytes_written += written;
        }
        let retained = std::mem::take(&mut filter.retained_aborts);
        self.transactions = filter.transactions;
        self.codecs = (filter.decompressors, filter.compressors);
        Ok(Some(output.finish(&retained)?))
    }

    /// Ends it when every segment was swapped: makes their names durable, so that [`crate::log::Log::cleaned`] may be told.
    ///
    /// # Errors
    /// The disk failed.
    ///
    /// # Panics
    /// When there are segments left.
    pub fn finish(self) -> Result<CleanDone, CleanError> {
        assert!(self.groups.len() == 0, "what was not compacted is not clean");
        let dir = self.job.home.dir();
        self.job.home.disk().sync_dir(&dir).context("sync", &dir)?;
        Ok(CleanDone { up_to: self.map_end, cancelled: self.job.cancelled })
    }

    /// What was done so far.
    pub fn stats(&self) -> CleanStats {
        self.stats
    }
}

/// Copies what stays of a segment; how many bytes that is.
fn copy(
    source: &Segment,
    filter: &mut Filter<'_>,
    output: &mut Output,
    buffer: usize,
    stride: &mut Stride<'_>,
) -> Result<u64, CleanError> {
    let mut written = 0;
    let mut scan = source.scan(0, source.size()).map_err(given_up)?.reading(buffer);
    while let Some((at, bytes)) = source.step(scan.next_whole())? {
        let corrupt = |reason| source.corrupt(at.position, reason);
        let out = output.buffer();
        let start = out.len();
        let (max_timestamp, last_offset) = match filter.keep(bytes, at.magic, out).map_err(corrupt)? {
            Kept::Nothing => (at.max_timestamp, at.last_offset),
            Kept::Whole => {
                out.extend_from_slice(bytes);
                (at.max_timestamp, at.last_offset)
            }
            Kept::Changed => {
                let batch = Batch::parse(&out[start..]).expect("it was built just now");
                (batch.max_timestamp(), batch.last_offset())
            }
        };
        let size = out.len() - start;
        if size > 0 {
            output.note(size, max_timestamp, last_offset)?;
        }
        written += size as u64;
        stride.step(at.size + size)?;
    }
    Ok(written)
}

/// The map while it is filled.
struct Mapping {
    map: OffsetMap,
    /// It covers everything below.
    end: Offset,
    transactions: CleanedTransactions,
    decompressors: Decompressors,
    /// Of the present batch's keys.
    digests: Vec<(Digest, Offset)>,
    bytes_read: u64,
}

impl Mapping {
    fn fill(&mut self, job: &CleanJob, io_bytes: usize, stride: &mut Stride<'_>) -> Result<(), CleanError> {
        let start = job.plan.first_dirty;
        let first = job.segments.partition_point(|segment| segment.base() <= start).saturating_sub(1);
        for (index, segment) in job.segments[..job.end].iter().enumerate().skip(first) {
            let size = segment.size();
            let from = match index == first {
                true => segment.find(start, size).map_err(given_up)?.map_or(size, |batch| batch.position),
                false => 0,
            };
            let scan = segment.scan(from, size).map_err(given_up)?;
            if !self.fill_from(segment, scan.reading(io_bytes.max(BUFFER_MIN)), start, stride)? {
                return Ok(());
            }
            // The end of a segment may have been compacted away.
            self.end = self.end.max(job.segments[index + 1].base());
        }
        Ok(())
    }

    /// False when the map is full.
    fn fill_from(
        &mut self,
        segment: &Segment,
        mut scan: Scan,
        start: Offset,
        stride: &mut Stride<'_>,
    ) -> Result<bool, CleanError> {
        while let Some((at, bytes)) = segment.step(scan.next_whole())? {
            let corrupt = |reason| segment.corrupt(at.position, reason);
            if !self.put_batch(bytes, at.magic, start).map_err(corrupt)? {
                return Ok(false);
            }
            self.end = self.end.max(at.next_offset());
            self.bytes_read += at.size as u64;
            stride.step(at.size)?;
        }
        Ok(true)
    }

    fn put_batch(&mut self, bytes: &[u8], magic: i8, start: Offset) -> Result<bool, String> {
        if magic < 2 {
            let (_, messages) = messages_of(bytes, &mut self.decompressors)?;
            let keyed = messages.iter().filter_map(|it| Some((it.key.as_deref()?, it.offset)));
            let dirty = keyed.filter(|(_, offset)| *offset >= start);
            let digests: Vec<_> = dirty.map(|(key, offset)| (Digest::of(key), offset)).collect();
            return Ok(self.map.put_all(&digests));
        }
        let batch = Batch::parse(bytes).map_err(|error| error.to_string())?;
        if batch.attributes().is_control() {
            let committed = marker_of(bytes)?.map(|marker| marker.committed);
            self.transactions.on_control(&batch, committed);
            return Ok(true);
        }
        if self.transactions.on_data(&batch) || batch.record_count() == 0 {
            return Ok(true);
        }
        let decompressed;
        let plain = match batch.attributes().compression() {
            Ok(CompressionType::None) => batch.payload(),
            Ok(compression) => {
                let done = self.decompressors.decompress(compression, batch.payload(), RECORDS_BYTES_MAX);
                decompressed = done.map_err(|error| error.to_string())?;
                &decompressed
            }
            Err(id) => return Err(format!("unknown compression type id: {id}")),
        };
        self.digests.clear();
        for record in RecordViews::new(&batch, plain).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            if let Some(key) = record.key.filter(|_| record.offset >= start) {
                self.digests.push((Digest::of(key), record.offset));
            }
        }
        Ok(self.map.put_all(&self.digests))
    }
}

/// Asks after every so many bytes whether to go on.
struct Stride<'a> {
    pace: &'a mut dyn Pace,
    cancelled: &'a Cancelled,
    bytes: usize,
}

impl<'a> Stride<'a> {
    fn new(pace: &'a mut dyn Pace, cancelled: &'a Cancelled) -> Self {
        Self { pace, cancelled, bytes: 0 }
    }

    fn step(&mut self, bytes: usize) -> Result<(), CleanError> {
        self.bytes += bytes;
        if self.bytes < STRIDE {
            return Ok(());
        }
        let go_on = self.pace.go_on(std::mem::take(&mut self.bytes));
        if go_on && !self.cancelled.get() { Ok(()) } else { Err(CleanError::Aborted) }
    }
}

/// A segment whose files are gone was deleted by retention.
fn given_up(error: Error) -> CleanError {
    if error.is_gone() { CleanError::Aborted } else { CleanError::Failed(error) }
}
