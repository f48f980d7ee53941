//! Hosting on a disk in memory, told of metadata publication by publication.

use std::cell::RefCell;
use std::task::Waker;

use base::ids::{LeaderEpoch, Offset};
use base::time::WallTime;
use machine::contract::Stamp;
use protocol::metadata_record::MetadataRecord;
use protocol::records::partition_record::PartitionRecord;
use protocol::records::remove_topic_record::RemoveTopicRecord;
use protocol::records::topic_record::TopicRecord;
use storage::disk::DirEntry;
use storage::disk::memory::MemoryDisk;
use storage::partition_metadata;

use super::*;
use crate::testing::broker;

const NOW: Now = Now { mono: MonoTime(0), wall: WallTime(0) };

/// A node with two log directories, and the metadata that it was told of.
struct Node {
    disk: MemoryDisk,
    broker: Arc<Broker>,
    hosting: Hosting,
    image: Image,
    dirs: [Arc<LogDirState>; 2],
    /// What was in the first directory whenever checkpoints were written.
    checkpoints: RefCell<Vec<Vec<String>>>,
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// One topic with one partition, wherever there is room.
fn topic(name: &str, number: u128) -> [MetadataRecord; 2] {
    [
        MetadataRecord::Topic(TopicRecord {
            name: name.to_owned(),
            topic_id: id(number),
            ..TopicRecord::default()
        }),
        MetadataRecord::Partition(PartitionRecord {
            topic_id: id(number),
            partition_id: 0,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            directories: vec![DirectoryId::UNASSIGNED.0],
            ..PartitionRecord::default()
        }),
    ]
}

fn removal(number: u128) -> MetadataRecord {
    MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id(number), ..RemoveTopicRecord::default() })
}

impl Node {
    fn new() -> Self {
        let disk = MemoryDisk::new();
        let waker = || Waker::noop().clone();
        let dirs = ["/a", "/b"].map(|path| {
            disk.shared().create_dir_all(Path::new(path)).expect("the disk is well");
            let number = u128::from(path.as_bytes()[1]);
            Arc::new(LogDirState::new(path.into(), Some(DirectoryId(id(number))), path == "/a", waker()))
        });
        let broker = broker(&dirs);
        let hosted =
            |dir: &Arc<LogDirState>| HostedDir::new(dir.clone(), vec![Arc::new(ShardQueue::new(waker()))]);
        let hosting =
            Hosting::new(broker.clone(), disk.shared(), dirs.iter().map(hosted).collect(), Arc::new(|| 9));
        let image = Image::empty("cluster");
        Self { disk, broker, hosting, image, dirs, checkpoints: RefCell::default() }
    }

    /// Publishes what these records make of the metadata.
    fn publish(&mut self, records: impl IntoIterator<Item = MetadataRecord>) {
        let (before, mut delta) = (self.image.clone(), Delta::default());
        for record in records {
            delta.note(&before, &record);
            let stamp = Stamp::new(Offset(self.image.offset().0 + 1), LeaderEpoch(1));
            self.image.replay(stamp, &record).expect("it follows from what was there");
        }
        let (disk, checkpoints) = (&self.disk, &self.checkpoints);
        self.hosting.publish(Arc::new(self.image.clone()), &delta, NOW, |_| {
            checkpoints.borrow_mut().push(partitions_in(disk, "/a"));
        });
    }

    fn hosts(&self, number: u128) -> bool {
        self.broker.hosted(TopicId(id(number)), PartitionIndex(0)).is_some()
    }
}

/// The partitions' directories in a log directory, with the number of the topic that each belongs to.
fn partitions_in(disk: &MemoryDisk, dir: &str) -> Vec<String> {
    let disk = disk.shared();
    let mut found = Vec::new();
    for DirEntry { name, .. } in disk.list(Path::new(dir)).expect("the disk is well") {
        let path = Path::new(dir).join(&name).join(partition_metadata::FILE_NAME);
        let of = partition_metadata::read(&*disk, &path).expect("whole");
        found.push(format!("{name} of {}", of.expect("it was noted").0.as_u128()));
    }
    found.sort();
    found
}

#[test]
fn a_topic_that_takes_the_name_of_one_deleted_in_the_same_publication_gets_a_log_of_its_own() {
    let mut node = Node::new();
    node.publish([]);
    node.publish(topic("t", 1));
    assert_eq!(partitions_in(&node.disk, "/a"), ["t-0 of 1"]);
    node.publish([removal(1)].into_iter().chain(topic("t", 2)));
    assert_eq!((node.hosts(1), node.hosts(2)), (false, true));
    let after = partitions_in(&node.disk, "/a");
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(after[0], "t-0 of 2");
    assert!(after[1].starts_with("t-0.") && after[1].ends_with("-delete of 1"), "{after:?}");
    assert_eq!(
        *node.checkpoints.borrow(),
        [&after[1..]],
        "they forgot the old log before the new one was made"
    );
}

#[test]
fn beside_a_directory_that_is_offline_only_what_is_new_is_made() {
    let mut node = Node::new();
    node.dirs[1].fail("a test");
    let known_before: Vec<_> = topic("t", 1).into_iter().collect();
    node.publish(known_before);
    assert!(!node.hosts(1), "its log may lie in the other directory");
    node.publish(topic("u", 2));
    assert_eq!((node.hosts(1), node.hosts(2)), (false, true));
}
