//! A segment that compaction writes: first under names of its own, then in the place of those it was made from.
//!
//! ```text
//! 00…0.log.cleaned   being written, then synced       nobody but compaction knows of it; a start removes it
//! 00…0.log.swap      decided                          a start completes it
//! 00…0.log           in its place
//! ```
//! Its files are open from the begin, so that its readers follow it through both renames.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use base::ids::Offset;

use super::Segment;
use crate::directory::{FileKind, suffix, with_suffix};
use crate::disk::{OpenMode, remove_if_there};
use crate::error::{Error, IoContext};
use crate::home::{Home, LazyFile};
use crate::index::{ABORTED_SIZE, AbortedTransaction, OffsetIndex, TimeIndex};

/// The kinds of files that belong to one segment. The log goes first: without it the others are seen to be left over.
pub(crate) const SEGMENT_FILES: [FileKind; 4] =
    [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex];

impl Segment {
    /// A new, empty segment under the names of unfinished results.
    pub(crate) fn create_cleaned(home: Arc<Home>, base: Offset) -> Result<Self, Error> {
        let open = |kind| {
            let path = with_suffix(&home.path(kind, base), suffix::CLEANED);
            home.disk().open(&path, OpenMode::Truncate).context("create", &path)
        };
        let (log, offsets, times) =
            (open(FileKind::Log)?, open(FileKind::OffsetIndex)?, open(FileKind::TimeIndex)?);
        Ok(Self {
            home,
            base,
            log: LazyFile::of(log),
            size: AtomicU64::new(0),
            offsets: OffsetIndex::new_in(offsets),
            times: TimeIndex::new_in(times),
            has_aborts: AtomicBool::new(false),
        })
    }

    /// Writes and syncs the transaction index of such a segment.
    pub(crate) fn write_cleaned_aborts(&self, aborted: &[AbortedTransaction]) -> Result<(), Error> {
        if aborted.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(aborted.len() * ABORTED_SIZE);
        aborted.iter().for_each(|transaction| transaction.encode(&mut bytes));
        let path = with_suffix(&self.home.path(FileKind::TransactionIndex, self.base), suffix::CLEANED);
        let file = self.home.disk().open(&path, OpenMode::Truncate).context("create", &path)?;
        file.write_at(&mut [IoSlice::new(&bytes)], 0).context("write", &path)?;
        file.sync_data().context("sync", &path)?;
        self.set_has_aborts();
        Ok(())
    }

    /// Syncs its two indexes.
    pub(crate) fn sync_cleaned_indexes(&self) -> Result<(), Error> {
        let offsets = self.on_offsets("open", |index| index.handle(&self.home, self.base))?;
        let times = self.on_times("open", |index| index.handle(&self.home, self.base))?;
        for (kind, file) in [(FileKind::OffsetIndex, offsets), (FileKind::TimeIndex, times)] {
            file.sync_data()
                .context("sync", &with_suffix(&self.home.path(kind, self.base), suffix::CLEANED))?;
        }
        Ok(())
    }

    /// Gives its files their next names: from one suffix to the other, "" being none.
    pub(crate) fn rename_files(&self, from: &str, to: &str) -> Result<(), Error> {
        for (kind, (from, to)) in
            SEGMENT_FILES.into_iter().zip(self.names(from).into_iter().zip(self.names(to)))
        {
            match self.home.disk().rename(&from, &to) {
                // Most segments have none.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && kind == FileKind::TransactionIndex => {}
                result => result.context("rename", &from)?,
            }
        }
        Ok(())
    }

    /// Removes its files, as far as they are there under these names.
    pub(crate) fn remove_files(&self, suffix: &str) -> Result<(), Error> {
        self.names(suffix)
            .into_iter()
            .try_for_each(|path| remove_if_there(self.home.disk(), &path).context("remove", &path))
    }

    /// Opens all files, so that they are read to the end by whoever still sees the segment when others have its names.
    pub(crate) fn hold_open(&self) -> Result<(), Error> {
        self.opened()?;
        self.index_files()?;
        self.indexes_bytes().map(|_| ())
    }

    fn names(&self, suffix: &str) -> [PathBuf; 4] {
        SEGMENT_FILES.map(|kind| with_suffix(&self.home.path(kind, self.base), suffix))
    }
}
