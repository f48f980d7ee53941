//! The node as a whole: what survives crashes, what is published when, and what Apache Kafka's files say.

use std::path::Path;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{BrokerEpoch, DirectoryId, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerId};
use protocol::messages::allocate_producer_ids_request::AllocateProducerIdsRequest;
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::delete_topics_request::DeleteTopicsRequest;
use protocol::metadata_record::MetadataRecord;
use quorum::Endpoint;
use storage::disk::memory::{Crash, Fault, MemoryDisk, Operation};
use storage::disk::{Disk, read_file};

use crate::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use crate::features;
use crate::image::{Image, KRAFT_VERSION, METADATA_VERSION, Resource};
use crate::testing::{DIR, Harness, log_dir, registration};

const LOG: &[u8] = include_bytes!("../../testdata/apache/log-0.bin");
const SNAPSHOT: &[u8] = include_bytes!("../../testdata/apache/snapshot-64-2.bin");
const VOTERS: &[u8] = include_bytes!("../../testdata/apache/snapshot-0-0.bin");
const BOOTSTRAP: &[u8] = include_bytes!("../../testdata/apache/bootstrap.bin");
const STATE: &[u8] = include_bytes!("../../testdata/apache/quorum-state");

pub(crate) fn create(name: &str, partitions: i32) -> ControllerRequest {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    ControllerRequest::internal(ControllerVerb::CreateTopics(request))
}

fn delete(name: &str) -> ControllerRequest {
    let request = DeleteTopicsRequest { topic_names: vec![name.to_owned()], ..Default::default() };
    ControllerRequest::internal(ControllerVerb::DeleteTopics(request))
}

fn names(image: &Image) -> Vec<String> {
    image.topics().map(|topic| topic.name.to_string()).collect()
}

/// The image but for where it stands.
fn content(image: &Image) -> Image {
    Image { offset: Offset::NONE, epoch: LeaderEpoch(0), ..image.clone() }
}

#[test]
fn a_new_cluster_finalizes_its_features_and_then_serves() {
    let mut harness = Harness::new();
    harness.open().expect("formatted");
    assert!(harness.published.is_empty(), "nothing is published before it is durable");
    harness.run();
    let (image, delta) = harness.published.pop().expect("the first image");
    let features: Vec<_> = image.finalized_features();
    let expect = [(features::ELIGIBLE_LEADER_REPLICAS, 1), (KRAFT_VERSION, 1), (METADATA_VERSION, 30)];
    assert_eq!(features, expect.map(|(name, level)| (name.into(), level)));
    assert_eq!(delta, crate::delta::Delta::from_nothing(&image));
    // LeaderChange, KRaftVersion, KRaftVoters, then begin, two features, min.insync.replicas, end.
    assert_eq!(image.offset(), Offset(7));
    assert_eq!(harness.node().leader(), (NodeId(1), LeaderEpoch(1)));

    harness.register(1, 1);
    assert!(!harness.image().is_active(NodeId(1)), "fenced until it has caught up");
    harness.heartbeat(1);
    assert!(harness.image().is_active(NodeId(1)));
    assert_eq!(harness.image().broker(NodeId(1)).expect("registered").epoch, BrokerEpoch(8));
}

#[test]
fn a_reply_waits_for_the_sync_and_comes_after_its_image() {
    let mut harness = Harness::serving();
    harness.published.clear();
    harness.sync = false;
    let now = harness.now;
    harness.node().submit(create("a", 2), 77);
    let mut effects = Vec::new();
    harness.node().run(now, &mut effects).expect("a disk that works");
    let [super::NodeEffect::Sync(_)] = &effects[..] else { panic!("only a sync: {}", effects.len()) };
    assert!(harness.image().topic_by_name("a").is_none());
    // What is decided while the sync is under way sees the topic, and waits for its own sync.
    harness.node().submit(create("a", 2), 78);
    let mut more = Vec::new();
    harness.node().run(now, &mut more).expect("a disk that works");
    assert!(more.is_empty(), "one sync at a time, and no reply overtakes");

    let Some(super::NodeEffect::Sync(job)) = effects.pop() else { unreachable!() };
    let synced = job.run();
    harness.node().synced(synced, now).expect("it was synced");
    harness.node().run(now, &mut effects).expect("a disk that works");
    let shape: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            super::NodeEffect::Publish { image, .. } => format!("publish {:?}", names(image)),
            super::NodeEffect::Reply { id, .. } => format!("reply {id}"),
            super::NodeEffect::Sync(_) => "sync".to_owned(),
        })
        .collect();
    assert_eq!(shape, ["publish [\"a\"]", "reply 77", "reply 78"]);
}

