//! kill -9 under load: nothing that was acknowledged is lost, nothing stands twice.
//!
//! `OTTLA_CRASHES` says how often (3). The page cache outlives the process, so this proves recovery, not syncs: those are
//! the simulator's. Whatever moment a process ended in, `storage::verify` finds nothing wrong in its directory.

mod load;

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use client::{Acks, Producer, Record};
use storage::disk::Disk;
use storage::disk::os::OsDisk;
use tokio::sync::watch;

use self::load::Load;
use crate::first_light::read_topic;
use crate::node::{Node, free_port};

/// Acknowledged records between two kills.
const BETWEEN: u64 = 2_000;
/// The same under the mixed load, at least.
const BETWEEN_MIXED: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_and_double_nothing() {
    let crashes = crashes();
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut node = Node::start(dir.path(), port, &[]);
    let producer = Producer::builder(&node.address).acks(Acks::All).idempotence(true).build().await.unwrap();
    let (acked, mut watched) = watch::channel(0u64);
    let (stop, stopped) = watch::channel(false);
    let load = tokio::spawn(async move {
        let mut deliveries = Vec::new();
        let mut index = 0u64;
        while !*stopped.borrow() {
            let record = Record::new("numbers").partition(0).value(index.to_string());
            let delivery = producer.send(record).await.unwrap();
            let acked = acked.clone();
            deliveries.push(tokio::spawn(async move {
                let delivered = delivery.await;
                acked.send_modify(|count| *count += 1);
                delivered.map(|_| ())
            }));
            index += 1;
        }
        producer.flush().await;
        let mut acknowledged = Vec::new();
        for (index, delivery) in deliveries.into_iter().enumerate() {
            if delivery.await.unwrap().is_ok() {
                acknowledged.push(index.to_string());
            }
        }
        acknowledged
    });
    for round in 1..=crashes {
        watched.wait_for(|count| *count >= round * BETWEEN).await.unwrap();
        node.kill();
        check_directory(dir.path(), "a kill");
        node = Node::start(dir.path(), port, &[]);
        check_noted(dir.path());
    }
    stop.send(true).unwrap();
    let acknowledged = load.await.unwrap();
    assert!(acknowledged.len() as u64 >= crashes * BETWEEN);
    let stored = read_topic(&node.address, "numbers", acknowledged.len()).await;
    let unique: HashSet<&String> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "a record stands twice");
    assert!(acknowledged.iter().all(|value| unique.contains(value)), "an acknowledged record is lost");
    let numbers: Vec<u64> = stored.iter().map(|value| value.parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "the order is not that of the sends");
    assert!(node.stop(), "the node stops cleanly");
    check_directory(dir.path(), "a clean stop");
    println!("{crashes} kills, {} acknowledged, {} stored", acknowledged.len(), stored.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_mixed_load_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut node = Node::start(dir.path(), port, &load::SETTINGS);
    let mut load = Load::start(&node.address).await;
    let (mut compacted, mut slowest) = (0, Duration::ZERO);
    for round in 0..crashes() {
        let until = *load.acknowledged.borrow() + BETWEEN_MIXED + round * 37 % 2000;
        load.acknowledged.wait_for(|count| *count >= until).await.unwrap();
        node.kill();
        check_directory(dir.path(), "a kill");
        let cleaned =
            std::fs::read_to_string(dir.path().join("cleaner-offset-checkpoint")).unwrap_or_default();
        compacted += u64::from(cleaned.contains("latest 0 "));
        let begun = Instant::now();
        node = Node::start(dir.path(), port, &load::SETTINGS);
        slowest = slowest.max(begun.elapsed());
    }
    let said = load.finish().await.check(&node.address).await;
    assert!(node.stop(), "the node stops cleanly");
    check_directory(dir.path(), "a clean stop");
    println!("{} kills, {compacted} after a compaction, slowest start {slowest:?}; {said}", crashes());
}

fn crashes() -> u64 {
    std::env::var("OTTLA_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Nothing stands wrong in any file, whatever moment the process ended in.
/// Where the system can tell that it went on, a start notes since when: the next one after a kill reads only what it must.
fn check_noted(dir: &Path) {
    let noted = std::fs::read_to_string(dir.join(".ottla_incarnation")).ok();
    assert_eq!(noted, OsDisk.incarnation(dir).unwrap());
}

fn check_directory(dir: &Path, after: &str) {
    let report = storage::verify::verify(&OsDisk, dir).unwrap();
    let wrong: Vec<String> = report.wrong().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "after {after}: {wrong:#?}");
}
