//! What a log publishes to its readers.

use base::ids::Offset;

/// The ends of a log, all taken at one moment. `log_start <= high_watermark <= log_end` and `last_stable <= high_watermark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that can be read.
    pub log_start: Offset,
    /// The first offset that is on this disk; greater than `log_start` when older segments are in a remote store.
    pub local_log_start: Offset,
    /// One past the last record.
    pub log_end: Offset,
    /// One past the last record that survives a loss of power here.
    pub durable_end: Offset,
    /// One past the last record that is committed: consumers read below it.
    pub high_watermark: Offset,
    /// One past the last record below which every transaction is decided.
    pub last_stable: Offset,
}
