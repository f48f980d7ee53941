//! What goes into a log, and what comes back.

use base::error_code::ErrorCode;
use base::ids::Offset;
use base::time::WallTime;

/// Who appends. Decides which checks apply: only a client's batch can be a duplicate, a replica's is taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer.
    Client,
    /// A coordinator of this node: records it made itself, and transaction markers.
    Coordinator,
    /// The metadata quorum's leader: offsets and epoch are set already by the caller.
    RaftLeader,
    /// A follower: offsets and epoch are the leader's.
    Replication,
}

/// A batch that has its place in the log. It is readable after the next [`crate::log::Log::write_staged`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub first_offset: Offset,
    /// The offset of its last record, inclusive. The ack waits until the deciding end is greater than this.
    pub last_offset: Offset,
    /// The broker's time if the topic has `message.timestamp.type=LogAppendTime`; for a duplicate the original's timestamp.
    pub log_append_time: Option<WallTime>,
    /// The log's first offset.
    pub log_start_offset: Offset,
    /// The producer sent this batch before: nothing was appended, and the offsets are those of the first time.
    pub duplicate: bool,
}

/// A batch that the log does not take. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendRefusal {
    /// What the client is told.
    pub code: ErrorCode,
    /// The same in words; `None` when the code's own text says it all.
    pub message: Option<String>,
    /// The records that are to blame, when single ones are.
    pub record_errors: Vec<RecordError>,
}

/// One record that is to blame for a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Its index within the batch, from 0.
    pub batch_index: i32,
    /// What is wrong with it.
    pub message: Option<String>,
}

impl AppendRefusal {
    /// A refusal of the whole batch.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()), record_errors: Vec::new() }
    }
}
