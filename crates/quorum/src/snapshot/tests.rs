//! Snapshots against those that Apache Kafka 4.3.0 wrote:
//! `FORMAT_ARGS=--standalone oracle/apache-kafka node DIR 1 19393 broker,controller bootstrap:127.0.0.1:20393` left
//! `0…0-0…0.checkpoint` (here `voters-4.3.0.checkpoint`) and `bootstrap.checkpoint`.

use base::ids::{DirectoryId, LeaderEpoch, NodeId, Offset};
use base::time::WallTime;
use bytes::Bytes;
use wire::batch::Batches;

use super::{Snapshot, SnapshotId, SnapshotWriter};
use crate::voters::{Endpoint, ReplicaKey, Voter, VoterSet};

const VOTERS: &[u8] = include_bytes!("../../testdata/voters-4.3.0.checkpoint");
const BOOTSTRAP: &[u8] = include_bytes!("../../testdata/bootstrap-4.3.0.checkpoint");

fn voters() -> VoterSet {
    let endpoint = Endpoint { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: 20393 };
    let directory = DirectoryId("ajd3gW7sRee-VMFoWmeyWQ".parse().expect("an id"));
    let key = ReplicaKey::new(NodeId(1), directory);
    [Voter { key, endpoints: vec![endpoint], kraft_versions: (0, 1) }].into_iter().collect()
}

/// The times of the batches, which differ from run to run, and everything else.
fn without_times(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    let sizes: Vec<_> = Batches::new(&bytes.clone()).map(|batch| batch.expect("a batch").size()).collect();
    for size in sizes {
        bytes[at + 17..at + 21].fill(0); // checksum
        bytes[at + 27..at + 43].fill(0); // base and max timestamp
        at += size;
    }
    bytes
}

#[test]
fn voters_are_written_as_kafka_storage_writes_them() {
    let theirs = Snapshot::read(Bytes::from_static(VOTERS)).expect("whole");
    assert_eq!(theirs.voters, Some(voters()));
    assert_eq!(theirs.kraft_version, 1);
    assert!(theirs.records.is_empty());
    let time = theirs.last_contained_log_timestamp;
    let ours = SnapshotWriter::new(LeaderEpoch(0), WallTime(1), time, Some((1, &voters()))).finish();
    assert_eq!(without_times(ours), without_times(VOTERS.to_vec()));
}

#[test]
fn records_are_written_as_kafka_storage_writes_them() {
    let theirs = Snapshot::read(Bytes::from_static(BOOTSTRAP)).expect("whole");
    assert_eq!((theirs.kraft_version, &theirs.voters), (0, &None));
    assert_eq!(theirs.last_contained_log_timestamp, WallTime(0));
    assert_eq!(theirs.records.len(), 6);
    let mut ours = SnapshotWriter::new(LeaderEpoch(0), WallTime(1), WallTime(0), None);
    theirs.records.iter().for_each(|record| ours.append(record));
    let (ours, theirs) = (without_times(ours.finish()), without_times(BOOTSTRAP.to_vec()));
    assert_eq!(ours, theirs);
}

#[test]
fn a_snapshot_without_its_end_is_no_snapshot() {
    let check = |bytes: Vec<u8>, expect: &str| {
        let error = Snapshot::read(bytes.into()).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error}");
    };
    let footer = BOOTSTRAP.len() - 75;
    check(Vec::new(), "no header");
    check(BOOTSTRAP[..footer].to_vec(), "no footer");
    check(BOOTSTRAP[..BOOTSTRAP.len() - 1].to_vec(), "ends early");
    check(BOOTSTRAP[83..].to_vec(), "begin with a header");
    check([BOOTSTRAP, BOOTSTRAP].concat(), "follows the footer");
    let mut damaged = BOOTSTRAP.to_vec();
    damaged[150] ^= 1;
    check(damaged, "wrong checksum");
}

#[test]
fn large_snapshots_have_several_batches() {
    let mut writer = SnapshotWriter::new(LeaderEpoch(3), WallTime(9), WallTime(8), None);
    let record = vec![7; 3 * 1024 * 1024];
    (0..5).for_each(|_| writer.append(&record));
    let bytes = writer.finish();
    let batches: Vec<_> = Batches::new(&bytes).map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.len(), 5, "header, 2 + 2 + 1 records, footer");
    assert_eq!(batches[4].base_offset(), Offset(6));
    assert_eq!(Snapshot::read(bytes.into()).expect("whole").records.len(), 5);
}

#[test]
fn names_are_offset_and_epoch() {
    let check = |name: &str, expect: Option<(i64, i32)>| {
        let expect = expect
            .map(|(offset, epoch)| SnapshotId { end_offset: Offset(offset), epoch: LeaderEpoch(epoch) });
        assert_eq!(SnapshotId::parse(name), expect, "{name}");
        if let Some(id) = expect {
            assert_eq!(id.file_name(), name);
            assert_eq!(id.part_name(), format!("{name}.part"));
        }
    };
    check("00000000000000000064-0000000002.checkpoint", Some((64, 2)));
    check("00000000000000000000-0000000000.checkpoint", Some((0, 0)));
    check("00000000000000000064-0000000002.checkpoint.part", None);
    check("00000000000000000064-0000000002.checkpoint.deleted", None);
    check("bootstrap.checkpoint", None);
    check("64-2.checkpoint", None);
    check("99999999999999999999-0000000002.checkpoint", None);
}