#[test]
fn what_was_answered_survives_every_crash() {
    for crash in [Crash::LoseUnsynced, Crash::KeepAll, Crash::Torn(1), Crash::Torn(2), Crash::Torn(3)] {
        let mut harness = Harness::serving();
        for round in 0..4 {
            harness.submit(create(&format!("kept{round}"), 3));
            harness.submit(create(&format!("gone{round}"), 1));
            harness.submit(delete(&format!("gone{round}")));
            // Written, but neither synced nor answered.
            harness.sync = false;
            harness.submit(create(&format!("unknown{round}"), 1));
            let before = harness.image();
            harness.node = None;
            harness.disk.crash(crash);
            harness.sync = true;
            harness.open().expect("what a crash leaves can be opened");
            harness.run();
            let after = harness.image();
            let mut found = names(&after);
            found.retain(|name| !name.starts_with("unknown"));
            let mut expect = names(&before);
            expect.retain(|name| !name.starts_with("unknown"));
            assert_eq!(found, expect, "{crash:?}");
            assert!(names(&after).iter().all(|name| !name.starts_with("gone")));
            assert_eq!(
                harness.node().leader().1,
                LeaderEpoch(2 + round),
                "each start is an epoch of its own"
            );
            // This node's own broker need not wait for the session of its last incarnation.
            harness.register(1, 100 + round as u128);
            harness.heartbeat(1);
            assert!(harness.image().is_active(NodeId(1)));
        }
    }
}

#[test]
fn an_epoch_is_never_used_twice_even_if_nothing_of_it_reached_the_log() {
    let mut harness = Harness::new();
    for epoch in 1..5 {
        harness.open().expect("what a crash leaves can be opened");
        assert_eq!(harness.node().leader().1, LeaderEpoch(epoch));
        // The first batch of the epoch was written, but never synced.
        harness.node = None;
        harness.disk.crash(Crash::LoseUnsynced);
    }
}

#[test]
fn a_restart_of_the_broker_moves_leader_epochs_as_apache_kafka_does() {
    let mut harness = Harness::serving();
    harness.submit(create("a", 1));
    let partition = |harness: &mut Harness| {
        let image = harness.image();
        let topic = image.topic_by_name("a").expect("created");
        topic.partition(PartitionIndex(0)).expect("one partition").clone()
    };
    assert_eq!(
        (partition(&mut harness).leader, partition(&mut harness).leader_epoch),
        (NodeId(1), LeaderEpoch(0))
    );
    harness.node = None;
    harness.open().expect("closed by a crash");
    harness.run();
    harness.register(1, 2);
    let offline = partition(&mut harness);
    assert_eq!((offline.leader, offline.leader_epoch), (NodeId::NONE, LeaderEpoch(1)));
    assert_eq!(
        (offline.isr, offline.last_known_elr),
        (vec![], vec![NodeId(1)]),
        "it was not stopped cleanly"
    );
    harness.heartbeat(1);
    let online = partition(&mut harness);
    assert_eq!((online.leader, online.leader_epoch, online.partition_epoch), (NodeId(1), LeaderEpoch(2), 2));
}

