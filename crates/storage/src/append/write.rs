//! Writing what was staged.

use std::io::IoSlice;

use base::time::Now;

use super::{Staged, StagedBatch};
use crate::error::Error;
use crate::log::Log;

/// Batches whose buffers fit on the stack; more take an allocation.
const FEW: usize = 8;

impl Log {
    /// Writes everything staged with one system call, then publishes the new log end.
    ///
    /// # Errors
    /// The disk failed: the log is offline for good, and what was staged is not acknowledged.
    pub fn write_staged(&mut self, now: Now) -> Result<(), Error> {
        if self.staged.is_empty() {
            return Ok(());
        }
        self.check_online()?;
        let mut staged = std::mem::take(&mut self.staged);
        let written = self.write(&staged, now);
        staged.batches.clear();
        staged.bytes = 0;
        staged.aborted.clear();
        self.staged = staged;
        written.map_err(|error| self.fail(error))
    }

    fn write(&mut self, staged: &Staged, now: Now) -> Result<(), Error> {
        // An epoch is known before its first record is: a follower may ask for it at once.
        self.write_epochs()?;
        let start = self.active.segment.size();
        let file = self.active.segment.opened()?;
        if staged.batches.len() <= FEW {
            let mut slices = [IoSlice::new(&[]); 2 * FEW];
            fill(&mut slices, &staged.batches);
            file.write_at(&mut slices[..2 * staged.batches.len()], start)
        } else {
            let mut slices = vec![IoSlice::new(&[]); 2 * staged.batches.len()];
            fill(&mut slices, &staged.batches);
            file.write_at(&mut slices, start)
        }
        .map_err(|source| Error::Io { action: "write", path: self.active.segment.path(), source })?;

        let end = start + staged.bytes as u64;
        self.index(staged, start)?;
        self.active.segment.append_aborted(&staged.aborted)?;
        self.active.segment.set_size(end);
        self.ends.log_end = self.next_offset;
        self.durability.waiting_since.get_or_insert(now.mono);
        self.publish_written(staged, start, end);
        self.take_producer_snapshot_now_and_then()
    }

    /// Index entries and the largest timestamp, batch by batch as Kafka makes them.
    fn index(&mut self, staged: &Staged, start: u64) -> Result<(), Error> {
        let mut position = start;
        for batch in &staged.batches {
            self.active.note(
                batch.max_timestamp,
                batch.last_offset,
                position,
                batch.size() as u64,
                self.config.index_interval_bytes,
            )?;
            position += batch.size() as u64;
        }
        Ok(())
    }

    fn publish_written(&mut self, staged: &Staged, start: u64, end: u64) {
        self.ends.last_stable = self.producers.last_stable(self.ends.high_watermark);
        let mut view = self.reader.view();
        view.ends = self.ends;
        view.active_size = end;
        let mut position = start;
        for batch in &staged.batches {
            view.recent.push(batch.base_offset, batch.last_offset.next(), position);
            position += batch.size() as u64;
        }
    }
}

/// Two buffers for each batch: its stamped header, and what follows it.
fn fill<'a>(slices: &mut [IoSlice<'a>], batches: &'a [StagedBatch]) {
    for (pair, batch) in slices.chunks_exact_mut(2).zip(batches) {
        pair[0] = IoSlice::new(batch.header.as_bytes());
        pair[1] = IoSlice::new(&batch.payload);
    }
}
