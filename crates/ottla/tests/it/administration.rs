//! What is changed while a node runs: configs that count at once and after a restart, partitions, deleted records.

use std::collections::BTreeMap;
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::Offset;
use client::admin::{ConfigChange, ConfigSource, NewTopic, ResourceType};
use client::{Admin, ClientOptions, Error, OffsetSpec, Producer, Record, TopicPartition};

use crate::node::{Node, free_port};

async fn send(address: &str, topic: &str, value: &str) -> Result<i64, ErrorCode> {
    let producer = Producer::builder(address).build().await.unwrap();
    let record = Record::new(topic).key("k").value(value.to_owned());
    let delivery = match producer.send(record).await {
        Ok(delivery) => delivery.await,
        Err(error) => Err(error),
    };
    producer.close().await.unwrap();
    delivery.map(|delivery| delivery.offset.0).map_err(|error: Error| error.code().expect("a code"))
}

async fn set(admin: &Admin, kind: ResourceType, name: &str, config: &str, change: ConfigChange) {
    admin.alter_config(kind, name, &[(config.to_owned(), change)]).await.unwrap();
}

#[tokio::test]
async fn configs_of_brokers_and_topics_count_at_once_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let data = dir.path().join("data");
    let node = Node::start(&data, port, &[]);
    let admin = Admin::connect(ClientOptions::new(node.address.as_str())).await.unwrap();
    let topic = |name: &str| NewTopic::new(name).partitions(1);
    admin.create_topics(&[topic("plain"), topic("own")], false).await.unwrap();
    let large = "x".repeat(5000);
    assert_eq!(send(&node.address, "plain", &large).await, Ok(0));

    let limit = |bytes: &str| ConfigChange::Set(bytes.to_owned());
    set(&admin, ResourceType::Topic, "own", "max.message.bytes", limit("9000")).await;
    set(&admin, ResourceType::Broker, "", "message.max.bytes", limit("2000")).await;
    let too_large = Err(ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(send(&node.address, "plain", &large).await, too_large, "what counts for all brokers");
    assert_eq!(send(&node.address, "own", &large).await, Ok(0), "the topic's own comes first");
    set(&admin, ResourceType::Broker, "1", "message.max.bytes", limit("7000")).await;
    assert_eq!(send(&node.address, "plain", &large).await, Ok(1), "this broker's comes before that of all");
    assert_eq!(source(&admin, "plain").await, ("7000".to_owned(), ConfigSource::DynamicBroker));

    assert!(node.stop());
    let node = Node::start(&data, port, &[]);
    let admin = Admin::connect(ClientOptions::new(node.address.as_str())).await.unwrap();
    assert_eq!(source(&admin, "plain").await, ("7000".to_owned(), ConfigSource::DynamicBroker));
    set(&admin, ResourceType::Broker, "1", "message.max.bytes", ConfigChange::Delete).await;
    assert_eq!(send(&node.address, "plain", &large).await, too_large);
    assert_eq!(send(&node.address, "own", &large).await, Ok(1));
    set(&admin, ResourceType::Broker, "", "message.max.bytes", ConfigChange::Delete).await;
    assert_eq!(send(&node.address, "plain", &large).await, Ok(2));
    drop(node);
}

/// Which value of `max.message.bytes` counts for a topic, and where it is from.
async fn source(admin: &Admin, topic: &str) -> (String, ConfigSource) {
    let entries = admin.describe_config(ResourceType::Topic, topic, true).await.unwrap();
    let entry = entries.into_iter().find(|entry| entry.name == "max.message.bytes").unwrap();
    (entry.value.unwrap(), entry.source)
}

#[tokio::test]
async fn partitions_come_and_records_go() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let data = dir.path().join("data");
    let node = Node::start(&data, port, &[]);
    let admin = Admin::connect(ClientOptions::new(node.address.as_str())).await.unwrap();
    admin.create_topics(&[NewTopic::new("t").partitions(1)], false).await.unwrap();
    for expect in 0..4 {
        assert_eq!(send(&node.address, "t", "v").await, Ok(expect));
    }
    admin.create_partitions("t", 3, &[]).await.unwrap();
    let described = admin.describe_topics(&["t".into()]).await.unwrap().remove(0).unwrap();
    assert_eq!(described.partitions.len(), 3);
    let refused = admin.create_partitions("t", 2, &[]).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::INVALID_PARTITIONS));

    let first = TopicPartition::new("t", 0);
    let delete = |offset: i64| BTreeMap::from([(first.clone(), Offset(offset))]);
    let deleted = |mut result: BTreeMap<_, client::error::Result<Offset>>| result.remove(&first).unwrap();
    assert_eq!(deleted(admin.delete_records(&delete(3)).await.unwrap()), Ok(Offset(3)));
    let beyond = deleted(admin.delete_records(&delete(9)).await.unwrap()).unwrap_err();
    assert_eq!(beyond.code(), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    assert_eq!(earliest(&admin, &first).await, 3);
    let dirs = admin.describe_log_dirs(base::ids::NodeId(1)).await.unwrap();
    let lies = dirs[0].partitions.iter().filter(|row| row.partition.topic.as_ref() == "t").count();
    assert_eq!((dirs.len(), lies), (1, 3));

    assert!(node.stop());
    let checkpoint = std::fs::read_to_string(data.join("log-start-offset-checkpoint")).unwrap();
    assert!(checkpoint.lines().any(|line| line == "t 0 3"), "{checkpoint}");
    let node = Node::start(&data, port, &[]);
    let admin = Admin::connect(ClientOptions::new(node.address.as_str())).await.unwrap();
    assert_eq!(earliest(&admin, &first).await, 3);
    assert_eq!(deleted(admin.delete_records(&delete(-1)).await.unwrap()), Ok(Offset(4)));
    drop(node);
}

async fn earliest(admin: &Admin, partition: &TopicPartition) -> i64 {
    let asked = [(partition.clone(), OffsetSpec::Earliest)];
    let listed = tokio::time::timeout(Duration::from_secs(30), admin.list_offsets(&asked)).await;
    let mut listed = listed.expect("in time").unwrap();
    listed.remove(partition).unwrap().unwrap().offset.0
}
