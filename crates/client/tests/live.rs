//! Producer, consumer and admin against a running cluster, whoever's it is.
//!
//! `BOOTSTRAP_SERVERS=127.0.0.1:9092 cargo test -p client --test live`

use std::time::{Duration, SystemTime};

use client::admin::{NewTopic, TopicName};
use client::{Acks, Admin, ClientOptions, OffsetSpec, Producer, Record, TopicPartition};
use wire::compress::CompressionType;

fn bootstrap() -> Option<String> {
    let servers = std::env::var("BOOTSTRAP_SERVERS").ok();
    if servers.is_none() {
        println!("SKIPPED: BOOTSTRAP_SERVERS does not name a cluster");
    }
    servers
}

fn unique(name: &str) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{name}-{}-{}", std::process::id(), since.as_nanos())
}

async fn topic(servers: &str, name: &str, partitions: i32) -> (Admin, String) {
    let admin = Admin::connect(ClientOptions::new(servers)).await.unwrap();
    let name = unique(name);
    let created = admin.create_topics(&[NewTopic::new(&name).partitions(partitions)], false).await.unwrap();
    assert_eq!(created[0].as_ref().unwrap().partitions, partitions);
    (admin, name)
}

async fn end(admin: &Admin, topic: &str, partitions: i32) -> i64 {
    let all: Vec<_> =
        (0..partitions).map(|index| (TopicPartition::new(topic, index), OffsetSpec::Latest)).collect();
    let listed = admin.list_offsets(&all).await.unwrap();
    listed.into_values().map(|one| one.unwrap().offset.0).sum()
}

#[tokio::test]
async fn topics_come_and_go() {
    let Some(servers) = bootstrap() else { return };
    let (admin, name) = topic(&servers, "admin", 3).await;
    assert!(admin.list_topics(false).await.unwrap().iter().any(|one| **one == name));
    let described = admin.describe_topics(&[name.as_str().into(), "no-such-topic".into()]).await.unwrap();
    assert_eq!(described[0].as_ref().unwrap().partitions.len(), 3);
    assert!(described[1].is_err());
    let again = admin.create_topics(&[NewTopic::new(&name)], false).await.unwrap();
    assert_eq!(again[0].as_ref().unwrap_err().to_string(), format!("Topic '{name}' already exists."));
    let deleted = admin.delete_topics(&[TopicName::Name(name.as_str().into())]).await.unwrap();
    assert_eq!(deleted, [Ok(())]);
}

#[tokio::test]
async fn every_codec_and_acks_is_taken() {
    let Some(servers) = bootstrap() else { return };
    let (admin, name) = topic(&servers, "codecs", 2).await;
    let mut sent = 0;
    for codec in CompressionType::ALL {
        for acks in [Acks::All, Acks::Leader, Acks::None] {
            let producer = Producer::builder(&servers).compression(codec).acks(acks).build().await.unwrap();
            let mut deliveries = Vec::new();
            for n in 0..2000 {
                let record =
                    Record::new(name.as_str()).key(format!("{n}")).value(format!("value {n} {codec}"));
                deliveries.push(producer.send(record.header("h", "x")).await.unwrap());
            }
            for delivery in deliveries {
                let metadata = delivery.await.unwrap();
                assert_eq!(metadata.offset.0 >= 0, acks != Acks::None);
            }
            producer.close().await.unwrap();
            sent += 2000;
        }
    }
    // What was sent without acknowledgement may still be in the broker's socket.
    let all = async { while end(&admin, &name, 2).await < sent {} };
    tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
}

#[tokio::test]
async fn a_small_buffer_slows_the_sender_down_and_loses_nothing() {
    let Some(servers) = bootstrap() else { return };
    let (admin, name) = topic(&servers, "memory", 3).await;
    let options = Producer::builder(&servers).buffer_memory(20_000).linger(Duration::from_secs(5));
    let producer = options.build().await.unwrap();
    for n in 0..5000 {
        let record = Record::new(name.as_str()).value(format!("{n:0100}"));
        producer.send_then(record, |delivered| drop(delivered.unwrap())).await.unwrap();
    }
    producer.flush().await;
    assert_eq!(end(&admin, &name, 3).await, 5000);
}

#[test]
fn calls_can_be_spawned() {
    fn check<T: Send>(_: impl FnOnce() -> T) {}
    let admin = || -> Admin { unreachable!() };
    let producer = || -> Producer { unreachable!() };
    check(move || async move { admin().create_topics(&[], false).await });
    check(move || async move { admin().describe_topics(&[]).await });
    check(move || async move { admin().list_offsets(&[]).await });
    check(move || async move { producer().send(Record::new("t")).await });
}
