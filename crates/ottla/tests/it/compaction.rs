//! A compacted topic of a running node: of each key the newest record stays, also over a kill.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use client::{Acks, Consumer, Producer, Record};

use crate::node::{Node, free_port};

const TOPIC: &str = "latest";
const COUNT: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_of_each_key_stays() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let settings = [
        "log.cleanup.policy=compact",
        "log.cleaner.min.cleanable.ratio=0",
        "log.cleaner.backoff.ms=20",
        "log.roll.ms=1",
        "num.partitions=1",
    ];
    let node = Node::start(dir.path(), port, &settings);
    let producer = Producer::builder(&node.address).acks(Acks::All).idempotence(true).build().await.unwrap();
    let send = async |key: String, value: String| {
        let record = Record::new(TOPIC).partition(0).key(key).value(value);
        producer.send(record).await.unwrap().await.unwrap();
    };
    for index in 0..COUNT {
        send(format!("key {}", index % 5), index.to_string()).await;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut more = 0;
    while first_dirty(dir.path()) < COUNT as i64 {
        assert!(Instant::now() < deadline, "never compacted");
        // The last segment is closed by what comes after it.
        send("more".into(), more.to_string()).await;
        more += 1;
    }
    send("end".into(), "end".into()).await;
    let before = read(&node.address).await;
    node.kill();
    let node = Node::start(dir.path(), port, &settings);
    let after = read(&node.address).await;
    for found in [before, after] {
        assert!(found.len() < COUNT, "{} records", found.len());
        let newest: BTreeMap<&str, &str> =
            found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        for key in 0..5 {
            assert_eq!(newest[format!("key {key}").as_str()], (COUNT - 5 + key).to_string());
        }
        assert_eq!(newest["more"], (more - 1).to_string());
    }
    assert!(node.stop());
}

fn first_dirty(dir: &Path) -> i64 {
    let text = std::fs::read_to_string(dir.join("cleaner-offset-checkpoint")).unwrap_or_default();
    let of_topic = text.lines().find_map(|line| line.strip_prefix(&format!("{TOPIC} 0 ")));
    of_topic.map_or(0, |offset| offset.parse().unwrap())
}

/// Keys and values up to the last record.
async fn read(address: &str) -> Vec<(String, String)> {
    let mut consumer = Consumer::builder(address).build().await.unwrap();
    let partitions = consumer.partitions_of(TOPIC).await.unwrap();
    consumer.assign(partitions).unwrap();
    consumer.seek_to_beginning(&[]).unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    while found.last().is_none_or(|(key, _)| key != "end") {
        let records = consumer.poll(Duration::from_secs(30)).await.unwrap();
        assert!(!records.is_empty(), "no end after {} records", found.len());
        for record in records {
            let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
            found.push((text(record.key), text(record.value)));
        }
    }
    found
}
