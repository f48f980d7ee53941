//! OffsetForLeaderEpoch: where a leader epoch ended, so that a reader can find out what was truncated (KIP-320).

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, Offset, PartitionIndex};
use net::session::Close;
use protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use crate::broker::Broker;
use crate::dispatch::Call;
use crate::partition::PartitionHandle;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: OffsetForLeaderEpochRequest = call.decode()?;
    let topics = request.topics.iter().map(|topic| {
        let rows = topic.partitions.iter().map(|partition| row(call.broker, &topic.topic, partition));
        OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: rows.collect() }
    });
    let response =
        OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() };
    call.answer(&response)
}

fn row(broker: &Broker, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let row = EpochEndOffset { partition: asked.partition, ..EpochEndOffset::default() };
    match look_up(broker, topic, asked) {
        Ok(Some((epoch, end))) => EpochEndOffset { leader_epoch: epoch.0, end_offset: end.0, ..row },
        Ok(None) => row,
        Err(error_code) => EpochEndOffset { error_code, ..row },
    }
}

fn look_up(
    broker: &Broker,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let id = broker.image().topic_by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?.id;
    let handle = broker.partition(id, PartitionIndex(asked.partition))?;
    handle.check_leader_epoch(LeaderEpoch(asked.current_leader_epoch))?;
    Ok(end_of(&handle, LeaderEpoch(asked.leader_epoch)))
}

/// The largest epoch up to `asked`, and where the next one begins. A leader's own epoch begins at the end of the log as
/// long as nothing was written in it; the log learns of it with its first batch.
fn end_of(handle: &PartitionHandle, asked: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
    let reader = handle.shared.reader();
    let (own, end) = (handle.shared.leader_epoch(), reader.ends().log_end);
    match reader.latest_epoch() {
        Some(latest) if latest >= own => reader.end_offset_for_epoch(asked),
        _ if asked == own => Some((own, end)),
        _ if asked > own || asked < LeaderEpoch(0) => None,
        Some(latest) if asked >= latest => Some((latest, end)),
        Some(_) => reader.end_offset_for_epoch(asked),
        None => Some((asked, end)),
    }
}
