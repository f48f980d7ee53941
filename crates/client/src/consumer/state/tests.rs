use super::super::chunk::end_of;
use super::super::options::IsolationLevel;
use super::*;
use base::ids::{ProducerEpoch, ProducerId, Sequence};
use bytes::{Bytes, BytesMut};
use wire::builder::BatchBuilder;
use wire::compress::Compression;

/// One batch: its base offset, its values, and what else it is.
fn batch(base: i64, values: &[&str], change: impl FnOnce(BatchBuilder) -> BatchBuilder) -> Bytes {
    let mut builder = change(BatchBuilder::new(Compression::None).base_offset(Offset(base)));
    for value in values {
        builder.append(0, None, Some(value.as_bytes()), &[]);
    }
    builder.finish()
}

fn plain(base: i64, values: &[&str]) -> Bytes {
    batch(base, values, |builder| builder)
}

fn transactional(base: i64, producer: i64, values: &[&str]) -> Bytes {
    batch(base, values, |builder| {
        builder.transactional(true).producer(ProducerId(producer), ProducerEpoch(0), Sequence(0))
    })
}

fn marker(base: i64, producer: i64) -> Bytes {
    batch(base, &["marker"], |builder| {
        builder.control(true).transactional(true).producer(
            ProducerId(producer),
            ProducerEpoch(0),
            Sequence::NONE,
        )
    })
}

fn join(batches: &[Bytes]) -> Bytes {
    let mut all = BytesMut::new();
    batches.iter().for_each(|batch| all.extend_from_slice(batch));
    all.freeze()
}

/// A state with one partition per row: where it is read, and what came.
fn state(rows: &[(i64, Bytes)], isolation: IsolationLevel, aborted: &[(i64, i64)]) -> State {
    let mut state = State::default();
    let partition = |n: usize| TopicPartition::new("t", n as i32);
    state.assign((0..rows.len()).map(partition).collect(), Position::Missing);
    for (n, (position, bytes)) in rows.iter().enumerate() {
        state.seek(&partition(n), Position::At(Offset(*position))).unwrap();
        let end = end_of(bytes).unwrap().unwrap();
        let aborted = aborted.iter().map(|(id, first)| (ProducerId(*id), Offset(*first))).collect();
        let chunk = Chunk::new(bytes.slice(..end.length), aborted, isolation, true);
        state.assigned(&partition(n)).unwrap().push(chunk, end);
    }
    state
}

/// `partition@offset=value` of all records.
fn take(state: &mut State, most: usize) -> Vec<String> {
    let records = state.take(most).unwrap();
    let text = |record: ConsumerRecord| {
        let value = record.value.unwrap();
        format!("{}@{}={}", record.partition, record.offset, std::str::from_utf8(&value).unwrap())
    };
    records.into_iter().map(text).collect()
}

#[test]
fn reading_starts_at_the_position_and_ends_before_a_torn_batch() {
    let torn = join(&[plain(5, &["a", "b", "c"]), plain(8, &["d"]), plain(9, &["e"]).slice(..40)]);
    let mut state = state(&[(6, torn)], IsolationLevel::ReadUncommitted, &[]);
    assert_eq!(take(&mut state, 10), ["0@6=b", "0@7=c", "0@8=d"]);
    assert_eq!(state.assigned(&TopicPartition::new("t", 0)).unwrap().position, Position::At(Offset(9)));
    assert_eq!(take(&mut state, 10), [] as [&str; 0]);
}

#[test]
fn no_partition_starves() {
    let rows = [(0, plain(0, &["a", "b", "c"])), (0, plain(0, &["x"])), (0, plain(0, &["y"]))];
    let mut state = state(&rows, IsolationLevel::ReadUncommitted, &[]);
    assert_eq!(take(&mut state, 2), ["0@0=a", "0@1=b"]);
    assert_eq!(take(&mut state, 2), ["1@0=x", "2@0=y"]);
    assert_eq!(take(&mut state, 2), ["0@2=c"]);
}

#[test]
fn aborted_transactions_are_seen_only_when_uncommitted() {
    let log = join(&[
        transactional(0, 1, &["aborted"]),
        transactional(1, 2, &["committed"]),
        plain(2, &["plain"]),
        marker(3, 1),
        transactional(4, 1, &["later"]),
        marker(5, 2),
        marker(6, 1),
    ]);
    let check = |isolation, aborted: &[(i64, i64)], expect: &[&str]| {
        let mut state = state(&[(0, log.clone())], isolation, aborted);
        assert_eq!(take(&mut state, 10), expect);
        assert_eq!(state.assigned(&TopicPartition::new("t", 0)).unwrap().position, Position::At(Offset(7)));
    };
    let all = ["0@0=aborted", "0@1=committed", "0@2=plain", "0@4=later"];
    check(IsolationLevel::ReadUncommitted, &[], &all);
    check(IsolationLevel::ReadCommitted, &[(1, 0)], &all[1..]);
    check(IsolationLevel::ReadCommitted, &[], &all);
}

#[test]
fn a_broken_batch_is_an_error_after_what_stands_before_it() {
    let mut bytes = BytesMut::from(&join(&[plain(0, &["a"]), plain(1, &["b"])])[..]);
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    let mut state = state(&[(0, bytes.freeze())], IsolationLevel::ReadUncommitted, &[]);
    assert_eq!(take(&mut state, 10), ["0@0=a"]);
    assert!(matches!(state.take(10), Err(Error::Corrupt(_))));
    state.seek(&TopicPartition::new("t", 0), Position::At(Offset(2))).unwrap();
    assert_eq!(take(&mut state, 10), [] as [&str; 0]);
}

#[test]
fn a_seek_drops_what_was_fetched_ahead() {
    let mut state = state(&[(0, plain(0, &["a", "b"]))], IsolationLevel::ReadUncommitted, &[]);
    let partition = TopicPartition::new("t", 0);
    let before = state.assigned(&partition).unwrap().version;
    assert_eq!(take(&mut state, 1), ["0@0=a"]);
    state.seek(&partition, Position::At(Offset(7))).unwrap();
    assert_eq!(take(&mut state, 1), [] as [&str; 0]);
    let assigned = state.assigned(&partition).unwrap();
    assert!(assigned.version != before && assigned.fetch_offset == Offset(7));
}

#[test]
fn partitions_that_stay_assigned_keep_their_positions() {
    let mut state = state(&[(3, plain(3, &["a"]))], IsolationLevel::ReadUncommitted, &[]);
    let both = vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    state.assign(both, Position::Unresolved(OffsetSpec::Latest));
    assert_eq!(take(&mut state, 10), ["0@3=a"]);
    assert!(matches!(state.partitions.values().nth(1).unwrap().position, Position::Unresolved(_)));
    state.assign(Vec::new(), Position::Missing);
    assert!(state.assigned(&TopicPartition::new("t", 0)).is_err());
}