#[test]
fn a_failed_sync_or_write_halts() {
    for operation in [Operation::Write, Operation::Sync] {
        let mut harness = Harness::serving();
        harness.disk.plan(Fault::Every { operation, error: std::io::ErrorKind::Other });
        let now = harness.now;
        harness.node().submit(create("a", 1), 1);
        assert!(harness.try_run().is_err(), "{operation:?}");
        assert!(harness.replies.is_empty(), "nobody may be told what nobody knows");
        let mut effects = Vec::new();
        assert!(harness.node().run(now, &mut effects).is_err() || effects.is_empty());
    }
}

#[test]
fn a_batch_that_the_log_refuses_takes_only_itself() {
    let mut harness = Harness::serving();
    // One topic after another fits; all at once they would be larger than a batch may be.
    let names: Vec<_> = (0..270).map(|index| format!("{index:0>249}")).collect();
    let config = protocol::messages::create_topics_request::CreatableTopicConfig {
        name: "leader.replication.throttled.replicas".to_owned(),
        value: Some("1:1,".repeat(8100).trim_end_matches(',').to_owned()),
    };
    let topic = |name: &String| CreatableTopic {
        name: name.clone(),
        num_partitions: 1,
        replication_factor: 1,
        configs: vec![config.clone()],
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: names.iter().map(topic).collect(), ..Default::default() };
    let id = harness.submit(ControllerRequest::internal(ControllerVerb::CreateTopics(request)));
    let (answered, reply) = harness.replies.pop().expect("an answer");
    assert_eq!((answered, reply), (id, Err(base::error_code::ErrorCode::UNKNOWN_SERVER_ERROR)));
    assert_eq!(harness.image().topic_count(), 0);
    harness.submit(create("a", 1));
    assert_eq!(harness.image().topic_count(), 1);
}

#[test]
fn producer_ids_come_in_blocks_and_never_twice() {
    let mut harness = Harness::serving();
    let allocate = |harness: &mut Harness, epoch: i64| {
        let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch: epoch };
        match harness.call(ControllerVerb::AllocateProducerIds(request)) {
            ControllerReply::AllocateProducerIds(reply) => {
                (reply.error_code.0, reply.producer_id_start, reply.producer_id_len)
            }
            other => panic!("{other:?}"),
        }
    };
    let epoch = harness.image().broker(NodeId(1)).expect("registered").epoch.0;
    assert_eq!(allocate(&mut harness, epoch), (0, 0, 1000));
    assert_eq!(allocate(&mut harness, epoch), (0, 1000, 1000));
    assert_eq!(allocate(&mut harness, epoch + 1).0, 77);
    harness.node = None;
    harness.disk.crash(Crash::LoseUnsynced);
    harness.open().expect("what a crash leaves can be opened");
    harness.run();
    assert_eq!(harness.image().next_producer_id(), ProducerId(2000));
}

#[test]
fn a_broker_that_falls_silent_is_fenced() {
    let mut harness = Harness::serving();
    harness.submit(create("a", 1));
    let timeout = harness.node().next_timeout().expect("the session's end");
    assert_eq!(timeout, harness.now.mono.plus_ms(9000));
    harness.advance(8999);
    harness.run();
    assert!(harness.image().is_active(NodeId(1)));
    harness.advance(1);
    harness.run();
    assert!(!harness.image().is_active(NodeId(1)));
    let image = harness.image();
    assert_eq!(image.topic_by_name("a").unwrap().partition(PartitionIndex(0)).unwrap().leader, NodeId::NONE);
    harness.heartbeat(1);
    assert!(harness.image().is_active(NodeId(1)));
}

