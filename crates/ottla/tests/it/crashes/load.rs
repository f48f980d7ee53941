//! What runs while a node is killed again and again: producers of every kind of topic, topics that come and go, deletions of
//! records, a reader. Each task says what was acknowledged to it, and nothing is expected of the rest.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::Offset;
use client::admin::{NewTopic, TopicName};
use client::{Acks, Admin, ClientOptions, Consumer, ConsumerRecord, Error, Producer, Record, TopicPartition};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Keys of the compacted topic.
const KEYS: u64 = 50;
/// Records between two waits for their acknowledgements.
const AT_ONCE: u64 = 200;
/// Acknowledged records between two topics made, and between two deletions of records.
const BETWEEN: u64 = 300;
/// Topics that are there at a time, of those that come and go.
const ALIVE: u64 = 4;

/// A topic that is there all the time.
struct Topic {
    name: &'static str,
    configs: &'static [(&'static str, &'static str)],
    /// Bytes of a value.
    size: usize,
}

const TOPICS: [Topic; 4] = [
    Topic { name: "plain", configs: &[], size: 10 },
    Topic { name: "durable", configs: &[("flush.messages", "1")], size: 100 },
    Topic {
        name: "latest",
        configs: &[
            ("cleanup.policy", "compact"),
            ("segment.ms", "20"),
            ("min.cleanable.dirty.ratio", "0.01"),
        ],
        size: 30,
    },
    Topic {
        name: "short",
        configs: &[
            ("segment.bytes", "1048576"),
            ("retention.bytes", "3145728"),
            ("file.delete.delay.ms", "100"),
        ],
        size: 5000,
    },
];

/// What the node must be started with.
pub const SETTINGS: [&str; 5] = [
    "log.cleaner.backoff.ms=20",
    "log.segment.delete.delay.ms=100",
    "log.retention.check.interval.ms=50",
    "log.initial.task.delay.ms=10",
    "num.partitions=1",
];

/// The tasks.
pub struct Load {
    /// How many records of all topics are acknowledged.
    pub acknowledged: watch::Receiver<u64>,
    stop: Arc<AtomicBool>,
    producers: Vec<JoinHandle<Vec<u64>>>,
    churn: JoinHandle<(BTreeSet<String>, u64)>,
    deleter: JoinHandle<(u64, Offset)>,
    reader: JoinHandle<u64>,
}

/// What was acknowledged.
pub struct Acknowledged {
    /// Of each topic of [`TOPICS`] the numbers that its records held, in the order of the sends.
    numbers: Vec<Vec<u64>>,
    /// The topics that were made and not deleted.
    alive: BTreeSet<String>,
    /// Everything before was deleted from the short topic by request.
    deleted_before: Offset,
    /// Topics that were made, deletions of records, records that the reader saw.
    counts: (u64, u64, u64),
}

