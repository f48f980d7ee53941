//! Batches as a Produce request, and what its answer means for each of them.

use std::collections::HashMap;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, Offset};
use bytes::Bytes;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse};
use wire::piece::Piece;

use super::batch::Batch;
use super::delivery::Placed;
use super::options::Acks;
use crate::cluster::{Broker, Cluster};
use crate::error::Error;

/// What becomes of a batch after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stands in the log.
    Delivered(Placed),
    /// It may be sent again.
    Retry(Error),
    /// The broker misses something before it: send it again, under a new epoch if nothing can fill the gap.
    OutOfOrder(Error),
    /// The topic takes no batch of this size: its halves may fit.
    TooLarge(Error),
    /// It is lost.
    Failed(Error),
}

/// The request for these batches, at most one of each partition. `records` are their bytes.
pub(super) fn produce_request(
    cluster: &Cluster,
    batches: &[Batch],
    records: Vec<Bytes>,
    acks: Acks,
    timeout_ms: i32,
) -> ProduceRequest {
    let metadata = cluster.metadata();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut topic_data: Vec<TopicProduceData> = Vec::new();
    for (batch, records) in batches.iter().zip(records) {
        let name = &batch.partition.topic;
        let place = *places.entry(name).or_insert_with(|| {
            let topic_id = metadata.topics.get(name).map(|topic| topic.id.0).unwrap_or_default();
            topic_data.push(TopicProduceData {
                name: name.to_string(),
                topic_id,
                partition_data: Vec::new(),
            });
            topic_data.len() - 1
        });
        topic_data[place].partition_data.push(PartitionProduceData {
            index: batch.partition.partition.0,
            records: Some(Piece::Memory(records)),
        });
    }
    let acks = match acks {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => -1,
    };
    ProduceRequest { transactional_id: None, acks, timeout_ms, topic_data }
}

/// The first version that names topics by id; a topic without a known id needs an older one.
pub(super) const FIRST_WITH_TOPIC_IDS: i16 = 13;

/// What the answer says about each batch. Leaders that it names are taken over at once (KIP-951).
pub(super) fn verdicts(cluster: &Cluster, batches: &[Batch], answer: ProduceResponse) -> Vec<Verdict> {
    let metadata = cluster.metadata();
    let mut rows: HashMap<(String, i32), PartitionProduceResponse> = HashMap::new();
    for topic in answer.responses {
        let name = match topic.name.is_empty() {
            true => metadata.name_of(base::ids::TopicId(topic.topic_id)).map(ToString::to_string),
            false => Some(topic.name),
        };
        let Some(name) = name else { continue };
        for row in topic.partition_responses {
            rows.insert((name.clone(), row.index), row);
        }
    }
    let endpoint = |leader: i32| {
        let row = answer.node_endpoints.iter().find(|row| row.node_id == leader)?;
        let id = NodeId(row.node_id);
        Some(Broker { id, host: row.host.clone(), port: row.port, rack: row.rack.clone() })
    };
    let verdict_of = |batch: &Batch| {
        let key = (batch.partition.topic.to_string(), batch.partition.partition.0);
        let Some(row) = rows.remove(&key) else {
            return Verdict::Failed(Error::Corrupt(
                "the server's answer does not name the partition".to_owned(),
            ));
        };
        let (leader, epoch) = (row.current_leader.leader_id, row.current_leader.leader_epoch);
        cluster.learn_leader(&batch.partition, NodeId(leader), LeaderEpoch(epoch), endpoint(leader));
        verdict(row)
    };
    batches.iter().map(verdict_of).collect()
}

fn verdict(row: PartitionProduceResponse) -> Verdict {
    let placed = |base_offset: i64| Placed {
        base_offset: Offset(base_offset),
        log_append_time: (row.log_append_time_ms >= 0).then_some(row.log_append_time_ms),
    };
    match row.error_code {
        ErrorCode::NONE => Verdict::Delivered(placed(row.base_offset)),
        // The broker has it from an earlier attempt but no longer knows where.
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Delivered(placed(-1)),
        code @ (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID) => {
            Verdict::OutOfOrder(Error::refused(code, row.error_message))
        }
        code @ ErrorCode::MESSAGE_TOO_LARGE => Verdict::TooLarge(Error::refused(code, row.error_message)),
        code if code.retriable() => Verdict::Retry(Error::refused(code, row.error_message)),
        code => Verdict::Failed(Error::refused(code, row.error_message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_consequence() {
        let check = |code: ErrorCode, expect: fn(&Verdict) -> bool| {
            let row = PartitionProduceResponse { error_code: code, base_offset: 7, ..Default::default() };
            let verdict = verdict(row);
            assert!(expect(&verdict), "{code}: {verdict:?}");
        };
        check(
            ErrorCode::NONE,
            |v| matches!(v, Verdict::Delivered(placed) if placed.base_offset == Offset(7)),
        );
        check(
            ErrorCode::DUPLICATE_SEQUENCE_NUMBER,
            |v| matches!(v, Verdict::Delivered(placed) if placed.base_offset == Offset::NONE),
        );
        check(ErrorCode::NOT_LEADER_OR_FOLLOWER, |v| matches!(v, Verdict::Retry(_)));
        check(ErrorCode::NOT_ENOUGH_REPLICAS, |v| matches!(v, Verdict::Retry(_)));
        check(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, |v| matches!(v, Verdict::OutOfOrder(_)));
        check(ErrorCode::UNKNOWN_PRODUCER_ID, |v| matches!(v, Verdict::OutOfOrder(_)));
        check(ErrorCode::MESSAGE_TOO_LARGE, |v| matches!(v, Verdict::TooLarge(_)));
        check(ErrorCode::INVALID_RECORD, |v| matches!(v, Verdict::Failed(_)));
        check(ErrorCode::TOPIC_AUTHORIZATION_FAILED, |v| matches!(v, Verdict::Failed(_)));
    }
}
