//! Compaction: of each key only the newest record stays (`cleanup.policy=compact`).
//!
//! ```text
//! reader.cleanable ─► dirtiest ─► log.clean_job ─► job.map ─► round.next_segment ─► segment.sync ─► log.swap
//!   (any thread)                   (owner)         (a thread of its own) ▲ │         (another one)   (owner) │ until
//!                                                                        └─┴──────── the next one meanwhile ─┘ there is
//!                                                            round.finish ─► log.cleaned ─► the checkpoint     none
//! ```
//! A job works on the segments as they were when it was given out: they are closed, synced and never change. Each group of
//! them becomes one new segment, complete and synced before the owner hears of it; the owner puts it in their place by
//! renames alone. Invariants: offsets never change; what a crash leaves is the old segments or the new one, for each group;
//! a log that was cut, emptied or closed meanwhile takes no result; a first dirty offset is written down only after the
//! renames below it are durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

mod filter;
mod job;
mod offset_map;
mod output;
mod plan;
mod swap;
mod transactions;

pub use self::job::{CleanError, CleanJob, CleanMemory, CleanRound, CleanStats, Pace};
pub use self::output::{CleanedSegment, UnsyncedSegment};
pub use self::plan::{Cleanable, dirtiest};

/// The owner's end of a compaction under way. Whoever cancels it, or lets go of the log, ends it.
#[derive(Default)]
pub(crate) struct Cleaning(Arc<AtomicBool>);

/// The other end.
#[derive(Clone)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

impl Cleaning {
    /// A new compaction; one before it is cancelled.
    pub(crate) fn begin(&mut self) -> Cancelled {
        self.cancel();
        Cancelled(self.0.clone())
    }

    pub(crate) fn cancel(&mut self) {
        self.0.store(true, Ordering::Release);
        self.0 = Arc::default();
    }

    /// Whether `cancelled` belongs to the compaction under way.
    pub(crate) fn is(&self, cancelled: &Cancelled) -> bool {
        Arc::ptr_eq(&self.0, &cancelled.0)
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Cancelled {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