impl Load {
    /// Makes the topics and begins.
    pub async fn start(address: &str) -> Self {
        let admin = admin(address).await;
        let topics = TOPICS.map(|Topic { name, configs, .. }| {
            configs.iter().fold(NewTopic::new(name), |topic, (key, value)| topic.config(*key, *value))
        });
        for made in admin.create_topics(&topics, false).await.unwrap() {
            made.unwrap();
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (acked, acknowledged) = watch::channel(0);
        let mut producers = Vec::new();
        for Topic { name, size, .. } in TOPICS {
            let producer =
                Producer::builder(address).acks(Acks::All).idempotence(true).build().await.unwrap();
            producers.push(tokio::spawn(produce(producer, name, size, acked.clone(), stop.clone())));
        }
        let reader = reader(address).await;
        Self {
            churn: tokio::spawn(churn(admin.clone(), acknowledged.clone(), stop.clone())),
            deleter: tokio::spawn(delete(admin, acknowledged.clone(), stop.clone())),
            reader: tokio::spawn(follow(reader, stop.clone())),
            acknowledged,
            stop,
            producers,
        }
    }

    /// Ends all tasks; a node must be there.
    pub async fn finish(self) -> Acknowledged {
        self.stop.store(true, Ordering::Release);
        let mut numbers = Vec::new();
        for producer in self.producers {
            numbers.push(producer.await.unwrap());
        }
        let (alive, made) = self.churn.await.unwrap();
        let (deleted, deleted_before) = self.deleter.await.unwrap();
        let counts = (made, deleted, self.reader.await.unwrap());
        Acknowledged { numbers, alive, deleted_before, counts }
    }
}

impl Acknowledged {
    /// Holds what the node has against it.
    pub async fn check(&self, address: &str) -> String {
        let mut said = Vec::new();
        for (Topic { name, .. }, acked) in TOPICS.iter().zip(&self.numbers) {
            let stored = read(address, name).await;
            match *name {
                "latest" => check_newest(acked, &stored),
                "short" => check_suffix(acked, &stored, self.deleted_before),
                _ => check_all(acked, &stored),
            }
            said.push(format!("{name}: {} acknowledged, {} stored", acked.len(), stored.len()));
        }
        let there = admin(address).await.list_topics(false).await.unwrap();
        let there: BTreeSet<String> =
            there.iter().filter(|name| name.starts_with("made-")).map(|name| name.to_string()).collect();
        assert_eq!(there, self.alive, "topics are lost, or come back");
        let (made, deleted, seen) = self.counts;
        said.push(format!(
            "{made} topics made, {deleted} deletions of records, {seen} records seen by the reader"
        ));
        said.join("; ")
    }
}

async fn admin(address: &str) -> Admin {
    // A start may take long on a loaded machine.
    let api_timeout = Duration::from_secs(300);
    Admin::connect(ClientOptions { api_timeout, ..ClientOptions::new(address) }).await.unwrap()
}

async fn reader(address: &str) -> Consumer {
    let mut consumer = Consumer::builder(address).build().await.unwrap();
    consumer.assign([TopicPartition::new("plain", 0)]).unwrap();
    consumer.seek_to_beginning(&[]).unwrap();
    consumer
}

/// Sends numbers in order until told to stop; gives those that were acknowledged.
async fn produce(
    producer: Producer,
    topic: &'static str,
    size: usize,
    acked: watch::Sender<u64>,
    stop: Arc<AtomicBool>,
) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    let mut next = 0;
    while !stop.load(Ordering::Acquire) {
        let mut deliveries = Vec::new();
        for number in next..next + AT_ONCE {
            let record = Record::new(topic).partition(0).value(format!("{number} {:size$}", ""));
            let record = if topic == "latest" { record.key((number % KEYS).to_string()) } else { record };
            deliveries.push((number, producer.send(record).await.unwrap()));
        }
        next += AT_ONCE;
        for (number, delivery) in deliveries {
            if delivery.await.is_ok() {
                acknowledged.push(number);
            }
        }
        acked.send_modify(|count| *count += AT_ONCE);
    }
    acknowledged
}

