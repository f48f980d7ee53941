//! What goes into a log, and what comes back.
//!
//! ```text
//! stage:         batch → validated → producer state → offsets → [stamped header | the client's bytes] … in memory
//! write_staged:  all of it with one system call → index entries → published to readers
//! ```

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, Offset};
use base::time::WallTime;
use bytes::Bytes;
use wire::batch::{BATCH_HEADER_SIZE, BatchHeader};

use crate::error::Error;
use crate::index::AbortedTransaction;
use crate::producers::ProducerRefusal;

mod marker;
mod stage;
mod validate;
mod write;

pub(crate) use self::marker::marker_of;

/// Who appends. Decides which checks apply: only a client's batch can be a duplicate, a replica's is taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer.
    Client,
    /// A coordinator of this node: records it made itself, and transaction markers.
    Coordinator,
    /// The metadata quorum's leader: records and control records it made itself.
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
    /// The broker's time if the topic has `message.timestamp.type=LogAppendTime`; of a duplicate the original's timestamp.
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
    /// The words that go along; `None` where Kafka sends none.
    pub message: Option<String>,
    /// The records that are to blame, when single ones are.
    pub record_errors: Vec<RecordError>,
    /// Whether Kafka's answer tells the log start offset; otherwise it says -1.
    pub tells_log_start_offset: bool,
    /// What is wrong with all numbers, for this node's log.
    pub reason: String,
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
    /// A code alone.
    pub fn of(code: ErrorCode) -> Self {
        Self::because(code, String::new())
    }

    /// A code with words for the client.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { message: Some(message.clone()), ..Self::because(code, message) }
    }

    /// A code alone for the client, with the reason for this node's log.
    pub fn because(code: ErrorCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            message: None,
            record_errors: Vec::new(),
            tells_log_start_offset: false,
            reason: reason.into(),
        }
    }
}

impl From<ProducerRefusal> for AppendRefusal {
    fn from(refusal: ProducerRefusal) -> Self {
        Self { tells_log_start_offset: true, ..Self::because(refusal.code, refusal.reason) }
    }
}

impl From<Error> for AppendRefusal {
    fn from(error: Error) -> Self {
        Self::because(error.code(), error.to_string())
    }
}

/// Batches that have their offsets and wait for the next write.
#[derive(Default)]
pub(crate) struct Staged {
    batches: Vec<StagedBatch>,
    bytes: usize,
    /// Transactions that markers among the batches abort.
    aborted: Vec<AbortedTransaction>,
}

pub(crate) struct StagedBatch {
    header: BatchHeader,
    /// The bytes after it.
    payload: Bytes,
    base_offset: Offset,
    last_offset: Offset,
    max_timestamp: i64,
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Bytes that the next write adds to the segment.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn shrink(&mut self) {
        if self.batches.is_empty() {
            self.batches = Vec::new();
        }
    }

    fn push(&mut self, header: BatchHeader, payload: Bytes) {
        let view = header.view();
        debug_assert_eq!(view.size(), BATCH_HEADER_SIZE + payload.len());
        self.bytes += view.size();
        self.batches.push(StagedBatch {
            base_offset: view.base_offset(),
            last_offset: view.last_offset(),
            max_timestamp: view.max_timestamp(),
            header,
            payload,
        });
    }
}

impl StagedBatch {
    fn size(&self) -> usize {
        BATCH_HEADER_SIZE + self.payload.len()
    }
}

/// The epoch of a leader that stamps it on what it appends, and whether that may be newer than all before.
pub(crate) fn is_news(latest: Option<LeaderEpoch>, epoch: LeaderEpoch) -> bool {
    epoch.0 >= 0 && latest != Some(epoch)
}
