//! Several log directories: placement, the failure of one, and a start without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base::error_code::ErrorCode;
use base::ids::NodeId;
use client::admin::{LogDirDescription, NewTopic};
use client::{Admin, ClientOptions, OffsetSpec, Producer, Record, TopicPartition};

use crate::first_light::read_topic;
use crate::node::{Node, command, free_port, refusal};

const PARTITIONS: i32 = 4;

/// Two directories, of which the first has the metadata log.
struct Dirs {
    parent: tempfile::TempDir,
    port: u16,
}

impl Dirs {
    fn new() -> Self {
        Self { parent: tempfile::tempdir().unwrap(), port: free_port() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    fn settings(&self) -> Vec<String> {
        let (first, second) = (self.path("first"), self.path("second"));
        vec![
            format!("log.dirs={},{}", first.display(), second.display()),
            // So often that a directory that is gone is missed soon.
            "log.flush.offset.checkpoint.interval.ms=50".to_owned(),
        ]
    }

    fn start(&self) -> Node {
        let settings = self.settings();
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Node::start(&self.path("first"), self.port, &settings)
    }

    /// The directory is gone, and a file in its place.
    fn break_dir(&self, name: &str) {
        std::fs::rename(self.path(name), self.path(&format!("{name}.away"))).unwrap();
        std::fs::write(self.path(name), "").unwrap();
    }

    fn mend_dir(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
        std::fs::rename(self.path(&format!("{name}.away")), self.path(name)).unwrap();
    }
}

async fn admin(node: &Node) -> Admin {
    Admin::connect(ClientOptions::new(node.address.as_str())).await.unwrap()
}

async fn described(admin: &Admin, dir: &Path) -> LogDirDescription {
    let dirs = admin.describe_log_dirs(NodeId(1)).await.unwrap();
    dirs.into_iter().find(|found| Path::new(&found.path) == dir).expect("it is listed")
}

fn indexes(dir: &LogDirDescription) -> BTreeSet<i32> {
    dir.partitions.iter().map(|row| row.partition.partition.0).collect()
}

async fn send(node: &Node, index: i32) -> Result<i64, client::Error> {
    let mut options = Producer::builder(&node.address);
    for (name, value) in
        [("delivery.timeout.ms", "2000"), ("max.block.ms", "2000"), ("request.timeout.ms", "1000")]
    {
        assert!(options.set(name, value).unwrap(), "{name}");
    }
    let producer = options.build().await.unwrap();
    let record = Record::new("t").partition(index).value("x");
    producer.send(record).await?.await.map(|delivery| delivery.offset.0)
}

async fn leaders(admin: &Admin) -> BTreeMap<i32, Option<NodeId>> {
    let topic = admin.describe_topics(&["t".into()]).await.unwrap().remove(0).unwrap();
    for partition in &topic.partitions {
        assert_eq!(partition.offline_replicas.is_empty(), partition.leader.is_some(), "{partition:?}");
    }
    topic.partitions.iter().map(|partition| (partition.index.0, partition.leader)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_directory_fails_and_the_other_serves() {
    let dirs = Dirs::new();
    let node = dirs.start();
    let client = admin(&node).await;
    client.create_topics(&[NewTopic::new("t").partitions(PARTITIONS)], false).await.unwrap();
    let [first, second] =
        [described(&client, &dirs.path("first")).await, described(&client, &dirs.path("second")).await];
    assert_eq!((first.partitions.len(), second.partitions.len()), (2, 2), "they are spread");
    for index in 0..PARTITIONS {
        assert_eq!(send(&node, index).await.unwrap(), 0);
    }

    dirs.break_dir("second");
    let deadline = Instant::now() + Duration::from_secs(30);
    while leaders(&client).await.values().all(Option::is_some) {
        assert!(Instant::now() < deadline, "nobody noticed that the directory is gone");
    }
    check_broken(&dirs, &node, &client, &indexes(&second)).await;
    drop(node);

    // Nor does the next start find it.
    let node = dirs.start();
    let client = admin(&node).await;
    check_broken(&dirs, &node, &client, &indexes(&second)).await;
    client.create_topics(&[NewTopic::new("u").partitions(3)], false).await.unwrap();
    assert_eq!(
        described(&client, &dirs.path("first")).await.partitions.len(),
        5,
        "new ones go where they can"
    );
    assert!(node.stop());
    assert!(dirs.path("first").join(".kafka_cleanshutdown").exists());

    dirs.mend_dir("second");
    let node = dirs.start();
    let client = admin(&node).await;
    assert_eq!(indexes(&described(&client, &dirs.path("second")).await), indexes(&second));
    assert!(leaders(&client).await.values().all(Option::is_some));
    for index in 0..PARTITIONS {
        let expect = if indexes(&second).contains(&index) { 1 } else { 3 };
        assert_eq!(send(&node, index).await.unwrap(), expect, "partition {index}");
    }
    assert!(node.stop());
}

/// The partitions of the second directory are offline; those of the first take records.
async fn check_broken(dirs: &Dirs, node: &Node, client: &Admin, lost: &BTreeSet<i32>) {
    let broken = described(client, &dirs.path("second")).await;
    assert_eq!((broken.error, broken.partitions.len()), (ErrorCode::KAFKA_STORAGE_ERROR, 0));
    assert_eq!(described(client, &dirs.path("first")).await.error, ErrorCode::NONE);
    let leaders = leaders(client).await;
    for index in 0..PARTITIONS {
        let (is_lost, sent) = (lost.contains(&index), send(node, index).await);
        assert_eq!(
            (leaders[&index].is_none(), sent.is_err()),
            (is_lost, is_lost),
            "partition {index}: {sent:?}"
        );
        if !is_lost {
            let asked = [(TopicPartition::new("t", index), OffsetSpec::Latest)];
            assert!(client.list_offsets(&asked).await.unwrap().values().all(Result::is_ok));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metadata_directory_takes_the_node_with_it() {
    let dirs = Dirs::new();
    let node = dirs.start();
    dirs.break_dir("first");
    let said = node.wait_for_end();
    let sentence = format!(
        "the log directory {} has failed, and with it the log __cluster_metadata-0",
        dirs.path("first").display()
    );
    assert!(said.contains(&sentence), "{said}");
    let settings = dirs.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let said = refusal(command(&dirs.path("first"), dirs.port, &settings));
    assert!(said.contains("holds the metadata log"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_moved_while_it_is_written() {
    let dirs = Dirs::new();
    let node = dirs.start();
    let client = admin(&node).await;
    client.create_topics(&[NewTopic::new("t").partitions(1)], false).await.unwrap();
    let producer = Producer::builder(&node.address).idempotence(true).build().await.unwrap();
    let (moved_to, other) = ("second", "first");
    let move_to = async |name: &str| {
        let replica = (TopicPartition::new("t", 0), dirs.path(name).display().to_string());
        client.alter_replica_log_dirs(NodeId(1), &[replica]).await.unwrap().remove(0).1
    };
    assert_eq!(move_to("third").await, ErrorCode::LOG_DIR_NOT_FOUND);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut next = 0i64;
    for target in [moved_to, other, moved_to] {
        assert_eq!(move_to(target).await, ErrorCode::NONE);
        let mut arrived = false;
        while !arrived {
            assert!(Instant::now() < deadline, "never moved");
            let record = Record::new("t").partition(0).value(next.to_string());
            assert_eq!(producer.send(record).await.unwrap().await.unwrap().offset.0, next);
            next += 1;
            let found = described(&client, &dirs.path(target)).await;
            arrived = found.partitions.iter().any(|row| !row.is_future);
        }
    }
    assert!(described(&client, &dirs.path(other)).await.partitions.is_empty());
    assert!(dirs.path(moved_to).join("t-0").exists() && !dirs.path(other).join("t-0").exists());
    let expect: Vec<String> = (0..next).map(|offset| offset.to_string()).collect();
    assert_eq!(read_topic(&node.address, "t", expect.len()).await, expect);
    node.kill();
    let node = dirs.start();
    assert_eq!(read_topic(&node.address, "t", expect.len()).await, expect);
    assert_eq!(described(&admin(&node).await, &dirs.path(moved_to)).await.partitions.len(), 1);
    assert!(node.stop());
}