/// Makes topics and deletes them; gives those that must be there, and how many were made.
async fn churn(
    admin: Admin,
    mut acked: watch::Receiver<u64>,
    stop: Arc<AtomicBool>,
) -> (BTreeSet<String>, u64) {
    let name = |n: u64| format!("made-{n}");
    let mut made = 0;
    while go_on(&mut acked, &stop).await {
        let topic = NewTopic::new(name(made)).partitions(3);
        let results = admin.create_topics(&[topic], false).await.unwrap();
        // The answer to an attempt before may be what was lost.
        allow(&results, ErrorCode::TOPIC_ALREADY_EXISTS);
        made += 1;
        if made > ALIVE {
            let results =
                admin.delete_topics(&[TopicName::Name(name(made - 1 - ALIVE).into())]).await.unwrap();
            allow(&results, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
    }
    ((made.saturating_sub(ALIVE)..made).map(name).collect(), made)
}

/// Waits for some progress of the producers; false when it is over.
async fn go_on(acked: &mut watch::Receiver<u64>, stop: &AtomicBool) -> bool {
    let until = *acked.borrow() + BETWEEN;
    // The producers end when they are told to.
    acked.wait_for(|count| *count >= until).await.is_ok() && !stop.load(Ordering::Acquire)
}

fn allow<T>(results: &[Result<T, Error>], code: ErrorCode) {
    for result in results {
        if let Err(error) = result {
            assert_eq!(error.code(), Some(code), "{error}");
        }
    }
}

/// Deletes records of the short topic; gives how often it was told that they are, and up to where.
async fn delete(admin: Admin, mut acked: watch::Receiver<u64>, stop: Arc<AtomicBool>) -> (u64, Offset) {
    let partition = TopicPartition::new("short", 0);
    let (mut deleted, mut deleted_before) = (0, Offset::ZERO);
    while go_on(&mut acked, &stop).await {
        let asked = BTreeMap::from([(partition.clone(), Offset(deleted_before.0 + 100))]);
        let answer = admin.delete_records(&asked).await;
        if let Ok(Some(Ok(start))) = answer.as_ref().map(|answer| answer.get(&partition)) {
            (deleted, deleted_before) = (deleted + 1, *start);
        }
    }
    (deleted, deleted_before)
}

/// Reads the plain topic from its begin on, over all kills: every number once, in order.
async fn follow(mut consumer: Consumer, stop: Arc<AtomicBool>) -> u64 {
    let mut next = 0;
    while !stop.load(Ordering::Acquire) {
        for record in consumer.poll(Duration::from_millis(100)).await.unwrap() {
            assert_eq!(number(&record), next, "at offset {}", record.offset);
            next += 1;
        }
    }
    next
}

/// All records of a topic's only partition.
async fn read(address: &str, topic: &str) -> Vec<ConsumerRecord> {
    let mut consumer = Consumer::builder(address).build().await.unwrap();
    let partition = TopicPartition::new(topic, 0);
    consumer.assign([partition.clone()]).unwrap();
    consumer.seek_to_beginning(&[]).unwrap();
    let end = consumer.end_offsets(std::slice::from_ref(&partition)).await.unwrap()[&partition];
    let mut found: Vec<ConsumerRecord> = Vec::new();
    while consumer.position(&partition).await.unwrap() < end {
        let records = consumer.poll(Duration::from_secs(30)).await.unwrap();
        assert!(!records.is_empty(), "{topic}: no end after {} records", found.len());
        found.extend(records);
    }
    found
}

fn number(record: &ConsumerRecord) -> u64 {
    let value = record.value.as_ref().unwrap();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&value[..digits]).unwrap().parse().unwrap()
}

/// Every acknowledged number is there, none twice, in the order of the sends.
fn check_all(acked: &[u64], stored: &[ConsumerRecord]) {
    let numbers: Vec<u64> = stored.iter().map(number).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "a record stands twice, or before its turn");
    let there: HashSet<u64> = numbers.into_iter().collect();
    assert!(acked.iter().all(|number| there.contains(number)), "an acknowledged record is lost");
}

/// The oldest may be deleted, whatever follows is whole.
fn check_suffix(acked: &[u64], stored: &[ConsumerRecord], deleted_before: Offset) {
    let first = stored.first().map_or(u64::MAX, number);
    let kept = acked.partition_point(|number| *number < first);
    let all_by_request = deleted_before.0 >= acked.len() as i64;
    assert!(kept < acked.len() || all_by_request, "more was deleted than {deleted_before}");
    check_all(&acked[kept..], stored);
}

/// Of each key the newest acknowledged number is there, or one that was sent after it.
fn check_newest(acked: &[u64], stored: &[ConsumerRecord]) {
    check_all(&[], stored);
    let newest: BTreeMap<u64, u64> =
        stored.iter().map(|record| (number(record) % KEYS, number(record))).collect();
    for key in 0..KEYS {
        let acked = acked.iter().rev().find(|number| *number % KEYS == key);
        assert!(
            acked.is_none_or(|acked| newest.get(&key) >= Some(acked)),
            "key {key}: {acked:?} of {newest:?}"
        );
    }
}
