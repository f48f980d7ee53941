//! A whole log directory.

use std::io;

use base::ids::{BrokerEpoch, DirectoryId, NodeId};

use super::*;
use crate::directory::{DirKind, FileKind};
use crate::disk::memory::{Crash, Fault};
use crate::disk::read_file;
use crate::log_dir::{LogDir, PartitionDir};
use crate::meta_properties::MetaProperties;

fn create(dir: &LogDir, name: &str) -> Log {
    let topic_partition = TopicPartition::new(name, 0);
    let spec = LogSpec {
        disk: dir.disk().clone(),
        dir: dir.path().join(topic_partition.dir_name()),
        topic_partition,
        topic_id: None,
        config: Arc::new(small_config()),
    };
    Log::create(spec, now(0)).unwrap()
}

#[test]
fn it_is_held_once() {
    let disk = disk();
    let held = LogDir::open(disk.shared(), DATA).unwrap();
    assert!(matches!(LogDir::open(disk.shared(), DATA), Err(Error::Locked(_))));
    drop(held);
    LogDir::open(disk.shared(), DATA).unwrap();
}

#[test]
fn a_stop_is_clean_only_to_the_end() {
    let disk = disk();
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    assert!(dir.is_empty().unwrap());
    assert_eq!(dir.meta(), None);
    dir.format(MetaProperties::new("c", NodeId(1), DirectoryId::LOST)).unwrap();
    dir.begin().unwrap();
    let mut logs: Vec<Log> = ["a", "b"].iter().map(|name| create(&dir, name)).collect();
    for log in &mut logs {
        (0..30).for_each(|n| _ = append(log, now(0), batch(&[(n, "0123456789")])).unwrap());
        log.advance_log_start(Offset(3)).unwrap();
    }
    let closed: Vec<_> = logs.into_iter().map(|log| log.close(now(0)).unwrap()).collect();
    dir.stop(&closed, BrokerEpoch(7)).unwrap();

    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    assert_eq!(dir.meta().unwrap().node_id, Some(NodeId(1)));
    assert_eq!(dir.clean_shutdown().unwrap().broker_epoch, Some(BrokerEpoch(7)));
    dir.begin().unwrap();
    for found in dir.partitions().unwrap() {
        let recovery = dir.recovery(&found.topic_partition);
        assert!(recovery.clean);
        assert_eq!(recovery.recovery_point, Offset(30));
        let log = dir.open_log(&found, None, Arc::new(small_config()), now(0)).unwrap();
        let ends = log.ends();
        assert_eq!((ends.log_start, ends.log_end, ends.high_watermark), (Offset(3), Offset(30), Offset(30)));
    }
    disk.crash(Crash::LoseUnsynced);
    drop(dir);
    let dir = LogDir::open(disk.shared(), DATA).unwrap();
    assert_eq!(dir.clean_shutdown(), None, "the mark was gone for good before a log was opened");
}

#[test]
fn its_name_survives_whatever_failed_while_it_was_made() {
    let path = "/srv/kafka/data";
    let operations = {
        let disk = MemoryDisk::new();
        drop(LogDir::open(disk.shared(), path).unwrap());
        disk.operations()
    };
    assert!(operations > 5, "{operations} operations");
    for at in 0..operations {
        let disk = MemoryDisk::new();
        disk.plan(Fault::Once { at, error: io::ErrorKind::Other });
        let first = LogDir::open(disk.shared(), path);
        assert!(first.is_err(), "operation {at} failed, and nobody was told");
        let mut dir = LogDir::open(disk.shared(), path).unwrap();
        dir.format(MetaProperties::new("c", NodeId(1), DirectoryId::LOST)).unwrap();
        drop(dir);
        disk.crash(Crash::LoseUnsynced);
        let dir = LogDir::open(disk.shared(), path).unwrap();
        assert!(dir.meta().is_some(), "operation {at} failed, and the directory was gone after a crash");
    }
}

#[test]
fn its_directories_are_partitions() {
    let disk = disk();
    let dir = LogDir::open(disk.shared(), DATA).unwrap();
    let unique = "0123456789abcdef0123456789abcdef";
    let names = [
        "__cluster_metadata-0",
        "remote-log-index-cache",
        "t-1",
        &format!("u-2.{unique}-delete"),
        &format!("v-3.{unique}-stray"),
    ];
    for name in names {
        disk.create_dir_all(&Path::new(DATA).join(name)).unwrap();
    }
    let found: Vec<_> = dir
        .partitions()
        .unwrap()
        .into_iter()
        .map(|found| (found.topic_partition.to_string(), found.kind))
        .collect();
    let expect = [("t-1", DirKind::Current), ("u-2", DirKind::Deleted), ("v-3", DirKind::Stray)];
    assert_eq!(found, expect.map(|(name, kind)| (name.to_owned(), kind)));
    dir.remove(&Path::new(DATA).join("t-1")).unwrap();
    disk.create_dir_all(&Path::new(DATA).join("holiday photos")).unwrap();
    assert!(matches!(dir.partitions(), Err(Error::Refused { .. })));
}

#[test]
fn a_damaged_checkpoint_counts_as_none() {
    let disk = disk();
    for name in [
        crate::checkpoint::RECOVERY_POINTS,
        crate::checkpoint::LOG_STARTS,
        crate::checkpoint::HIGH_WATERMARKS,
    ] {
        disk.set_content(&Path::new(DATA).join(name), b"0\n1\n");
    }
    let dir = LogDir::open(disk.shared(), DATA).unwrap();
    assert_eq!(dir.recovery(&TopicPartition::new("t", 0)), CRASHED);
}

#[test]
fn only_what_was_opened_before_is_taken_over_unread() {
    let disk = disk();
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    dir.begin().unwrap();
    let mut log = create(&dir, "t");
    (0..5).for_each(|n| _ = append(&mut log, now(0), batch(&[(n, "0123456789")])).unwrap());
    let found = dir.partitions().unwrap().remove(0);
    let path = FileKind::Log.path(&found.path, Offset(0));
    drop((log, dir));
    let mut bytes = read_file(&disk, &path).unwrap().unwrap();
    let damaged_at = bytes.len() / 5 * 2 - 1;
    bytes[damaged_at] ^= 1;
    let end = |opened: bool, crash: Crash, kind: DirKind, is_link: bool| {
        let disk = disk.copy();
        let dir = LogDir::open(disk.shared(), DATA).unwrap();
        if opened {
            dir.opened().unwrap();
        }
        drop(dir);
        disk.set_content(&path, &bytes);
        [FileKind::OffsetIndex, FileKind::TimeIndex]
            .iter()
            .for_each(|kind| disk.set_content(&kind.path(&found.path, Offset(0)), b""));
        disk.sync_dir(&found.path).unwrap();
        disk.sync_dir(Path::new(DATA)).unwrap();
        disk.crash(crash);
        let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
        dir.begin().unwrap();
        let found = PartitionDir { kind, is_link, ..found.clone() };
        dir.open_log(&found, None, Arc::new(small_config()), now(0)).unwrap().ends().log_end.0
    };
    assert_eq!(end(true, Crash::KeepAll, DirKind::Current, false), 5, "only its end is looked at");
    assert_eq!(end(false, Crash::KeepAll, DirKind::Current, false), 1, "nobody opened it in this life");
    assert_eq!(end(true, Crash::LoseUnsynced, DirKind::Current, false), 1, "the machine went down");
    assert_eq!(end(true, Crash::KeepAll, DirKind::Current, true), 1, "it is elsewhere");
    assert_eq!(end(true, Crash::KeepAll, DirKind::Future, false), 1, "a start does not open it");
}
