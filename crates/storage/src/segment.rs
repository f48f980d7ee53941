//! One segment: a file of batches with its two indexes.
//!
//! The thread that owns the log appends to the last segment; readers share all of them. What a reader may see of the last
//! one is bounded by the size in its view, never by the file's length. Invariant: `size` is the number of bytes that
//! belong to the log; the file may be longer only after a failed write, and then the log is offline.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base::ids::Offset;
use base::time::WallTime;

use crate::directory::FileKind;
use crate::disk::{File, OpenMode};
use crate::error::{Error, IoContext};
use crate::home::{Home, LazyFile};
use crate::index::{OffsetEntry, OffsetIndex, TimeEntry, TimeIndex};
use crate::scan::{BatchAt, Scan, Step};
use crate::sync::ToSync;

mod aborts;
mod cleaned;

pub(crate) use self::cleaned::SEGMENT_FILES;

/// A segment of a log.
pub(crate) struct Segment {
    home: Arc<Home>,
    base: Offset,
    log: LazyFile,
    size: AtomicU64,
    offsets: OffsetIndex,
    times: TimeIndex,
    has_aborts: AtomicBool,
}

impl Segment {
    /// A new, empty segment; a file left over under its name is emptied.
    pub(crate) fn create(home: Arc<Home>, base: Offset) -> Result<Self, Error> {
        let path = home.path(FileKind::Log, base);
        let log = home.disk().open(&path, OpenMode::Truncate).context("create", &path)?;
        Ok(Self {
            home,
            base,
            log: LazyFile::of(log),
            size: AtomicU64::new(0),
            offsets: OffsetIndex::empty(),
            times: TimeIndex::empty(),
            has_aborts: AtomicBool::new(false),
        })
    }

    /// A segment that is there, `size` bytes long, with these of its other files.
    pub(crate) fn existing(home: Arc<Home>, base: Offset, size: u64, kinds: &[FileKind]) -> Self {
        let has = |kind| kinds.contains(&kind);
        let (offsets, times) = match size {
            0 => (
                OffsetIndex::of_empty_segment(has(FileKind::OffsetIndex)),
                TimeIndex::of_empty_segment(has(FileKind::TimeIndex)),
            ),
            _ => (OffsetIndex::in_file(), TimeIndex::in_file()),
        };
        Self {
            home,
            base,
            log: LazyFile::default(),
            size: AtomicU64::new(size),
            offsets,
            times,
            has_aborts: AtomicBool::new(has(FileKind::TransactionIndex)),
        }
    }

    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    pub(crate) fn file(&self) -> io::Result<Arc<dyn File>> {
        self.log.get(&self.home, FileKind::Log, self.base, OpenMode::Write)
    }

    /// The file, with its name in the error.
    pub(crate) fn opened(&self) -> Result<Arc<dyn File>, Error> {
        self.file().map_err(|source| self.failed("open", FileKind::Log, source))
    }

