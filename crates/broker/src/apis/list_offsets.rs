//! ListOffsets: the offset of a time, or one of the named places of a log.
//!
//! Invariant: no answer is above what the asker's isolation lets it read.

use std::collections::HashSet;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, Offset, PartitionIndex};
use net::session::Close;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use storage::read::TimestampOffset;

use crate::broker::Broker;
use crate::dispatch::Call;
use crate::partition::PartitionHandle;

/// A time that is none: a named place of the log, and the version that brought it.
struct Place {
    timestamp: i64,
    from_version: i16,
}

/// The first version whose answer tells the leader epoch.
const LEADER_EPOCH_FROM: i16 = 4;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

static PLACES: [Place; 6] = [
    Place { timestamp: LATEST, from_version: 1 },
    Place { timestamp: EARLIEST, from_version: 1 },
    Place { timestamp: MAX_TIMESTAMP, from_version: 7 },
    Place { timestamp: EARLIEST_LOCAL, from_version: 8 },
    Place { timestamp: LATEST_TIERED, from_version: 9 },
    Place { timestamp: EARLIEST_PENDING_UPLOAD, from_version: 11 },
];

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: ListOffsetsRequest = call.decode()?;
    let version = call.context.header.api_version;
    let mut seen = HashSet::new();
    let mut duplicates = HashSet::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.partition_index);
            if !seen.insert(key) {
                duplicates.insert(key);
            }
        }
    }
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let duplicate = duplicates.contains(&(topic.name.as_str(), partition.partition_index));
            let found = match duplicate {
                true => Err(ErrorCode::INVALID_REQUEST),
                false => look_up(call.broker, version, &request, &topic.name, partition),
            };
            response(version, partition.partition_index, found)
        });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    let response = ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() };
    call.answer(&response)
}

fn look_up(
    broker: &Broker,
    version: i16,
    request: &ListOffsetsRequest,
    topic: &str,
    partition: &ListOffsetsPartition,
) -> Result<Option<TimestampOffset>, ErrorCode> {
    let timestamp = partition.timestamp;
    let named = PLACES.iter().find(|place| place.timestamp == timestamp);
    if timestamp < 0 && named.is_none_or(|place| version < place.from_version) {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    let id = broker.image().topic_by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?.id;
    let handle = broker.partition(id, PartitionIndex(partition.partition_index))?;
    handle.check_leader_epoch(LeaderEpoch(partition.current_leader_epoch))?;
    let reader = handle.shared.reader();
    let ends = reader.ends();
    let readable = match (request.replica_id, request.isolation_level) {
        (-1, 1) => ends.last_stable,
        (-1, _) => ends.high_watermark,
        _ => ends.log_end,
    };
    let place = |offset: Offset, leader_epoch| TimestampOffset { timestamp: -1, offset, leader_epoch };
    let found = match timestamp {
        LATEST => Some(place(readable, handle.shared.leader_epoch())),
        EARLIEST => Some(place(ends.log_start, epoch_at(&handle, ends.log_start))),
        EARLIEST_LOCAL => Some(place(ends.local_log_start, epoch_at(&handle, ends.local_log_start))),
        // Without a remote store nothing is tiered or waits to be.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
        MAX_TIMESTAMP => storage(&handle, reader.offset_of_max_timestamp())?,
        _ => storage(&handle, reader.offset_for_timestamp(timestamp))?,
    };
    let is_readable = |found: &TimestampOffset| timestamp < 0 || found.offset < readable;
    Ok(found.filter(is_readable))
}

fn epoch_at(handle: &PartitionHandle, offset: Offset) -> LeaderEpoch {
    let reader = handle.shared.reader();
    match reader.latest_epoch() {
        // What is written first will have the leader's epoch.
        None => handle.shared.leader_epoch(),
        Some(_) => reader.epoch_of(offset).unwrap_or(LeaderEpoch::NONE),
    }
}

fn storage<T>(handle: &PartitionHandle, result: Result<T, storage::error::Error>) -> Result<T, ErrorCode> {
    result.map_err(|error| {
        tracing::error!(topic = %handle.shared.topic, partition = %handle.shared.index, %error, "look-up failed");
        handle.shared.observe_read(&error);
        ErrorCode::KAFKA_STORAGE_ERROR
    })
}

fn response(
    version: i16,
    index: i32,
    found: Result<Option<TimestampOffset>, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse { partition_index: index, ..Default::default() };
    match found {
        Ok(Some(found)) => ListOffsetsPartitionResponse {
            timestamp: found.timestamp,
            offset: found.offset.0,
            leader_epoch: if version >= LEADER_EPOCH_FROM { found.leader_epoch.0 } else { -1 },
            ..response
        },
        Ok(None) => response,
        Err(error_code) => ListOffsetsPartitionResponse { error_code, ..response },
    }
}