#[test]
fn snapshots_hold_the_image_and_let_the_log_go() {
    let mut harness = Harness::serving();
    harness.settings.snapshot_bytes = 2000;
    harness.settings.retention_bytes = 1;
    harness.node = None;
    harness.open().expect("closed by a crash");
    harness.run();
    for index in 0..20 {
        harness.submit(create(&format!("topic{index}"), 10));
        harness.submit(delete(&format!("topic{}", index / 2)));
    }
    let image = harness.image();
    let snapshots = |disk: &MemoryDisk| {
        let files = disk.files(&log_dir()).into_iter();
        let names = files.filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
        names.filter(|name| name.ends_with(".checkpoint")).collect::<Vec<_>>()
    };
    let kept = snapshots(&harness.disk);
    assert_eq!(kept.len(), 1, "only the newest stays: {kept:?}");
    assert!(&*kept[0] > "00000000000000000100");
    harness.node = None;
    harness.disk.crash(Crash::LoseUnsynced);
    harness.open().expect("snapshot and log");
    harness.run();
    let reopened = harness.image();
    assert_eq!(content(&reopened), content(&image));
    assert_eq!(harness.node().quorum.history().kraft_version(), 1);
}

#[test]
fn a_snapshot_is_due_after_its_interval_if_there_is_anything_new() {
    let mut harness = Harness::serving();
    harness.settings.snapshot_interval_ms = 60_000;
    harness.node = None;
    harness.open().expect("closed by a crash");
    harness.run();
    harness.register(1, 5);
    let now = harness.now;
    harness.advance(60_000);
    let mut effects = Vec::new();
    let at = harness.now;
    harness.node().run(at, &mut effects).expect("a disk that works");
    let count = harness
        .disk
        .files(&log_dir())
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(".checkpoint"))
        .count();
    assert_eq!(count, 2, "the first voters, and the new one");
    assert!(harness.node().snapshots.next_timeout().is_none_or(|at| at > now.mono.plus_ms(60_000)));
}

#[test]
fn a_log_without_its_snapshot_is_refused() {
    let mut harness = Harness::serving();
    harness.settings.snapshot_bytes = 1;
    harness.settings.retention_bytes = 1;
    harness.node = None;
    harness.open().expect("closed by a crash");
    harness.run();
    (0..5).for_each(|index| {
        harness.submit(create(&format!("t{index}"), 1));
    });
    // The log begins anew behind a snapshot only with a new segment.
    harness.node = None;
    let newest = harness
        .disk
        .files(&log_dir())
        .into_iter()
        .rfind(|path| path.to_string_lossy().ends_with(".checkpoint"));
    let newest = newest.expect("a snapshot");
    let mut damaged = read_file(&harness.disk, &newest).expect("readable").expect("there");
    damaged.truncate(100);
    harness.disk.set_content(&newest, &damaged);
    let error = harness.open().expect_err("half a snapshot").to_string();
    assert!(error.contains(&*newest.to_string_lossy()), "{error}");
}

