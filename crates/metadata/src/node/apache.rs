//! Hand in hand with Apache Kafka: it reads the metadata log and snapshot written here, starts on the directory, changes
//! it, and is followed by this node again.
//!
//! Needs the script that starts Apache Kafka 4.3.0: `OTTLA_ORACLE=…/apache-kafka cargo test -p metadata apache`.

#![expect(clippy::disallowed_methods, reason = "Apache Kafka is another process")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use base::ids::{LeaderEpoch, NodeId, PartitionIndex};
use base::time::{MonoTime, Now, WallTime};
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use quorum::Endpoint;
use storage::disk::Disk;
use storage::disk::os::OsDisk;
use storage::log_dir::LogDir;

use super::tests::create;
use super::{ControllerNode, NodeEffect, NodeSettings};
use crate::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use crate::format::{EmptyFormat, format_empty};
use crate::testing::{CLUSTER_ID, Counting, registration, settings};

const NOW: Now = Now { wall: WallTime(1_760_000_000_000), mono: MonoTime(0) };

struct Oracle {
    script: PathBuf,
    /// Where the script keeps the node's files; the log directory is `data` in it.
    dir: PathBuf,
    port: u16,
}

impl Oracle {
    fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = Command::new(&self.script)
            .args(arguments)
            .env("FORMAT_ARGS", "--standalone")
            .output()
            .expect("the script runs");
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{arguments:?}: {text}");
        text
    }

    fn dump(&self, file: &str) -> String {
        let path = self.dir.join("data/__cluster_metadata-0").join(file);
        let path = path.to_string_lossy();
        self.run(&["tool", "kafka-dump-log", "--cluster-metadata-decoder", "--files", &path])
    }

    fn start(&self) {
        let dir = self.dir.to_string_lossy();
        let quorum = format!("bootstrap:127.0.0.1:{}", self.port + 1000);
        self.run(&["node", &dir, "1", &self.port.to_string(), "broker,controller", &quorum]);
    }

    fn stop(&self) {
        self.run(&["stop", &self.dir.to_string_lossy()]);
    }

    fn topics(&self, arguments: &[&str]) -> String {
        let server = format!("127.0.0.1:{}", self.port);
        let mut all = vec!["tool", "kafka-topics", "--bootstrap-server", &server];
        all.extend(arguments);
        self.run(&all)
    }
}

/// A port that is free together with the one a thousand above it.
fn free_port() -> u16 {
    (20_000..30_000)
        .step_by(7)
        .find(|port| [*port, port + 1000].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()))
        .expect("a free port")
}

fn drive(node: &mut ControllerNode, request: Option<ControllerRequest>) -> Option<ControllerReply> {
    if let Some(request) = request {
        node.submit(request, 1);
    }
    let mut reply = None;
    loop {
        let mut effects = Vec::new();
        node.run(NOW, &mut effects).expect("the disk is well");
        let mut job = None;
        for effect in effects {
            match effect {
                NodeEffect::Reply { response, .. } => reply = Some(response.expect("this node leads")),
                NodeEffect::Sync(sync) => job = Some(sync),
                NodeEffect::Publish { .. } => {}
            }
        }
        match job {
            Some(job) => node.synced(job.run(), NOW).expect("it was synced"),
            None => return reply,
        }
    }
}

fn open(disk: &Arc<dyn Disk>, settings: &NodeSettings, seed: u64) -> ControllerNode {
    let random = Box::new(Counting(seed));
    let mut node = ControllerNode::open(disk.clone(), settings.clone(), NOW, random).expect("it opens");
    drive(&mut node, None);
    node
}

fn formatted(data: &Path, port: u16, disk: &Arc<dyn Disk>) -> NodeSettings {
    let endpoints =
        [Endpoint { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: port + 1000 }];
    let mut dirs = [LogDir::open(disk.clone(), data).expect("a directory")];
    let format = EmptyFormat {
        node_id: NodeId(1),
        cluster_id: Some(CLUSTER_ID.to_owned()),
        metadata_dir: data,
        endpoints: &endpoints,
    };
    format_empty(&mut dirs, &format, NOW.wall, &mut Counting(40)).expect("it is empty");
    let directory_id = dirs[0].meta().and_then(|meta| meta.directory_id).expect("formatted");
    NodeSettings { directory_id, endpoints: endpoints.to_vec(), snapshot_bytes: 1, ..settings(data) }
}

