//! A healthy directory has no finding; each planted corruption has one, in the right file.

use std::path::{Path, PathBuf};

use base::ids::{
    BrokerEpoch, DirectoryId, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, Sequence, TopicId,
};
use wire::builder::BatchBuilder;
use wire::compress::Compression;

use super::*;
use crate::append::Origin;
use crate::checkpoint::{HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use crate::config::LogConfig;
use crate::directory::TopicPartition;
use crate::disk::memory::MemoryDisk;
use crate::disk::read_file;
use crate::log::{Log, LogSpec};
use crate::log_dir::LogDir;
use crate::meta_properties::MetaProperties;
use crate::tests::{DATA, append, batch, disk, filled, now, small_config};

fn create(dir: &LogDir, name: &str, topic_id: u128) -> Log {
    let topic_partition = TopicPartition::new(name, 0);
    let spec = LogSpec {
        disk: dir.disk().clone(),
        dir: dir.path().join(topic_partition.dir_name()),
        topic_partition,
        topic_id: Some(TopicId(base::uuid::Uuid::from_u128(topic_id))),
        config: LogConfig { index_interval_bytes: 0, ..small_config() }.into(),
    };
    Log::create(spec, now(0)).unwrap()
}

/// An aborted transaction, of epoch `epoch`.
fn abort(log: &mut Log, epoch: i32, sequence: i32) {
    let producer = |builder: BatchBuilder, sequence| {
        builder.transactional(true).producer(ProducerId(1), ProducerEpoch(0), sequence)
    };
    let records = producer(BatchBuilder::new(Compression::None), Sequence(sequence));
    let mut marker = producer(BatchBuilder::new(Compression::None), Sequence::NONE).control(true);
    marker.append(2, Some(&[0; 4]), Some(&[0, 0, 0, 0, 0, 7]), &[]);
    for (bytes, origin) in
        [(filled(records, &[(1, "0123456789")]), Origin::Client), (marker.finish(), Origin::Coordinator)]
    {
        log.stage(now(0), LeaderEpoch(epoch), bytes, origin).unwrap();
    }
    log.write_staged(now(0)).unwrap();
    log.set_high_watermark(log.ends().log_end);
}

/// Two partitions of several segments, closed cleanly: `plain-0`, and `txn-0` of epochs 0 and 3.
pub(crate) fn healthy() -> MemoryDisk {
    let disk = disk();
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    dir.format(MetaProperties::new("c", NodeId(1), DirectoryId::LOST)).unwrap();
    dir.begin().unwrap();
    let mut plain = create(&dir, "plain", 1);
    for n in 0..40 {
        let other = "x".repeat(n as usize % 7);
        append(&mut plain, now(0), batch(&[(n, "0123456789"), (n + 1, &other)])).unwrap();
    }
    plain.advance_log_start(Offset(3)).unwrap();
    let mut transactional = create(&dir, "txn", 2);
    (0..20).for_each(|n| abort(&mut transactional, if n < 10 { 0 } else { 3 }, n));
    let closed: Vec<_> = [plain, transactional].into_iter().map(|log| log.close(now(0)).unwrap()).collect();
    dir.stop(&closed, BrokerEpoch(7)).unwrap();
    disk
}

pub(crate) fn report(disk: &MemoryDisk) -> Report {
    verify(disk, Path::new(DATA)).unwrap()
}

/// The files of a kind in a partition's directory, in the order of their offsets.
pub(crate) fn files(disk: &MemoryDisk, partition: &str, suffix: &str) -> Vec<PathBuf> {
    let dir = Path::new(DATA).join(partition);
    let mut found = disk.files(&dir);
    found.retain(|path| path.to_string_lossy().ends_with(suffix));
    found.sort();
    found
}

fn change(disk: &MemoryDisk, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = read_file(disk, path).unwrap().unwrap();
    change(&mut bytes);
    disk.set_content(path, &bytes);
}

#[test]
fn a_healthy_directory_has_no_finding() {
    let report = report(&healthy());
    assert_eq!(report.findings, []);
    assert_eq!((report.partitions, report.batches, report.records), (2, 80, 120));
    assert!(report.segments > 6, "{} segments", report.segments);
}

#[test]
fn what_a_crash_leaves_is_not_wrong() {
    let check = |leave: &dyn Fn(&MemoryDisk), expect: &str| {
        let disk = healthy();
        disk.remove_file(&Path::new(DATA).join(".kafka_cleanshutdown")).unwrap();
        leave(&disk);
        let report = report(&disk);
        assert_eq!(report.wrong().count(), 0, "{:?}", report.findings);
        let told = report.findings.iter().any(|finding| finding.what.contains(expect));
        assert!(told || expect.is_empty(), "{expect}: {:?}", report.findings);
    };
    let last = |disk: &MemoryDisk, suffix: &str| files(disk, "plain-0", suffix).pop().unwrap();
    check(&|_| {}, "");
    check(&|disk| change(disk, &last(disk, ".log"), |bytes| bytes.truncate(bytes.len() - 5)), "bytes, ");
    check(&|disk| change(disk, &last(disk, ".log"), |bytes| bytes.extend([0; 3000])), "");
    check(&|disk| change(disk, &last(disk, ".index"), |bytes| bytes.extend([0; 800])), "zeros");
    check(&|disk| disk.remove_file(&last(disk, ".timeindex")).unwrap(), "is missing");
    check(
        &|disk| disk.set_content(&last(disk, ".log").with_extension("log.deleted"), b""),
        "left of a removal",
    );
    let renamed = |disk: &MemoryDisk| {
        let log = files(disk, "plain-0", ".log").remove(0);
        disk.rename(&log, &log.with_extension("log.deleted")).unwrap();
    };
    check(&renamed, "has no segment");
    check(&|disk| disk.create_dir_all(&Path::new(DATA).join("made-0")).unwrap(), "has no segment");
    let epochs = Path::new(DATA).join("txn-0/leader-epoch-checkpoint");
    check(&|disk| disk.set_content(&epochs, b"0\n2\n0 5\n3 20\n"), "as if records before it were deleted");
}

/// Where a corruption is planted.
#[derive(Debug)]
pub(crate) enum At {
    /// In the directory itself.
    Root(&'static str),
    /// In a partition, the n-th file with this end of its name.
    File(&'static str, &'static str, usize),
}

/// What is done to a file.
#[derive(Debug)]
pub(crate) enum Do {
    Flip(usize),
    Set(usize, &'static [u8]),
    Cut(usize),
    Zero(usize, usize),
    Extend(&'static [u8]),
    Text(&'static str),
    Remove,
    /// Takes the place of the next file of its kind, and that one its place.
    Swap,
    /// A copy of the file before it of its kind.
    Copy,
}

pub(crate) fn plant(disk: &MemoryDisk, at: &At, action: &Do) -> PathBuf {
    let path = match at {
        At::Root(name) => Path::new(DATA).join(name),
        At::File(partition, suffix, n) => files(disk, partition, suffix)[*n].clone(),
    };
    let neighbour = |step: isize| match at {
        At::File(partition, suffix, n) => files(disk, partition, suffix)[n.strict_add_signed(step)].clone(),
        At::Root(_) => unreachable!("only partitions have several of a kind"),
    };
    let content = |path: &Path| read_file(disk, path).unwrap().unwrap();
    match action {
        Do::Flip(at) => change(disk, &path, |bytes| bytes[*at] ^= 0x10),
        Do::Set(at, with) => change(disk, &path, |bytes| bytes[*at..*at + with.len()].copy_from_slice(with)),
        Do::Cut(by) => change(disk, &path, |bytes| bytes.truncate(bytes.len() - by)),
        Do::Zero(at, count) => change(disk, &path, |bytes| bytes[*at..at + count].fill(0)),
        Do::Extend(with) => change(disk, &path, |bytes| bytes.extend_from_slice(with)),
        Do::Text(text) => disk.set_content(&path, text.as_bytes()),
        Do::Remove => disk.remove_file(&path).unwrap(),
        Do::Copy => disk.set_content(&path, &content(&neighbour(-1))),
        Do::Swap => {
            let (mine, other) = (content(&path), content(&neighbour(1)));
            disk.set_content(&path, &other);
            disk.set_content(&neighbour(1), &mine);
        }
    }
    path
}

/// What is planted one at a time.
pub(crate) fn corruptions() -> Vec<(At, Do)> {
    let mut all = Vec::new();
    let mut plant = |at, action| all.push((at, action));
    let log = |n| At::File("plain-0", ".log", n);
    // Each part of a batch's header, its records, and the places between batches.
    for byte in [0, 7, 8, 11, 12, 15, 16, 17, 20, 22, 23, 26, 28, 35, 42, 50, 52, 56, 60, 61, 65, 80, 90] {
        plant(log(1), Do::Flip(byte));
    }
    plant(log(0), Do::Cut(1));
    plant(log(1), Do::Cut(95));
    plant(log(2), Do::Zero(0, 61));
    plant(log(1), Do::Zero(200, 300));
    plant(log(1), Do::Extend(b"more"));
    plant(
        log(3),
        Do::Extend(b"more than a header's length, at the end of a log that was closed cleanly, is wrong"),
    );
    plant(log(1), Do::Remove);
    plant(log(1), Do::Swap);
    plant(log(1), Do::Copy);
    for kind in [".index", ".timeindex"] {
        let index = |n| At::File("plain-0", kind, n);
        plant(index(1), Do::Flip(3));
        plant(index(1), Do::Flip(7));
        plant(index(1), Do::Cut(1));
        plant(index(1), Do::Zero(8, 8));
        plant(index(1), Do::Extend(&[0x7f; 24]));
        plant(index(1), Do::Remove);
        plant(index(1), Do::Swap);
        plant(index(2), Do::Copy);
    }
    let aborted = |n| At::File("txn-0", ".txnindex", n);
    plant(aborted(0), Do::Flip(1));
    plant(aborted(0), Do::Set(10, &[0x7f]));
    plant(aborted(0), Do::Set(18, &[0x7f]));
    plant(aborted(0), Do::Cut(7));
    plant(aborted(0), Do::Swap);
    let snapshot = |n| At::File("txn-0", ".snapshot", n);
    plant(snapshot(0), Do::Flip(1));
    plant(snapshot(0), Do::Flip(30));
    plant(snapshot(0), Do::Cut(10));
    plant(snapshot(0), Do::Swap);
    let epochs = || At::File("txn-0", "leader-epoch-checkpoint", 0);
    plant(epochs(), Do::Text("0\n2\n0 0\n3 21\n"));
    plant(epochs(), Do::Text("0\n2\n3 0\n0 20\n"));
    plant(epochs(), Do::Text("0\n3\n0 0\n3 20\n"));
    plant(epochs(), Do::Text("0\n3\n0 0\n3 20\n4 1000\n"));
    plant(epochs(), Do::Text("not a checkpoint"));
    plant(epochs(), Do::Remove);
    let metadata = || At::File("txn-0", "partition.metadata", 0);
    plant(metadata(), Do::Text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"));
    plant(metadata(), Do::Text(""));
    plant(metadata(), Do::Remove);
    for name in [RECOVERY_POINTS, HIGH_WATERMARKS, LOG_STARTS] {
        plant(At::Root(name), Do::Text("0\n1\nplain 0 1000\n"));
        plant(At::Root(name), Do::Text("0\n1\nplain 0 -7\n"));
        plant(At::Root(name), Do::Text("0\n2\nplain 0 7\n"));
    }
    plant(At::Root("meta.properties"), Do::Text("version=7\n"));
    plant(At::Root("meta.properties"), Do::Text("version=1\nnode.id=x\n"));
    plant(At::Root("meta.properties"), Do::Text("version=1\ncluster.id=c\n"));
    plant(At::Root("meta.properties"), Do::Remove);
    all
}

#[test]
fn every_planted_corruption_is_found() {
    let planted = corruptions();
    let mut missed = Vec::new();
    for (at, action) in &planted {
        let disk = healthy();
        let path = plant(&disk, at, action);
        if report(&disk).wrong().count() == 0 {
            missed.push(format!("{at:?} {action:?}: {}", path.display()));
        }
    }
    assert_eq!(missed, Vec::<String>::new());
    assert!(planted.len() >= 75, "{}", planted.len());
}

#[test]
fn directories_that_are_not_partitions_are_told() {
    let disk = healthy();
    disk.create_dir_all(&Path::new(DATA).join("photos")).unwrap();
    disk.create_dir_all(&Path::new(DATA).join("empty-0")).unwrap();
    let told: Vec<_> = report(&disk).wrong().map(|finding| finding.path.clone()).collect();
    assert_eq!(told, ["empty-0", "photos"].map(|name| Path::new(DATA).join(name)));
}
