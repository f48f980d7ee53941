//! Metadata: brokers, topics, and who leads which partition; missing topics may be created.

use std::collections::BTreeSet;

use base::error_code::ErrorCode;
use base::ids::{NodeId, TopicId};
use metadata::image::{Image, Partition, Topic};
use net::session::Close;
use protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use crate::broker::Broker;
use crate::dispatch::Call;

/// What a client may do to a topic when nothing is forbidden: bits of read, write, create, delete, alter, describe,
/// describe configs, alter configs.
pub const TOPIC_OPERATIONS: i32 = operations(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// The same for the cluster: create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
pub const CLUSTER_OPERATIONS: i32 = operations(&[5, 7, 8, 9, 10, 11, 12]);

const fn operations(bits: &[u32]) -> i32 {
    let mut set = 0;
    let mut index = 0;
    while index < bits.len() {
        set |= 1 << bits[index];
        index += 1;
    }
    set
}

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: MetadataRequest = call.decode()?;
    let version = call.context.header.api_version;
    check_ids(&request, version)?;
    let image = call.broker.image();
    let mut missing = BTreeSet::new();
    let topics = topics(call.broker, &image, &request, version, &mut missing);
    if !missing.is_empty() {
        call.broker.create_missing_topics(missing);
    }
    let endpoints = call.broker.endpoints(&call.context.connection).filter(|endpoint| !endpoint.is_fenced);
    let brokers = endpoints.map(|endpoint| MetadataResponseBroker {
        node_id: endpoint.id.0,
        host: endpoint.host,
        port: endpoint.port,
        rack: endpoint.rack,
    });
    let mut response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(image.cluster_id().to_owned()),
        controller_id: call.broker.any_broker().0,
        topics,
        ..MetadataResponse::default()
    };
    if request.include_cluster_authorized_operations && (8..=10).contains(&version) {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    call.answer(&response)
}

/// Versions 10 and 11 have the field for ids but must not use it.
fn check_ids(request: &MetadataRequest, version: i16) -> Result<(), Close> {
    let uses_ids = |topic: &MetadataRequestTopic| topic.name.is_none() || topic.topic_id != TopicId::ZERO.0;
    if (10..12).contains(&version) && request.topics.iter().flatten().any(uses_ids) {
        return Err(Close(format!("Metadata version {version} must not name topics by id")));
    }
    Ok(())
}

fn topics(
    broker: &Broker,
    image: &Image,
    request: &MetadataRequest,
    version: i16,
    missing: &mut BTreeSet<String>,
) -> Vec<MetadataResponseTopic> {
    let operations = match request.include_topic_authorized_operations && version >= 8 {
        true => TOPIC_OPERATIONS,
        false => i32::MIN,
    };
    let describe = |topic: &Topic| MetadataResponseTopic {
        topic_authorized_operations: operations,
        ..response(image, topic, version)
    };
    let named = match &request.topics {
        None => return image.topics().map(describe).collect(),
        Some(topics) if topics.is_empty() && version == 0 => return image.topics().map(describe).collect(),
        Some(topics) => topics,
    };
    let mut seen = BTreeSet::new();
    let mut responses = Vec::new();
    for topic in named {
        if !seen.insert((&topic.name, topic.topic_id)) {
            continue;
        }
        let found = match &topic.name {
            Some(name) => image.topic_by_name(name),
            None => image.topic_by_id(TopicId(topic.topic_id)),
        };
        responses.push(match (found, &topic.name) {
            (Some(found), _) => describe(found),
            (None, None) => MetadataResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_ID,
                topic_id: topic.topic_id,
                name: None,
                ..MetadataResponseTopic::default()
            },
            (None, Some(name)) => {
                let error_code = absent(broker, name, request.allow_auto_topic_creation, missing);
                MetadataResponseTopic {
                    error_code,
                    name: Some(name.clone()),
                    is_internal: Broker::is_internal(name),
                    ..MetadataResponseTopic::default()
                }
            }
        });
    }
    responses
}

/// What is said of a topic that is not there; it is created meanwhile if the client and the broker agree.
fn absent(broker: &Broker, name: &str, allowed: bool, missing: &mut BTreeSet<String>) -> ErrorCode {
    if metadata::controller::names::validate(name).is_err() {
        return ErrorCode::INVALID_TOPIC_EXCEPTION;
    }
    if allowed && broker.config().auto_create_topics_enable {
        missing.insert(name.to_owned());
    }
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
}

fn response(image: &Image, topic: &Topic, version: i16) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter();
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id.0,
        is_internal: Broker::is_internal(&topic.name),
        partitions: partitions
            .map(|(index, partition)| partition_response(image, index.0, partition, version))
            .collect(),
        ..MetadataResponseTopic::default()
    }
}

fn partition_response(
    image: &Image,
    index: i32,
    partition: &Partition,
    version: i16,
) -> MetadataResponsePartition {
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect::<Vec<_>>();
    let is_online = |replica: &NodeId| {
        let broker = image.broker(*replica).filter(|broker| broker.is_active());
        let directory = partition.directory(*replica).unwrap_or_default();
        broker.is_some_and(|broker| broker.has_online_directory(directory))
    };
    let offline: Vec<_> = partition.replicas.iter().copied().filter(|replica| !is_online(replica)).collect();
    let error_code = match partition.leader {
        NodeId::NONE => ErrorCode::LEADER_NOT_AVAILABLE,
        _ if version == 0 && !offline.is_empty() => ErrorCode::REPLICA_NOT_AVAILABLE,
        _ => ErrorCode::NONE,
    };
    MetadataResponsePartition {
        error_code,
        partition_index: index,
        leader_id: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&partition.isr),
        offline_replicas: ids(&offline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_kafkas_bits() {
        assert_eq!(TOPIC_OPERATIONS, 3576);
        assert_eq!(CLUSTER_OPERATIONS, 8096);
    }
}