/// A directory as Apache Kafka left it; `with_snapshot` decides from what it is loaded.
fn apache(with_snapshot: bool) -> Harness {
    let mut harness = Harness::new();
    harness.disk = MemoryDisk::new();
    harness.disk.create_dir_all(&log_dir()).expect("a directory");
    let put = |name: &str, content: &[u8]| harness.disk.set_content(&log_dir().join(name), content);
    put("00000000000000000000.log", LOG);
    put("00000000000000000000-0000000000.checkpoint", VOTERS);
    put("quorum-state", STATE);
    put("partition.metadata", b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    put("leader-epoch-checkpoint", b"0\n2\n1 0\n2 45\n");
    if with_snapshot {
        put("00000000000000000064-0000000002.checkpoint", SNAPSHOT);
    }
    harness.disk.set_content(&Path::new(DIR).join("bootstrap.checkpoint"), BOOTSTRAP);
    harness.settings.directory_id = DirectoryId("ajd3gW7sRee-VMFoWmeyWQ".parse().expect("an id"));
    harness.settings.endpoints =
        vec![Endpoint { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: 20393 }];
    harness
}

#[test]
fn a_directory_of_apache_kafka_opens_from_its_log_and_from_its_snapshot() {
    let mut images = Vec::new();
    for with_snapshot in [false, true] {
        let mut harness = apache(with_snapshot);
        harness.open().expect("a directory of Apache Kafka");
        harness.run();
        images.push(harness.image());
        assert_eq!(harness.node().leader(), (NodeId(1), LeaderEpoch(3)));
        // Offset 65 is the LeaderChange of the new epoch; the voters are unchanged, so nothing else is written.
        let next = harness.node().shard.next_offset();
        assert_eq!(next, Offset(66));
    }
    let [from_log, from_snapshot] = &images[..] else { unreachable!() };
    assert_eq!(content(from_log), content(from_snapshot));
    check_content(from_log);
}

fn check_content(image: &Image) {
    assert_eq!(names(image), ["alerts", "late", "meters"]);
    let meters = image.topic_by_name("meters").expect("it is there");
    assert_eq!(meters.id.to_string(), "VSsJeFMZTRidLR8dKCJbIg");
    assert_eq!(meters.partitions.len(), 4);
    let partition = meters.partition(PartitionIndex(3)).expect("it was added");
    assert_eq!(
        (partition.leader, partition.leader_epoch, partition.partition_epoch),
        (NodeId::NONE, LeaderEpoch(3), 3)
    );
    assert_eq!((&partition.isr[..], &partition.elr[..]), (&[][..], &[NodeId(1)][..]));
    assert_eq!(image.partition_count(), 6);
    let alerts: Vec<_> = image.topic_config("alerts").into_iter().collect();
    assert_eq!(
        alerts,
        [("cleanup.policy".into(), "compact".into()), ("max.message.bytes".into(), "2000000".into())]
    );
    assert_eq!(
        image.config(&Resource::broker("")).get("log.retention.ms").map(|value| &**value),
        Some("86400000")
    );
    assert_eq!(image.feature("transaction.version"), 2);
    assert_eq!(image.feature(KRAFT_VERSION), 1);
    assert_eq!(image.next_producer_id(), ProducerId(1000));
    assert_eq!(image.acls().map(|acl| acl.principal.as_str()).collect::<Vec<_>>(), ["User:bob"]);
    assert_eq!(image.scram_credentials().map(|scram| scram.iterations).collect::<Vec<_>>(), [4096]);
    let quotas: Vec<_> = image.client_quotas().map(|(_, key, value)| (key.to_owned(), value)).collect();
    assert_eq!(quotas, [("producer_byte_rate".to_owned(), 1024.0)]);
    let broker = image.broker(NodeId(1)).expect("registered");
    assert!(broker.fenced && broker.in_controlled_shutdown);
    assert_eq!((broker.epoch, broker.cordoned_directories.as_deref()), (BrokerEpoch(47), Some(&[][..])));
    assert_eq!(image.controllers().count(), 1);
}

#[test]
fn a_broker_serves_what_apache_kafka_finalized_though_not_all_of_it_is_built() {
    let mut harness = apache(false);
    harness.open().expect("a directory of Apache Kafka");
    harness.run();
    let unbuilt = features::unbuilt(&harness.image());
    let levels: Vec<_> = unbuilt.iter().map(|feature| (feature.name, feature.min, feature.max)).collect();
    assert!(levels.contains(&("transaction.version", 0, 2)), "{levels:?}");
    assert!(levels.iter().all(|(name, ..)| features::SUPPORTED.iter().all(|feature| feature.name != *name)));
    let mut register = |unbuilt: &[features::Feature]| {
        let request =
            BrokerRegistrationRequest { features: features::registered(unbuilt), ..registration(1, 77) };
        match harness.call(ControllerVerb::RegisterBroker(request)) {
            ControllerReply::RegisterBroker(response) => response.error_code,
            _ => unreachable!("a registration"),
        }
    };
    assert_eq!(register(&[]), ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(register(&unbuilt), ErrorCode::NONE);
    assert_eq!(features::unbuilt(&Image::empty("a new cluster")), []);
}

#[test]
fn a_snapshot_of_apaches_image_gives_the_same_image_back() {
    let mut harness = apache(true);
    harness.open().expect("a directory of Apache Kafka");
    harness.run();
    let image = harness.image();
    let mut copy = Image::empty(image.cluster_id());
    copy.kraft_version = 1;
    let mut count = 0;
    image.for_each_record(|record: MetadataRecord| {
        count += 1;
        let stamp = machine::Stamp::new(Offset(count), LeaderEpoch(1));
        copy.replay(stamp, &record).expect("its own records");
    });
    // One more than Apache's, which ends before the broker was fenced.
    assert_eq!(count, 25);
    assert_eq!(content(&copy), content(&image));
}

#[test]
fn an_unknown_record_halts() {
    let mut harness = Harness::serving();
    harness.submit(create("a", 1));
    harness.node = None;
    let path = log_dir().join("00000000000000000000.log");
    let mut log = read_file(&harness.disk, &path).expect("readable").expect("there");
    let end = wire::batch::Batches::new(&log).filter_map(Result::ok).last().expect("batches").next_offset();
    let mut batch = wire::builder::BatchBuilder::new(wire::compress::Compression::None)
        .base_offset(end)
        .partition_leader_epoch(LeaderEpoch(1));
    batch.append(0, None, Some(&[1, 99, 0, 0]), &[]);
    log.extend_from_slice(&batch.finish());
    harness.disk.set_content(&path, &log);
    let error = harness.open().expect_err("a record that nobody knows").to_string();
    assert!(error.contains("unknown record type 99"), "{error}");
}

#[test]
fn a_change_of_one_partition_among_many_is_named_alone() {
    let mut harness = Harness::serving();
    for index in 0..10 {
        harness.submit(create(&format!("topic{index}"), 1000));
    }
    harness.published.clear();
    let before = harness.image();
    harness.submit(create("one", 1));
    let [(image, delta)] = &harness.published[..] else { panic!("one publication") };
    assert_eq!(delta.topics_created.len(), 1);
    assert!(delta.partitions_changed.is_empty() && delta.configs_changed.is_empty());
    // Everything else is shared with the image before.
    let shared = before
        .topics()
        .filter(|topic| std::ptr::eq(*topic, image.topic_by_id(topic.id).expect("it is still there")));
    assert_eq!(shared.count(), 10);
    assert_eq!(Arc::strong_count(&harness.image()), 3, "held by the node, the publication and here");
}

#[test]
#[ignore = "a measurement: cargo test --release -p metadata -- --ignored --nocapture one_change"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn one_change_among_a_hundred_thousand_partitions() {
    let mut harness = Harness::serving();
    for index in 0..100 {
        harness.submit(create(&format!("topic{index}"), 1000));
    }
    assert_eq!(harness.image().partition_count(), 100_000);
    let rounds = 200;
    let start = std::time::Instant::now();
    for index in 0..rounds {
        harness.submit(create(&format!("one{index}"), 1));
        harness.published.clear();
    }
    println!("{:?} from the request to the published image and the answer", start.elapsed() / rounds);
    let mut image = Image::clone(&harness.image());
    let id = image.topic_by_name("topic50").expect("created").id;
    let change =
        MetadataRecord::PartitionChange(protocol::records::partition_change_record::PartitionChangeRecord {
            partition_id: 500,
            topic_id: id.0,
            leader: 1,
            ..Default::default()
        });
    let start = std::time::Instant::now();
    for _ in 0..rounds {
        let stamp = machine::Stamp::new(image.offset().next(), image.epoch());
        let before = image.clone();
        let mut delta = crate::delta::Delta::default();
        delta.note(&before, &change);
        image.replay(stamp, &change).expect("a change");
    }
    println!(
        "{:?} for a copy of the image, its delta and the replay of one change",
        start.elapsed() / rounds
    );
    let start = std::time::Instant::now();
    let mut records = 0;
    image.for_each_record(|_| records += 1);
    println!("{:?} for {records} records of a snapshot", start.elapsed());
}
