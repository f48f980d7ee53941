//! DescribeProducers: what a partition remembers of its idempotent and transactional producers.

use base::error_code::ErrorCode;
use base::ids::PartitionIndex;
use net::session::Close;
use protocol::messages::describe_producers_request::DescribeProducersRequest;
use protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use storage::log::Log;
use storage::producers::ProducerEntry;

use super::gather::gather;
use crate::broker::Broker;
use crate::dispatch::{self, Call};
use crate::partition::PartitionHandle;
use crate::shard::Op;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DescribeProducersRequest = call.decode()?;
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let sizes: Vec<_> =
        request.topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.len())).collect();
    let finish = move |described: Vec<PartitionResponse>| {
        let mut described = described.into_iter();
        let topic = |(name, size)| {
            let partitions = described.by_ref().take(size).collect();
            TopicResponse { name, partitions }
        };
        let topics = sizes.into_iter().map(topic).collect();
        let response = DescribeProducersResponse { topics, ..DescribeProducersResponse::default() };
        replies.answer(ticket, dispatch::reply(&context, &response));
    };
    let asked: Vec<(&str, i32)> = request
        .topics
        .iter()
        .flat_map(|topic| topic.partition_indexes.iter().map(|index| (topic.name.as_str(), *index)))
        .collect();
    let gone = |(_, index): &(&str, i32)| refusal(*index, ErrorCode::NOT_LEADER_OR_FOLLOWER, None);
    let parts = gather(asked.iter().map(gone).collect(), finish);
    for ((topic, index), part) in asked.into_iter().zip(parts) {
        match find(call.broker, topic, index) {
            Ok(handle) => {
                let visit = Box::new(move |log: &mut Log, _| {
                    part.give(describe(log, index));
                    Ok(())
                });
                call.gathered.push(&handle.shard, Op::Visit(handle.slot, visit));
            }
            Err((code, message)) => part.give(refusal(index, code, message)),
        }
    }
    Ok(())
}

fn find(broker: &Broker, topic: &str, index: i32) -> Result<PartitionHandle, (ErrorCode, Option<String>)> {
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let image = broker.image();
    // Kafka explains what it finds out before it asks the partition.
    let id = image.topic_by_name(topic).ok_or_else(|| (unknown, Some(unknown.message().to_owned())))?.id;
    broker.partition(id, PartitionIndex(index)).map_err(|code| (code, None))
}

fn refusal(partition_index: i32, error_code: ErrorCode, error_message: Option<String>) -> PartitionResponse {
    PartitionResponse { partition_index, error_code, error_message, ..PartitionResponse::default() }
}

/// On the shard's thread.
fn describe(log: &Log, partition_index: i32) -> PartitionResponse {
    let state = |(id, entry): (base::ids::ProducerId, &ProducerEntry)| ProducerState {
        producer_id: id.0,
        producer_epoch: i32::from(entry.epoch().0),
        last_sequence: entry.last_batch().map_or(-1, |batch| batch.last_sequence.0),
        last_timestamp: entry.last_timestamp(),
        coordinator_epoch: entry.coordinator_epoch(),
        current_txn_start_offset: entry.transaction_start().map_or(-1, |offset| offset.0),
    };
    let active_producers = log.producers().entries().map(state).collect();
    PartitionResponse { partition_index, active_producers, ..PartitionResponse::default() }
}
