use super::*;

fn partition(index: i32) -> FetchPartition {
    FetchPartition {
        key: key(index),
        fetch_offset: Offset(7),
        current_leader_epoch: LeaderEpoch::NONE,
        last_fetched_epoch: LeaderEpoch::NONE,
        log_start_offset: Offset::NONE,
        max_bytes: 1024,
    }
}

fn key(index: i32) -> PartitionKey {
    PartitionKey { topic: TopicKey::Name("t".into()), index: PartitionIndex(index) }
}

fn request(id: i32, epoch: i32, partitions: &[i32]) -> SessionRequest {
    SessionRequest {
        id,
        epoch,
        by_id: false,
        partitions: partitions.iter().copied().map(partition).collect(),
        forgotten: Vec::new(),
        privileged: false,
    }
}

fn outcome(high_watermark: i64, records: bool) -> Outcome {
    Outcome {
        error: ErrorCode::NONE,
        high_watermark: Offset(high_watermark),
        log_start_offset: Offset(0),
        must_be_told: records,
    }
}

fn order(fetch: &OpenFetch) -> Vec<i32> {
    fetch.partitions.iter().map(|partition| partition.key.index.0).collect()
}

const AT: MonoTime = MonoTime(0);

#[test]
fn a_session_tells_only_news() {
    let mut sessions = FetchSessions::new(10);
    let full = sessions.open(request(0, 0, &[0, 1, 2]), AT, || 42).unwrap();
    assert_eq!((full.session_id, full.incremental), (42, false));
    let same = [outcome(5, false); 3];
    assert_eq!(sessions.answer(&full, &same), [true; 3], "a full fetch is answered in full");

    let next = sessions.open(request(42, 1, &[]), AT, || 0).unwrap();
    assert!(next.incremental);
    assert_eq!(order(&next), [0, 1, 2]);
    let told = sessions.answer(&next, &[outcome(5, false), outcome(6, false), outcome(5, true)]);
    assert_eq!(told, [false, true, true]);

    let next = sessions.open(request(42, 2, &[]), AT, || 0).unwrap();
    assert_eq!(order(&next), [0, 1, 2], "2 had data and was last already");
    let mut failed = outcome(5, false);
    failed.error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    assert_eq!(sessions.answer(&next, &[failed, outcome(6, false), outcome(5, false)]), [true, false, false]);

    let next = sessions.open(request(42, 3, &[]), AT, || 0).unwrap();
    let told = sessions.answer(&next, &[outcome(5, false), outcome(6, false), outcome(5, false)]);
    assert_eq!(told, [true, false, false], "recovery from an error is news");
}

#[test]
fn a_partition_with_data_moves_to_the_end() {
    let mut sessions = FetchSessions::new(10);
    let full = sessions.open(request(0, 0, &[0, 1, 2]), AT, || 1).unwrap();
    sessions.answer(&full, &[outcome(5, true), outcome(5, false), outcome(5, false)]);
    assert_eq!(order(&sessions.open(request(1, 1, &[]), AT, || 0).unwrap()), [1, 2, 0]);
}

#[test]
fn partitions_are_added_and_forgotten() {
    let mut sessions = FetchSessions::new(10);
    sessions.open(request(0, 0, &[0, 1]), AT, || 1).unwrap();
    let mut change = request(1, 1, &[5]);
    change.forgotten = vec![key(0)];
    assert_eq!(order(&sessions.open(change, AT, || 0).unwrap()), [1, 5]);
    let mut last = request(1, 2, &[]);
    last.forgotten = vec![key(1), key(5)];
    let empty = sessions.open(last, AT, || 0).unwrap();
    assert_eq!(empty.session_id, 0);
    assert!(sessions.is_empty(), "a session without partitions is closed");
}

#[test]
fn wrong_sessions_are_refused() {
    let mut sessions = FetchSessions::new(10);
    sessions.open(request(0, 0, &[0]), AT, || 9).unwrap();
    let mut check = |request, expect| {
        assert_eq!(sessions.open(request, AT, || 0).map(|fetch| fetch.session_id), expect);
    };
    check(request(8, 1, &[]), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    check(request(9, 2, &[]), Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
    check(SessionRequest { by_id: true, ..request(9, 1, &[]) }, Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR));
    check(request(9, 1, &[]), Ok(9));
    check(request(9, -1, &[0]), Ok(0));
    check(request(9, 2, &[]), Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
}

#[test]
fn a_full_cache_evicts_the_stale_and_the_smaller() {
    let mut sessions = FetchSessions::new(1);
    sessions.open(request(0, 0, &[0]), AT, || 1).unwrap();
    let open = |sessions: &mut FetchSessions, ms, partitions: &[i32], id| {
        let now = AT.plus_ms(ms);
        sessions.open(request(0, 0, partitions), now, || id).unwrap().session_id
    };
    assert_eq!(open(&mut sessions, 1, &[0, 1], 2), 0, "young sessions stay");
    assert_eq!(open(&mut sessions, EVICTION_MS + 1, &[0, 1], 3), 3, "stale ones go");
    sessions.open(request(3, 1, &[]), AT.plus_ms(2 * EVICTION_MS), || 0).unwrap();
    assert_eq!(open(&mut sessions, 2 * EVICTION_MS + 9, &[0, 1], 4), 0, "as large and in use");
    assert_eq!(open(&mut sessions, 2 * EVICTION_MS + 9, &[0, 1, 2], 5), 5, "larger than an old one");
}
