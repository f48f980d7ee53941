//! A session's next step as a Fetch request.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base::ids::TopicId;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};

use super::options::ConsumerOptions;
use super::session::{Part, Wanted};
use crate::connection::Connection;
use crate::error::Result;
use crate::record::TopicPartition;

/// The first version that names topics by id.
const FIRST_WITH_TOPIC_IDS: i16 = 13;

/// The best version in which every topic can be named.
pub(super) fn fetch_version(
    connection: &Connection,
    wanted: &BTreeMap<TopicPartition, Wanted>,
) -> Result<i16> {
    let version = connection.version_of::<FetchRequest>()?;
    let named = wanted.values().all(|wanted| wanted.topic_id != TopicId::ZERO);
    Ok(if named { version } else { version.min(FIRST_WITH_TOPIC_IDS - 1) })
}

/// The request that carries `part`; the broker holds its answer back for `wait` at most.
pub(super) fn fetch_request(options: &ConsumerOptions, part: Part, wait: Duration) -> FetchRequest {
    let mut request = FetchRequest {
        max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: options.fetch_min_bytes,
        max_bytes: options.fetch_max_bytes,
        isolation_level: options.isolation_level.code(),
        session_id: part.session_id,
        session_epoch: part.epoch,
        rack_id: options.client_rack.clone(),
        ..Default::default()
    };
    let mut places: HashMap<TopicId, usize> = HashMap::new();
    let mut names: HashMap<std::sync::Arc<str>, usize> = HashMap::new();
    for (partition, wanted) in part.partitions {
        let known = match wanted.topic_id {
            TopicId::ZERO => names.get(&partition.topic).copied(),
            id => places.get(&id).copied(),
        };
        let place = known.unwrap_or_else(|| {
            request.topics.push(FetchTopic {
                topic: partition.topic.to_string(),
                topic_id: wanted.topic_id.0,
                partitions: Vec::new(),
            });
            let place = request.topics.len() - 1;
            places.insert(wanted.topic_id, place);
            names.insert(partition.topic.clone(), place);
            place
        });
        request.topics[place].partitions.push(FetchPartition {
            partition: partition.partition.0,
            current_leader_epoch: wanted.leader_epoch.0,
            fetch_offset: wanted.offset.0,
            last_fetched_epoch: wanted.last_fetched_epoch.0,
            partition_max_bytes: wanted.max_bytes,
            ..Default::default()
        });
    }
    for (partition, topic_id) in part.forgotten {
        request.forgotten_topics_data.push(ForgottenTopic {
            topic: partition.topic.to_string(),
            topic_id: topic_id.0,
            partitions: vec![partition.partition.0],
        });
    }
    request
}
