//! Reading the partitions of one fetch within its limits.
//!
//! Invariant: the first partition that has anything yields at least one whole batch, however large; after that the limits
//! hold, so that a fetcher always makes progress and never gets much more than it asked for (KIP-74).

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, Offset};
use protocol::messages::fetch_response::{EpochEndOffset, PartitionData};
use replication::fetch_session::{FetchPartition, Outcome, TopicKey};
use storage::Ends;
use storage::error::{Error, ErrorKind};
use storage::read::{AbortedTransaction, ReadError};
use wire::piece::Piece;

use super::Isolation;
use crate::broker::Broker;
use crate::partition::PartitionHandle;

/// What all partitions of a fetch gave.
pub(super) struct Reads {
    /// In the order of the request.
    pub(super) found: Vec<Found>,
    /// Bytes of records in all.
    pub(super) bytes: usize,
    /// An error or a diverging epoch: the fetcher is told at once.
    pub(super) must_answer: bool,
}

/// What one partition gave.
pub(super) struct Found {
    /// Its part of the response.
    pub(super) data: PartitionData,
    /// Where to wait for more; `None` when it is not here.
    pub(super) handle: Option<PartitionHandle>,
}

impl Found {
    /// What the session remembers of it.
    pub(super) fn outcome(&self) -> Outcome {
        let data = &self.data;
        Outcome {
            error: data.error_code,
            high_watermark: Offset(data.high_watermark),
            log_start_offset: Offset(data.log_start_offset),
            must_be_told: self.bytes() > 0 || self.diverges(),
        }
    }

    fn bytes(&self) -> usize {
        self.data.records.as_ref().map_or(0, Piece::len)
    }

    fn diverges(&self) -> bool {
        self.data.diverging_epoch.end_offset >= 0
    }
}

/// Reads every partition, in order.
pub(super) fn read(
    broker: &Broker,
    partitions: &[FetchPartition],
    isolation: Isolation,
    replica: NodeId,
    max_bytes: usize,
) -> Reads {
    let mut reads = Reads { found: Vec::with_capacity(partitions.len()), bytes: 0, must_answer: false };
    for request in partitions {
        let left = max_bytes.saturating_sub(reads.bytes);
        let limit = left.min(usize::try_from(request.max_bytes).unwrap_or(0));
        let found = match handle_of(broker, request) {
            Ok(handle) => {
                let data = read_one(&handle, request, isolation, replica, limit, reads.bytes == 0)
                    .unwrap_or_else(|code| refused(request, code));
                Found { data, handle: Some(handle) }
            }
            Err(code) => Found { data: refused(request, code), handle: None },
        };
        reads.bytes += found.bytes();
        reads.must_answer |= found.data.error_code != ErrorCode::NONE || found.diverges();
        reads.found.push(found);
    }
    reads
}

fn handle_of(broker: &Broker, request: &FetchPartition) -> Result<PartitionHandle, ErrorCode> {
    let id = match &request.key.topic {
        TopicKey::Id(id) => *id,
        TopicKey::Name(name) => {
            broker.image().topic_by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?.id
        }
    };
    broker.partition(id, request.key.index)
}

fn read_one(
    handle: &PartitionHandle,
    request: &FetchPartition,
    isolation: Isolation,
    replica: NodeId,
    limit: usize,
    min_one_batch: bool,
) -> Result<PartitionData, ErrorCode> {
    let reader = handle.shared.reader();
    handle.check_leader_epoch(request.current_leader_epoch)?;
    if replica.0 >= 0 {
        // This node is every partition's only replica, so no other broker may follow here.
        let known = request.current_leader_epoch != LeaderEpoch::NONE;
        return Err(if known { ErrorCode::UNKNOWN_LEADER_EPOCH } else { ErrorCode::NOT_LEADER_OR_FOLLOWER });
    }
    let ends = reader.ends();
    let mut data = with_ends(request, &ends, isolation);
    if request.last_fetched_epoch.0 >= 0 {
        let end = reader.end_offset_for_epoch(request.last_fetched_epoch);
        let (epoch, end_offset) = end.ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
        if request.fetch_offset < ends.log_start {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        if epoch < request.last_fetched_epoch || end_offset < request.fetch_offset {
            data.diverging_epoch = EpochEndOffset { epoch: epoch.0, end_offset: end_offset.0 };
            return Ok(data);
        }
    }
    let up_to = match isolation {
        Isolation::ReadUncommitted => ends.high_watermark,
        Isolation::ReadCommitted => ends.last_stable,
        Isolation::LogEnd => ends.log_end,
    };
    match reader.read(request.fetch_offset, up_to, limit, min_one_batch) {
        Ok(read) => {
            if let Some(records) = read.records {
                if isolation == Isolation::ReadCommitted {
                    let aborted = reader.aborted_transactions_of(request.fetch_offset, up_to, records.len());
                    let aborted = aborted.map_err(|error| failed(handle, &error))?;
                    data.aborted_transactions = Some(aborted.iter().map(told).collect());
                }
                data.records = Some(records);
            }
            Ok(data)
        }
        Err(ReadError::OffsetOutOfRange { .. }) => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        Err(ReadError::Storage(error)) => Err(failed(handle, &error)),
    }
}

fn failed(handle: &PartitionHandle, error: &Error) -> ErrorCode {
    tracing::error!(topic = %handle.shared.topic, partition = %handle.shared.index, %error, "read failed");
    handle.shared.observe_read(error);
    match error.kind() {
        ErrorKind::Corrupt => ErrorCode::CORRUPT_MESSAGE,
        ErrorKind::Storage | ErrorKind::Refused => error.code(),
    }
}

fn told(aborted: &AbortedTransaction) -> protocol::messages::fetch_response::AbortedTransaction {
    protocol::messages::fetch_response::AbortedTransaction {
        producer_id: aborted.producer_id.0,
        first_offset: aborted.first_offset.0,
    }
}

fn with_ends(request: &FetchPartition, ends: &Ends, isolation: Isolation) -> PartitionData {
    PartitionData {
        partition_index: request.key.index.0,
        high_watermark: ends.high_watermark.0,
        last_stable_offset: ends.last_stable.0,
        log_start_offset: ends.log_start.0,
        aborted_transactions: (isolation == Isolation::ReadCommitted).then(Vec::new),
        records: Some(Piece::default()),
        ..PartitionData::default()
    }
}

fn refused(request: &FetchPartition, code: ErrorCode) -> PartitionData {
    PartitionData {
        partition_index: request.key.index.0,
        error_code: code,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted_transactions: None,
        records: Some(Piece::default()),
        ..PartitionData::default()
    }
}