#[test]
fn apache_kafka_goes_on_where_this_node_stopped_and_back() {
    let Ok(script) = std::env::var("OTTLA_ORACLE") else {
        println!("SKIPPED: OTTLA_ORACLE does not name the script that starts Apache Kafka");
        return;
    };
    let root = tempfile::tempdir().expect("a directory");
    let oracle = Oracle { script: script.into(), dir: root.path().to_owned(), port: free_port() };
    let data = root.path().join("data");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let settings = formatted(&data, oracle.port, &disk);

    // This node registers a broker in the formatted directory and creates two topics.
    let mut node = open(&disk, &settings, 100);
    let mut broker = registration(1, 1);
    broker.log_dirs = vec![settings.directory_id.0];
    let Some(ControllerReply::RegisterBroker(registered)) =
        drive(&mut node, Some(ControllerRequest::internal(ControllerVerb::RegisterBroker(broker))))
    else {
        panic!("a registration")
    };
    let heartbeat = |shut_down: bool, offset: i64| {
        ControllerRequest::internal(ControllerVerb::Heartbeat(BrokerHeartbeatRequest {
            broker_id: 1,
            broker_epoch: registered.broker_epoch,
            current_metadata_offset: offset,
            want_fence: shut_down,
            want_shut_down: shut_down,
            ..Default::default()
        }))
    };
    drive(&mut node, Some(heartbeat(false, 100)));
    drive(&mut node, Some(create("ours", 3)));
    drive(&mut node, Some(create("also.ours", 1)));
    let ours = node.image().topic_by_name("ours").expect("created").id;
    drive(&mut node, Some(heartbeat(true, 100)));
    let snapshot = node.image().offset();
    node.close(NOW).expect("the disk is well");

    // Apache reads every record, and the newest snapshot.
    let dump = oracle.dump("00000000000000000000.log");
    for expected in ["KRaftVoters", "\"ours\"", "REGISTER_BROKER_RECORD", "END_TRANSACTION_RECORD"] {
        assert!(dump.contains(expected), "{expected}: {dump}");
    }
    assert!(!dump.contains("isvalid: false") && !dump.contains("Exception"), "{dump}");
    let dump = oracle.dump(&format!("{:020}-{:010}.checkpoint", snapshot.0 + 1, 1));
    for expected in ["SnapshotHeader", "SnapshotFooter", "\"also.ours\"", "PARTITION_RECORD"] {
        assert!(dump.contains(expected), "{expected}: {dump}");
    }

    // Apache starts on the directory, has the topics, and makes one of its own.
    oracle.start();
    let described = oracle.topics(&["--describe", "--topic", "ours"]);
    assert!(described.contains(&ours.to_string()) && described.contains("PartitionCount: 3"), "{described}");
    assert!(!described.contains("Leader: none"), "{described}");
    oracle.topics(&["--create", "--topic", "theirs", "--partitions", "2"]);
    oracle.topics(&["--delete", "--topic", "also.ours"]);
    oracle.stop();

    // And back.
    let mut node = open(&disk, &settings, 200);
    let image = node.image();
    let names: Vec<_> = image.topics().map(|topic| &*topic.name).collect();
    assert_eq!(names, ["ours", "theirs"]);
    assert_eq!(image.topic_by_name("ours").map(|topic| topic.id), Some(ours));
    assert_eq!(node.leader().1, LeaderEpoch(3));
    drive(&mut node, Some(create("again", 1)));
    assert!(
        node.image().topic_by_name("theirs").and_then(|topic| topic.partition(PartitionIndex(1))).is_some()
    );
    node.close(NOW).expect("the disk is well");
    oracle.start();
    let list = oracle.topics(&["--list"]);
    oracle.stop();
    assert!(list.contains("theirs") && list.contains("ours"), "{list}");
}
