//! The aborted transactions of a range, for readers of committed records.

use base::ids::Offset;

use super::LogReader;
use crate::error::Error;
use crate::index::AbortedTransaction;

impl LogReader {
    /// The aborted transactions that have records in `[from, up_to)`.
    ///
    /// # Errors
    /// The disk failed.
    pub fn aborted_transactions(
        &self,
        from: Offset,
        up_to: Offset,
    ) -> Result<Vec<AbortedTransaction>, Error> {
        match self.try_aborted(from, up_to) {
            // The segment was deleted after the look at the view: the next look does not have it.
            Err(error) if error.is_gone() => self.try_aborted(from, up_to),
            other => other,
        }
    }

    /// The aborted transactions that have records in the `bytes` bytes that a read from `from` gave, none of them at or after
    /// `up_to`: what a consumer must be told together with those records.
    ///
    /// # Errors
    /// The disk failed.
    pub fn aborted_transactions_of(
        &self,
        from: Offset,
        up_to: Offset,
        bytes: usize,
    ) -> Result<Vec<AbortedTransaction>, Error> {
        let mut found = self.aborted_transactions(from, up_to)?;
        if found.iter().any(|transaction| transaction.first_offset > from) {
            // Those that begin after what was read would come again with each of the reads that follow.
            let end = match self.end_of_read(from, bytes) {
                Err(error) if error.is_gone() => None,
                other => other?,
            };
            found.retain(|transaction| end.is_none_or(|end| transaction.first_offset < end));
        }
        Ok(found)
    }

    /// One past the last offset of the batches that begin in the first `bytes` bytes from `from`, if it is in one segment.
    fn end_of_read(&self, from: Offset, bytes: usize) -> Result<Option<Offset>, Error> {
        let (segments, first) = {
            let view = self.view();
            (view.segments.clone(), view.segment_of(from))
        };
        for segment in &segments[first..] {
            let size = segment.size();
            let Some(batch) = segment.find(from, size)? else { continue };
            let end = (batch.position + bytes as u64).min(size);
            let mut next_offset = batch.next_offset();
            let mut scan = segment.scan(batch.end(), size)?;
            while let Some(batch) = segment.step(scan.next_header())?
                && batch.position < end
            {
                next_offset = batch.next_offset();
            }
            return Ok(Some(next_offset));
        }
        Ok(None)
    }

    fn try_aborted(&self, from: Offset, up_to: Offset) -> Result<Vec<AbortedTransaction>, Error> {
        let (segments, first) = {
            let view = self.view();
            (view.segments.clone(), view.segment_of(from))
        };
        let mut found = Vec::new();
        for segment in &segments[first..] {
            for transaction in segment.aborted()? {
                if transaction.last_offset >= from && transaction.first_offset < up_to {
                    found.push(transaction);
                }
                // Whatever ends later began at or after what was stable then.
                if transaction.last_stable >= up_to {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}
