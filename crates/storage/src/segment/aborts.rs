//! The transaction index of a segment: a file only where a transaction was aborted.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::ids::Offset;

use super::Segment;
use crate::directory::FileKind;
use crate::disk::{File, OpenMode, read_file, remove_if_there};
use crate::error::{Error, IoContext};
use crate::index::{ABORTED_SIZE, AbortedTransaction};

impl Segment {
    /// Says that there is a transaction index.
    pub(crate) fn set_has_aborts(&self) {
        self.has_aborts.store(true, Ordering::Release);
    }

    /// The aborted transactions whose marker is here, in order.
    pub(crate) fn aborted(&self) -> Result<Vec<AbortedTransaction>, Error> {
        if !self.has_aborts.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let path = self.home.path(FileKind::TransactionIndex, self.base);
        let bytes = read_file(self.home.disk(), &path).context("read", &path)?;
        // A reader who still sees a segment that was compacted away must not take its aborted records for committed.
        let bytes = bytes.ok_or(io::ErrorKind::NotFound.into()).context("read", &path)?;
        Ok(AbortedTransaction::decode_all(bytes))
    }

    /// Appends to the transaction index.
    pub(crate) fn append_aborted(&self, aborted: &[AbortedTransaction]) -> Result<(), Error> {
        if aborted.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(aborted.len() * ABORTED_SIZE);
        aborted.iter().for_each(|transaction| transaction.encode(&mut bytes));
        let write = |file: Arc<dyn File>| -> io::Result<()> {
            let whole = file.len()? / ABORTED_SIZE as u64 * ABORTED_SIZE as u64;
            file.write_at(&mut [IoSlice::new(&bytes)], whole)
        };
        let path = self.home.path(FileKind::TransactionIndex, self.base);
        self.home.disk().open(&path, OpenMode::Create).and_then(write).context("write", &path)?;
        self.set_has_aborts();
        Ok(())
    }

    /// Appends those of `aborted` that are younger than what the transaction index has and whose marker is here.
    pub(crate) fn complete_aborted(&self, aborted: &[AbortedTransaction]) -> Result<(), Error> {
        if aborted.is_empty() {
            return Ok(());
        }
        let newest = self.aborted()?.last().map(|known| known.last_offset);
        let is_missing = |transaction: &&AbortedTransaction| {
            transaction.last_offset >= self.base
                && newest.is_none_or(|newest| transaction.last_offset > newest)
        };
        let missing: Vec<AbortedTransaction> = aborted.iter().filter(is_missing).copied().collect();
        self.append_aborted(&missing)
    }

    /// Keeps only transactions whose marker is below `end`.
    pub(crate) fn truncate_aborted(&self, end: Offset) -> Result<(), Error> {
        let mut kept = self.aborted()?;
        kept.retain(|transaction| transaction.last_offset < end);
        self.reset_aborted()?;
        self.append_aborted(&kept)
    }

    /// Removes the transaction index.
    pub(crate) fn reset_aborted(&self) -> Result<(), Error> {
        if self.has_aborts.swap(false, Ordering::AcqRel) {
            let path = self.home.path(FileKind::TransactionIndex, self.base);
            remove_if_there(self.home.disk(), &path).context("remove", &path)?;
        }
        Ok(())
    }

    /// Its file, for a sync.
    pub(crate) fn aborted_file(&self) -> Result<Option<Arc<dyn File>>, Error> {
        if !self.has_aborts.load(Ordering::Acquire) {
            return Ok(None);
        }
        let path = self.home.path(FileKind::TransactionIndex, self.base);
        self.home.disk().open(&path, OpenMode::Write).map(Some).context("open", &path)
    }
}
