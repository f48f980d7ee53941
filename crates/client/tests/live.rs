//! Producer, consumer and admin against a running cluster, whoever's it is.
//!
//! `BOOTSTRAP_SERVERS=127.0.0.1:9092 cargo test -p client --test live`

use std::time::{Duration, SystemTime};

use base::error_code::ErrorCode;
use base::ids::Offset;
use client::admin::{NewTopic, TopicName};
use client::{
    Acks, Admin, AutoOffsetReset, ClientOptions, Consumer, OffsetSpec, Producer, Record, TopicPartition,
};
use tracing_subscriber::EnvFilter;
use wire::compress::CompressionType;

fn bootstrap() -> Option<String> {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
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

#[tokio::test]
async fn what_is_produced_is_consumed_in_order() {
    let Some(servers) = bootstrap() else { return };
    let (_, name) = topic(&servers, "order", 3).await;
    for (round, codec) in CompressionType::ALL.into_iter().enumerate() {
        let producer = Producer::builder(&servers).compression(codec).build().await.unwrap();
        for n in 0..20_000 {
            let key = format!("{}", n % 97);
            let record = Record::new(name.as_str()).key(key).value(format!("{}", round * 20_000 + n));
            producer.send_then(record, |delivered| drop(delivered.unwrap())).await.unwrap();
        }
        producer.close().await.unwrap();
    }
    let mut consumer =
        Consumer::builder(&servers).auto_offset_reset(AutoOffsetReset::Earliest).build().await.unwrap();
    let partitions = consumer.partitions_of(&name).await.unwrap();
    consumer.assign(partitions.clone()).unwrap();
    let mut last = std::collections::HashMap::new();
    let mut positions = std::collections::HashMap::new();
    let mut count = 0;
    while count < 100_000 {
        let records = consumer.poll(Duration::from_secs(20)).await.unwrap();
        assert!(!records.is_empty(), "only {count} came");
        for record in records {
            let number: i64 = std::str::from_utf8(&record.value.unwrap()).unwrap().parse().unwrap();
            let before = last.insert(record.key.unwrap(), number);
            assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
            let expected = positions.insert(record.partition, record.offset.next());
            assert!(expected.is_none_or(|expected| expected == record.offset));
            count += 1;
        }
    }
    let ends = consumer.end_offsets(&partitions).await.unwrap();
    for partition in &partitions {
        assert_eq!(consumer.position(partition).await.unwrap(), ends[partition]);
    }
    assert!(consumer.poll(Duration::from_millis(50)).await.unwrap().is_empty());
}

#[tokio::test]
async fn seeking_moves_the_position() {
    let Some(servers) = bootstrap() else { return };
    let (_, name) = topic(&servers, "seek", 1).await;
    let producer = Producer::builder(&servers).build().await.unwrap();
    // Records with old timestamps would be deleted under the test's feet.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let start = i64::try_from(since.as_millis()).unwrap();
    for n in 0..100 {
        let record = Record::new(name.as_str()).value(format!("{n}")).timestamp(start + n);
        producer.send(record).await.unwrap();
    }
    producer.flush().await;
    let partition = TopicPartition::new(name.as_str(), 0);
    let mut consumer = Consumer::builder(&servers).max_poll_records(10).build().await.unwrap();
    consumer.assign([partition.clone()]).unwrap();
    assert_eq!(consumer.position(&partition).await.unwrap(), Offset(100), "the default is the end");
    let long = Duration::from_secs(20);
    consumer.seek(&partition, Offset(42)).unwrap();
    let records = consumer.poll(long).await.unwrap();
    assert_eq!((records.len(), records[0].offset, records[9].offset), (10, Offset(42), Offset(51)));
    consumer.seek_to_beginning(&[]).unwrap();
    assert_eq!(consumer.poll(long).await.unwrap()[0].offset, Offset(0));
    let found = consumer.offsets_for_times(&[(partition.clone(), start + 77)]).await.unwrap();
    assert_eq!(found[&partition].map(|one| (one.offset, one.timestamp)), Some((Offset(77), start + 77)));
    let late = consumer.offsets_for_times(&[(partition.clone(), start + 2_000_000)]).await.unwrap();
    assert_eq!(late[&partition], None);
    consumer.seek_to_end(&[]).unwrap();
    assert_eq!(consumer.position(&partition).await.unwrap(), Offset(100));
    assert!(consumer.poll(Duration::from_millis(300)).await.unwrap().is_empty());
    producer.send(Record::new(name.as_str()).value("new")).await.unwrap().await.unwrap();
    assert_eq!(consumer.poll(long).await.unwrap()[0].offset, Offset(100));
    // Beyond the end is out of range: the reset policy decides.
    consumer.seek(&partition, Offset(5000)).unwrap();
    assert!(consumer.poll(Duration::from_secs(2)).await.unwrap().is_empty());
    assert_eq!(consumer.position(&partition).await.unwrap(), Offset(101));
    consumer.seek(&TopicPartition::new(name.as_str(), 1), Offset(0)).unwrap_err();
}

#[tokio::test]
async fn batches_that_are_too_large_are_halved_until_they_fit() {
    let Some(servers) = bootstrap() else { return };
    let admin = Admin::connect(ClientOptions::new(&servers)).await.unwrap();
    let name = unique("halves");
    let topic = NewTopic::new(&name).partitions(1).config("max.message.bytes", "3000");
    admin.create_topics(&[topic], false).await.unwrap().remove(0).unwrap();
    let producer = Producer::builder(&servers).linger(Duration::from_millis(20)).build().await.unwrap();
    let mut deliveries = Vec::new();
    for n in 0..200 {
        let value = if n == 100 { "x".repeat(4000) } else { format!("{n:0500}") };
        deliveries.push(producer.send(Record::new(name.as_str()).value(value)).await.unwrap());
    }
    producer.flush().await;
    let mut next = 0;
    for (n, delivery) in deliveries.into_iter().enumerate() {
        match delivery.await {
            Ok(metadata) => {
                assert_eq!(metadata.offset, Offset(next));
                next += 1;
            }
            Err(error) => assert_eq!((n, error.code()), (100, Some(ErrorCode::MESSAGE_TOO_LARGE))),
        }
    }
    assert_eq!((next, end(&admin, &name, 1).await), (199, 199));
}