    /// The first batch before `end` (a position) whose last offset is at least `offset`.
    pub(crate) fn find(&self, offset: Offset, end: u64) -> Result<Option<BatchAt>, Error> {
        let floor = self.on_offsets("search", |index| index.floor(&self.home, self.base, offset))?;
        let mut scan = self.scan_from(floor, end)?;
        while let Some(batch) = self.step(scan.next_header())? {
            if batch.last_offset >= offset {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// The newest entry of the offset index.
    pub(crate) fn last_indexed(&self) -> Result<Option<OffsetEntry>, Error> {
        self.on_offsets("read", |index| index.last(&self.home, self.base))
    }

    /// A walk over the batches from the one of the last index entry to `end`.
    pub(crate) fn scan_tail(&self, end: u64) -> Result<Scan, Error> {
        let newest = self.on_offsets("read", |index| index.last(&self.home, self.base))?;
        self.scan_from(newest, end)
    }

    /// A walk from the batch of an index entry. From an entry that does not point at the begin of its batch, as in a
    /// damaged index, it is one from the begin of the file, where everything is found.
    fn scan_from(&self, entry: Option<OffsetEntry>, end: u64) -> Result<Scan, Error> {
        let Some(entry) = entry else { return self.scan(0, end) };
        let position = u64::from(entry.position);
        let mut scan = self.scan(position.min(end), end)?;
        let is_right = match scan.next_header().map_err(|source| self.read_failed(source))? {
            Step::Batch(batch) => batch.base_offset >= self.base && batch.last_offset <= entry.offset,
            Step::Bad(_) | Step::End => false,
        };
        if is_right {
            scan.go_back(position);
            return Ok(scan);
        }
        tracing::warn!(segment = %self.path().display(), position, "the offset index is damaged and not used");
        self.scan(0, end)
    }

    /// The header of the first batch.
    pub(crate) fn first_batch(&self) -> Result<Option<BatchAt>, Error> {
        self.step(Scan::new(self.opened()?, 0, self.size()).next_header())
    }

    /// A walk over the batches in `[position, end)`.
    pub(crate) fn scan(&self, position: u64, end: u64) -> Result<Scan, Error> {
        Ok(Scan::new(self.opened()?, position, end))
    }

    /// Turns a bad batch into an error that names the file.
    pub(crate) fn step<T>(&self, step: io::Result<Step<T>>) -> Result<Option<T>, Error> {
        match step.map_err(|source| self.read_failed(source))? {
            Step::Batch(batch) => Ok(Some(batch)),
            Step::End => Ok(None),
            Step::Bad(bad) => Err(self.corrupt(bad.position, bad.reason)),
        }
    }

    pub(crate) fn read_failed(&self, source: io::Error) -> Error {
        self.failed("read", FileKind::Log, source)
    }

    pub(crate) fn corrupt(&self, position: u64, reason: String) -> Error {
        Error::corrupt(&self.path(), position, reason)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.home.path(FileKind::Log, self.base)
    }

    /// Notes that the batch at `position` ends with `offset`. What the time index has of it and of the batches before
    /// must be noted: an entry is in the file only if those are.
    pub(crate) fn index_offset(&self, offset: Offset, position: u64) -> Result<(), Error> {
        let entry =
            OffsetEntry { offset, position: u32::try_from(position).expect("segments end below 2 GiB") };
        if self.offsets.writes_with_next() {
            self.on_times("write", |index| index.flush(&self.home, self.base))?;
        }
        self.on_offsets("write", |index| index.append(&self.home, self.base, entry))
    }

    /// Notes the largest timestamp so far, unless that is known.
    pub(crate) fn index_time(&self, timestamp: i64, offset: Offset) -> Result<(), Error> {
        self.on_times("write", |index| {
            match index.last(&self.home, self.base)? {
                Some(last) if last.timestamp >= timestamp => Ok(()),
                // Kafka starts from -1 and so never writes that: no timestamp is no news.
                None if timestamp < 0 => Ok(()),
                _ => index.append(&self.home, self.base, TimeEntry { timestamp, offset }),
            }
        })
    }

    /// The newest entry of the time index: of a closed segment, its largest timestamp.
    pub(crate) fn last_time(&self) -> Result<Option<TimeEntry>, Error> {
        self.on_times("read", |index| index.last(&self.home, self.base))
    }

    /// The largest timestamp of a closed segment's records; without timestamps, when its file was last written.
    pub(crate) fn largest_timestamp(&self) -> Result<i64, Error> {
        match self.last_time()? {
            Some(entry) if entry.timestamp >= 0 => Ok(entry.timestamp),
            _ => Ok(self.modified()?.0),
        }
    }

    /// When its file was last written.
    pub(crate) fn modified(&self) -> Result<WallTime, Error> {
        let path = self.path();
        Ok(self.home.disk().metadata(&path).context("look at", &path)?.modified)
    }

    /// The last offset up to which no record is younger than `timestamp`.
    pub(crate) fn time_floor(&self, timestamp: i64) -> Result<Option<TimeEntry>, Error> {
        self.on_times("search", |index| index.floor(&self.home, self.base, timestamp))
    }

    /// Bytes of the larger index.
    pub(crate) fn index_bytes(&self) -> Result<usize, Error> {
        let (offsets, times) = self.indexes_bytes()?;
        Ok(offsets.max(times))
    }

    /// Bytes of the offset index and of the time index.
    pub(crate) fn indexes_bytes(&self) -> Result<(usize, usize), Error> {
        let offsets = self.on_offsets("read", |index| index.size_bytes(&self.home, self.base))?;
        let times = self.on_times("read", |index| index.size_bytes(&self.home, self.base))?;
        Ok((offsets, times))
    }

    /// Writes index entries that are only in memory.
    pub(crate) fn flush_indexes(&self) -> Result<(), Error> {
        self.on_offsets("write", |index| index.flush(&self.home, self.base))?;
        self.on_times("write", |index| index.flush(&self.home, self.base))
    }

    /// The files of the indexes, for a sync.
    pub(crate) fn index_files(&self) -> Result<Vec<ToSync>, Error> {
        let offsets = self.on_offsets("open", |index| index.handle(&self.home, self.base))?;
        let times = self.on_times("open", |index| index.handle(&self.home, self.base))?;
        let mut files = vec![
            ToSync(offsets, FileKind::OffsetIndex, self.base),
            ToSync(times, FileKind::TimeIndex, self.base),
        ];
        files.extend(self.aborted_file()?.map(|file| ToSync(file, FileKind::TransactionIndex, self.base)));
        Ok(files)
    }

    /// Whether both indexes can be what they should be; see [`crate::index::Index::is_sane`]. Those of an empty segment
    /// are empty, and not even looked at.
    pub(crate) fn indexes_are_sane(&self, may_be_missing: bool) -> Result<bool, Error> {
        if self.size() == 0 {
            return Ok(true);
        }
        Ok(self.on_offsets("read", |index| index.is_sane(&self.home, self.base, may_be_missing))?
            && self.on_times("read", |index| index.is_sane(&self.home, self.base, may_be_missing))?)
    }

    /// Empties the indexes of a segment without batches, whatever they hold.
    pub(crate) fn empty_unseen_indexes(&self) -> Result<(), Error> {
        self.on_offsets("empty", |index| index.empty_unseen(&self.home, self.base))?;
        self.on_times("empty", |index| index.empty_unseen(&self.home, self.base))
    }

    /// Empties all indexes.
    pub(crate) fn reset_indexes(&self) -> Result<(), Error> {
        self.reset_aborted()?;
        self.on_offsets("empty", |index| index.reset(&self.home, self.base))?;
        self.on_times("empty", |index| index.reset(&self.home, self.base))
    }

    /// Cuts file and indexes so that the segment ends with the batch before `position`, whose offsets are below `end`. The
    /// cut is durable: if a crash brought the old end back, it might go on after what is appended now.
    pub(crate) fn truncate(&self, position: u64, end: Offset) -> Result<(), Error> {
        self.on_offsets("cut", |index| index.truncate(&self.home, self.base, |entry| entry.offset < end))?;
        self.on_times("cut", |index| index.truncate(&self.home, self.base, |entry| entry.offset < end))?;
        self.truncate_aborted(end)?;
        let file = self.opened()?;
        file.set_len(position).map_err(|source| self.failed("cut", FileKind::Log, source))?;
        file.sync_data().map_err(|source| self.failed("sync", FileKind::Log, source))?;
        self.set_size(position);
        Ok(())
    }

    /// Closes all files; they are opened again when they are used.
    pub(crate) fn release(&self) {
        self.log.release();
        self.offsets.release();
        self.times.release();
    }

    pub(crate) fn release_idle(&self) {
        self.log.release_idle();
        self.offsets.release_idle();
        self.times.release_idle();
    }

    fn on_offsets<T>(
        &self,
        action: &'static str,
        run: impl FnOnce(&OffsetIndex) -> io::Result<T>,
    ) -> Result<T, Error> {
        run(&self.offsets).map_err(|source| self.failed(action, FileKind::OffsetIndex, source))
    }

    fn on_times<T>(
        &self,
        action: &'static str,
        run: impl FnOnce(&TimeIndex) -> io::Result<T>,
    ) -> Result<T, Error> {
        run(&self.times).map_err(|source| self.failed(action, FileKind::TimeIndex, source))
    }

    fn failed(&self, action: &'static str, kind: FileKind, source: io::Error) -> Error {
        Error::Io { action, path: self.home.path(kind, self.base), source }
    }
}
