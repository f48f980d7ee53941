//! Records written before a stop are there after the next start.

use std::time::Duration;

use client::{Consumer, Producer, Record};

use crate::node::{Node, free_port};

#[tokio::test]
async fn what_was_written_is_read_before_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let data = dir.path().join("data");
    let node = Node::start(&data, port, &[]);
    let producer = Producer::builder(&node.address).build().await.unwrap();
    let mut deliveries = Vec::new();
    for index in 0..1000 {
        let record = Record::new("greetings").key(format!("{index}")).value(format!("hello {index}"));
        deliveries.push(producer.send(record).await.unwrap());
    }
    for (index, delivery) in deliveries.into_iter().enumerate() {
        assert_eq!(delivery.await.unwrap().offset.0, index as i64);
    }
    producer.close().await.unwrap();
    assert_eq!(read(&node.address, 1000).await.len(), 1000);
    assert!(node.stop(), "SIGTERM is a clean stop");
    assert!(data.join(".kafka_cleanshutdown").exists());

    let node = Node::start(&data, port, &[]);
    let values = read(&node.address, 1000).await;
    let expect: Vec<_> = (0..1000).map(|index| format!("hello {index}")).collect();
    assert_eq!(values, expect);
    drop(node);
}

/// The first `count` values of the topic.
pub async fn read(address: &str, count: usize) -> Vec<String> {
    read_topic(address, "greetings", count).await
}

/// The first `count` values of a topic.
pub async fn read_topic(address: &str, topic: &str, count: usize) -> Vec<String> {
    let mut consumer = Consumer::builder(address).build().await.unwrap();
    let partitions = consumer.partitions_of(topic).await.unwrap();
    consumer.assign(partitions).unwrap();
    consumer.seek_to_beginning(&[]).unwrap();
    let mut values = Vec::new();
    while values.len() < count {
        let records = consumer.poll(Duration::from_secs(30)).await.unwrap();
        assert!(!records.is_empty(), "{} of {count} records after 30 s", values.len());
        for record in records {
            values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
        }
    }
    values
}
