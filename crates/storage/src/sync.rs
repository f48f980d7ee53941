//! Making a log durable off the thread that owns it.

use std::io;

use base::ids::Offset;

/// What must be synced so that everything below `up_to` survives a loss of power. May run on any thread.
pub struct SyncJob {
    up_to: Offset,
}

/// How a [`SyncJob`] ended; goes back to the log by [`crate::log::Log::synced`].
#[derive(Debug)]
pub struct Synced {
    /// What is durable if `result` is good.
    pub up_to: Offset,
    /// The operating system's answer. An error takes the log offline for good: what the kernel dropped, a second sync
    /// would not bring back.
    pub result: io::Result<()>,
}

impl SyncJob {
    /// What will be durable.
    pub fn up_to(&self) -> Offset {
        self.up_to
    }

    /// Does it.
    pub fn run(self) -> Synced {
        unreachable!()
    }
}
