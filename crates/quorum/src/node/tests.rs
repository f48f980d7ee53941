//! A voter that is alone: what it writes, when it leads, what it takes for committed.

use base::ids::{DirectoryId, LeaderEpoch, NodeId, Offset};
use base::time::{MonoTime, Now, WallTime};
use base::uuid::Uuid;
use wire::batch::Batch;

use super::{Effect, Loaded, Quorum, Settings};
use crate::state_file::StateFile;
use crate::voters::{Endpoint, ReplicaKey, Voter, VoterHistory, VoterSet};

const NOW: Now = Now { wall: WallTime(1_000), mono: MonoTime(0) };

fn voter(id: i32, port: u16) -> Voter {
    Voter {
        key: ReplicaKey::new(NodeId(id), DirectoryId(Uuid::from_u128(0xd00 + id as u128))),
        endpoints: vec![Endpoint { name: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port }],
        kraft_versions: (0, 1),
    }
}

fn formatted(voters: &[Voter]) -> VoterHistory {
    let mut history = VoterHistory::default();
    history.set_kraft_version(Offset(-1), 1);
    history.set_voters(Offset(-1), voters.iter().cloned().collect());
    history
}

fn open(history: VoterHistory, state: Option<StateFile>, log_end: i64, last_epoch: i32) -> Quorum {
    let loaded = Loaded { state, history, log_end: Offset(log_end), last_epoch: LeaderEpoch(last_epoch) };
    Quorum::open(Settings { local: voter(1, 9093) }, loaded).expect("the only voter")
}

/// One line per effect.
fn start(quorum: &mut Quorum) -> Vec<String> {
    let mut effects = Vec::new();
    quorum.start(NOW, &mut effects);
    effects.iter().map(describe).collect()
}

fn describe(effect: &Effect) -> String {
    match effect {
        Effect::WriteState(text) => text.replace('"', ""),
        Effect::Append { base, end, batch } => {
            let batch = Batch::parse(batch).expect("a whole batch");
            assert!(batch.is_crc_valid() && batch.attributes().is_control());
            assert_eq!((batch.base_offset(), batch.next_offset()), (*base, *end));
            format!("append {base}..{end} epoch {}", batch.partition_leader_epoch())
        }
        Effect::Elected(epoch) => format!("elected {epoch}"),
        Effect::HighWatermark(offset) => format!("high watermark {offset}"),
    }
}

fn durable(quorum: &mut Quorum, end: i64) -> Vec<String> {
    let mut effects = Vec::new();
    quorum.durable(Offset(end), &mut effects);
    effects.iter().map(describe).collect()
}

#[test]
fn the_first_start_bumps_the_epoch_and_writes_the_voters() {
    let mut quorum = open(formatted(&[voter(1, 9093)]), None, 0, 0);
    let directory = voter(1, 9093).key.directory;
    assert_eq!(
        start(&mut quorum),
        [
            format!("{{leaderId:-1,leaderEpoch:1,votedId:1,votedDirectoryId:{directory},data_version:1}}"),
            "{leaderId:1,leaderEpoch:1,votedId:-1,votedDirectoryId:AAAAAAAAAAAAAAAAAAAAAA,data_version:1}"
                .to_owned(),
            "append 0..3 epoch 1".to_owned(),
            "elected 1".to_owned(),
        ]
    );
    assert_eq!(quorum.leader(), Some(NodeId(1)));
    assert_eq!(quorum.history().voters_offset(), Some(Offset(2)));
}

#[test]
fn nothing_is_committed_before_it_is_durable() {
    let mut quorum = open(formatted(&[voter(1, 9093)]), None, 0, 0);
    start(&mut quorum);
    quorum.appended(Offset(10));
    assert_eq!(quorum.high_watermark(), None);
    assert!(durable(&mut quorum, 0).is_empty(), "the epoch's first record is not durable yet");
    assert_eq!(durable(&mut quorum, 3), ["high watermark 3"]);
    assert_eq!(durable(&mut quorum, 10), ["high watermark 10"]);
    assert!(durable(&mut quorum, 10).is_empty());
    assert!(durable(&mut quorum, 5).is_empty(), "a high watermark never falls");
    assert_eq!(quorum.high_watermark(), Some(Offset(10)));
}

#[test]
fn a_later_start_writes_the_voters_only_when_they_changed() {
    let mut history = formatted(&[voter(1, 9093)]);
    history.set_voters(Offset(2), [voter(1, 9093)].into_iter().collect());
    let state = StateFile { leader_epoch: LeaderEpoch(4), leader_id: Some(NodeId(1)), voted: None };
    let mut same = open(history.clone(), Some(state), 45, 4);
    assert_eq!(start(&mut same)[2..], ["append 45..46 epoch 5", "elected 5"]);
    assert!(durable(&mut same, 45).is_empty(), "old epochs commit nothing by themselves");
    assert_eq!(durable(&mut same, 46), ["high watermark 46"]);

    history.set_voters(Offset(20), [voter(1, 1111)].into_iter().collect());
    let mut moved = open(history, Some(state), 45, 4);
    assert_eq!(start(&mut moved)[2..], ["append 45..48 epoch 5", "elected 5"]);
    assert_eq!(moved.history().voters().get(NodeId(1)), Some(&voter(1, 9093)));
}

#[test]
fn a_log_that_is_ahead_of_the_state_file_decides_the_epoch() {
    let state = StateFile { leader_epoch: LeaderEpoch(2), leader_id: Some(NodeId(1)), voted: None };
    assert_eq!(start(&mut open(formatted(&[voter(1, 9093)]), Some(state), 5, 7))[2], "append 5..8 epoch 8");
    assert_eq!(start(&mut open(formatted(&[voter(1, 9093)]), Some(state), 5, 1))[2], "append 5..8 epoch 3");
}

#[test]
fn static_voters_leave_no_trace_in_the_log() {
    let configured: VoterSet =
        [Voter { key: ReplicaKey::new(NodeId(1), DirectoryId::MIGRATING), ..voter(1, 9093) }]
            .into_iter()
            .collect();
    let mut quorum = open(VoterHistory::new(configured), None, 0, 0);
    let effects = start(&mut quorum);
    assert_eq!(
        effects[1],
        "{clusterId:,leaderId:1,leaderEpoch:1,votedId:-1,appliedOffset:0,currentVoters:[{voterId:1}],data_version:0}"
    );
    assert_eq!(effects[2], "append 0..1 epoch 1");
}

#[test]
fn a_quorum_that_is_not_this_voter_alone_is_refused() {
    let check = |voters: &[Voter], expect: &str| {
        let loaded = Loaded {
            state: None,
            history: formatted(voters),
            log_end: Offset::ZERO,
            last_epoch: LeaderEpoch(0),
        };
        let error = Quorum::open(Settings { local: voter(1, 9093) }, loaded).err().expect("refused");
        assert!(error.to_string().contains(expect), "{error}");
    };
    check(&[], "has no voter");
    check(&[voter(2, 9093)], "node 1 is no voter");
    check(&[voter(1, 9093), voter(2, 9093)], "has 2 voters");
    let other = Voter { key: ReplicaKey::new(NodeId(1), DirectoryId(Uuid::from_u128(7))), ..voter(1, 9093) };
    check(&[other], "knows its voter 1 with the directory");
}
