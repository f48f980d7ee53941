//! The aborted transactions of a range, for readers of committed records.

use base::ids::Offset;

use super::{LogReader, is_gone};
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
            Err(error) if is_gone(&error) => self.try_aborted(from, up_to),
            other => other,
        }
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
