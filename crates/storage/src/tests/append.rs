//! Appending: offsets, stamps, producers, rolls.

use base::error_code::ErrorCode;
use wire::batch::{Batch, TimestampType};

use super::*;

#[test]
fn offsets_follow_one_another() {
    let mut log = Log::create(spec(disk().shared(), small_config()), now(0)).unwrap();
    for n in 0..50i64 {
        let appended = append(&mut log, now(n), batch(&[(n, "a"), (n, "b"), (n, "c")])).unwrap();
        assert_eq!((appended.first_offset, appended.last_offset), (Offset(3 * n), Offset(3 * n + 2)));
        assert_eq!((appended.duplicate, appended.log_append_time), (false, None));
    }
    let reader = log.reader();
    assert_eq!(reader.ends().log_end, Offset(150));
    assert!(reader.segment_count() > 3);
    for max_bytes in [1, 100, 300, 5000] {
        let records = read_all(&reader, max_bytes);
        assert_eq!(records.len(), 150, "{max_bytes}");
        assert!(records.iter().enumerate().all(|(n, (offset, _))| *offset == n as i64));
    }
}

#[test]
fn staged_batches_are_written_and_become_visible_together() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), LogConfig::default()), now(0)).unwrap();
    for round in 0..3 {
        let before = disk.operations();
        for n in 0..20 {
            log.stage(now(0), LeaderEpoch(7), batch(&[(n, "x")]), Origin::Client).unwrap();
            assert_eq!(log.reader().ends().log_end, Offset(20 * round));
        }
        assert_eq!(disk.operations(), before, "staging asks the disk for nothing");
        log.write_staged(now(0)).unwrap();
        assert_eq!(log.reader().ends().log_end, Offset(20 * round + 20));
        // The first write also writes the epoch down.
        assert!(round == 0 || disk.operations() == before + 1, "one system call for all");
    }
    assert_eq!(log.reader().latest_epoch(), Some(LeaderEpoch(7)));
    let piece = log.reader().read(Offset(3), Offset(20), 1 << 20, true).unwrap().records.unwrap();
    let bytes = piece.to_bytes().unwrap();
    let first = Batch::parse(&bytes).unwrap();
    assert_eq!((first.base_offset(), first.partition_leader_epoch()), (Offset(3), LeaderEpoch(7)));
}

#[test]
fn log_append_time_replaces_the_producers() {
    let config = LogConfig { message_timestamp_type: TimestampType::LogAppendTime, ..LogConfig::default() };
    let mut log = Log::create(spec(disk().shared(), config), now(0)).unwrap();
    let appended = append(&mut log, now(5000), batch(&[(1, "x")])).unwrap();
    assert_eq!(appended.log_append_time, Some(WallTime(5000)));
    let piece = log.reader().read(Offset(0), Offset(1), 1000, true).unwrap().records.unwrap();
    let bytes = piece.to_bytes().unwrap();
    let stored = Batch::parse(&bytes).unwrap();
    assert!(stored.is_crc_valid());
    assert_eq!(
        (stored.max_timestamp(), stored.attributes().timestamp_type()),
        (5000, TimestampType::LogAppendTime)
    );
}

#[test]
fn a_batch_is_refused_and_nothing_changes() {
    let config = LogConfig { max_message_bytes: 200, segment_bytes: 150, ..LogConfig::default() };
    let mut log = Log::create(spec(disk().shared(), config), now(0)).unwrap();
    let mut check = |bytes: Bytes, expect: ErrorCode| {
        let refusal = append(&mut log, now(0), bytes).unwrap_err();
        assert_eq!(refusal.code, expect);
        assert_eq!(log.reader().ends().log_end, Offset(0));
    };
    let good = batch(&[(0, "x")]);
    let mut flipped = good.to_vec();
    flipped[65] ^= 1;
    check(flipped.into(), ErrorCode::CORRUPT_MESSAGE);
    check(good.slice(..good.len() - 1), ErrorCode::CORRUPT_MESSAGE);
    check(Bytes::new(), ErrorCode::CORRUPT_MESSAGE);
    check(batch(&[(0, &"x".repeat(100))]), ErrorCode::RECORD_LIST_TOO_LARGE);
    check(batch(&[(0, &"x".repeat(200))]), ErrorCode::MESSAGE_TOO_LARGE);
    check(batch(&[(10_000_000, "x")]), ErrorCode::INVALID_TIMESTAMP);
}

#[test]
fn duplicates_are_answered_with_their_first_offsets() {
    let mut log = Log::create(spec(disk().shared(), LogConfig::default()), now(0)).unwrap();
    for n in 0..7 {
        append(&mut log, now(0), idempotent(1, 0, 2 * n, &[(n.into(), "a"), (n.into(), "b")])).unwrap();
    }
    for n in 2..7 {
        let again =
            append(&mut log, now(9), idempotent(1, 0, 2 * n, &[(n.into(), "a"), (n.into(), "b")])).unwrap();
        assert!(again.duplicate);
        assert_eq!((again.first_offset.0, again.last_offset.0), (2 * i64::from(n), 2 * i64::from(n) + 1));
        assert_eq!(again.log_append_time, Some(WallTime(n.into())));
    }
    let mut check = |epoch: i16, sequence: i32, expect: Option<ErrorCode>| {
        let result = log.stage(now(0), EPOCH, idempotent(1, epoch, sequence, &[(0, "x")]), Origin::Client);
        assert_eq!(result.err().map(|refusal| refusal.code), expect, "{epoch} {sequence}");
    };
    // The sixth last is forgotten.
    check(0, 2, Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    check(0, 15, Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    check(1, 1, Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    check(0, 14, None);
    // Staged is as good as written.
    check(0, 15, None);
    check(1, 0, None);
    check(0, 16, Some(ErrorCode::INVALID_PRODUCER_EPOCH));
}

#[test]
fn segments_are_closed_by_size_age_and_index() {
    let day = 24 * 60 * 60 * 1000;
    let check = |config: LogConfig, times: &[(i64, i64)], expect: &[i64]| {
        let mut log = Log::create(spec(disk().shared(), config), now(0)).unwrap();
        for (wall, timestamp) in times {
            append(&mut log, now(*wall), batch(&[(*timestamp, "0123456789")])).unwrap();
        }
        let bases: Vec<i64> = log.segments().iter().map(|segment| segment.base().0).collect();
        assert_eq!(bases, expect, "{times:?}");
    };
    let default = LogConfig::default();
    let size = LogConfig { segment_bytes: 160, ..default.clone() };
    check(size, &[(0, 0); 5], &[0, 2, 4]);
    let age = LogConfig { segment_ms: 10, timestamp_after_max_ms: day, ..default.clone() };
    // By the records' own time, whatever the clock says …
    check(age.clone(), &[(0, 100), (50, 105), (50, 110), (51, 111), (51, 90)], &[0, 3]);
    // … and by the clock if they have none.
    check(age, &[(0, -1), (10, -1), (11, -1), (12, -1)], &[0, 2]);
    let index = LogConfig { index_interval_bytes: 0, segment_index_bytes: 36, ..default };
    check(index, &[(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6)], &[0, 4]);
}

#[test]
fn a_follower_takes_offsets_as_they_are() {
    let mut log = Log::create(spec(disk().shared(), LogConfig::default()), now(0)).unwrap();
    let from_leader = |base: i64, epoch: i32| {
        let builder = BatchBuilder::new(Compression::None);
        filled(
            builder.base_offset(Offset(base)).partition_leader_epoch(LeaderEpoch(epoch)),
            &[(1, "a"), (2, "b")],
        )
    };
    let two = [from_leader(10, 1), from_leader(20, 2)].concat();
    let appended = log.stage_replicated(now(0), LeaderEpoch(2), two.clone().into()).unwrap().unwrap();
    assert_eq!((appended.first_offset.0, appended.last_offset.0), (10, 21));
    log.write_staged(now(0)).unwrap();
    assert_eq!(log.reader().ends().log_end, Offset(22));
    assert_eq!(log.reader().end_offset_for_epoch(LeaderEpoch(1)), Some((LeaderEpoch(1), Offset(20))));
    // What does not go on is refused as a whole.
    assert!(log.stage_replicated(now(0), LeaderEpoch(2), two.into()).is_err());
    // A newer leader's batches wait until this replica knows it; a cut batch is left out.
    let later = [&from_leader(30, 2)[..], &from_leader(40, 3)[..], &from_leader(50, 2)[..]].concat();
    let taken = log.stage_replicated(now(0), LeaderEpoch(2), later.clone().into()).unwrap().unwrap();
    assert_eq!(taken.last_offset, Offset(31));
    let cut = Bytes::from(later).slice(..100);
    assert_eq!(log.stage_replicated(now(0), LeaderEpoch(2), cut.slice(..20)).unwrap(), None);
    let mut damaged = from_leader(60, 2).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let refusal = log.stage_replicated(now(0), LeaderEpoch(2), damaged.into()).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::CORRUPT_MESSAGE);
}

#[test]
fn aborted_transactions_are_indexed_and_recovered() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
    let transactional = |id: i64, sequence: i32| {
        let builder = BatchBuilder::new(Compression::None).transactional(true);
        filled(builder.producer(ProducerId(id), ProducerEpoch(0), Sequence(sequence)), &[(1, "0123456789")])
    };
    let marker = |id: i64, committed: bool| {
        let builder = BatchBuilder::new(Compression::None).transactional(true).control(true);
        let mut builder = builder.producer(ProducerId(id), ProducerEpoch(0), Sequence::NONE);
        builder.append(2, Some(&[0, 0, 0, u8::from(committed)]), Some(&[0, 0, 0, 0, 0, 7]), &[]);
        builder.finish()
    };
    // Producer 1 aborts every transaction, producer 2 commits.
    let mut expect = Vec::new();
    for n in 0..20 {
        let first = append(&mut log, now(0), transactional(1, n)).unwrap().first_offset;
        append(&mut log, now(0), transactional(2, n)).unwrap();
        assert_eq!(log.ends().last_stable, first);
        for (id, committed) in [(2, true), (1, false)] {
            log.stage(now(0), EPOCH, marker(id, committed), Origin::Coordinator).unwrap();
        }
        log.write_staged(now(0)).unwrap();
        assert_eq!(log.ends().last_stable, first);
        log.set_high_watermark(log.ends().log_end);
        assert_eq!(log.ends().last_stable, log.ends().log_end);
        expect.push((1, first.0, first.0 + 3));
    }
    let listed = |log: &Log, from: i64, up_to: i64| -> Vec<(i64, i64, i64)> {
        let found = log.reader().aborted_transactions(Offset(from), Offset(up_to)).unwrap();
        found.iter().map(|it| (it.producer_id.0, it.first_offset.0, it.last_offset.0)).collect()
    };
    let check = |log: &Log| {
        assert_eq!(listed(log, 0, 80), expect);
        assert_eq!(listed(log, 7, 8), expect[1..2]);
        assert_eq!(listed(log, 8, 8), []);
        assert_eq!(listed(log, 40, 50), expect[10..13]);
        // With a read go those that it touches, and no later ones.
        let reader = log.reader();
        for from in 0..80 {
            let (from, up_to) = (Offset(from), Offset(80));
            let bytes = reader.read(from, up_to, 300, true).unwrap().records.unwrap().to_bytes().unwrap();
            let batches: Vec<_> = Batches::new(&bytes).map_while(Result::ok).collect();
            let (first, end) = (batches[0].base_offset(), batches[batches.len() - 1].next_offset());
            let told = reader.aborted_transactions_of(from, up_to, bytes.len()).unwrap();
            let told: Vec<_> = told.iter().map(|it| it.first_offset.0).collect();
            let touched = |it: &&(i64, i64, i64)| it.2 >= first.0 && it.1 < end.0;
            let mut touched: Vec<_> = expect.iter().filter(touched).map(|it| it.1).collect();
            if told != touched {
                // The batch that was cut off at the end was counted too.
                touched.push(told[told.len() - 1]);
                assert!(told[told.len() - 1] < end.0 + 4);
            }
            assert_eq!(told, touched, "from {from}");
        }
    };
    check(&log);
    assert!(log.reader().segment_count() > 3);
    disk.crash(crate::disk::memory::Crash::KeepAll);
    // A crash of the process between the write of the last marker and that of its entry.
    let killed = disk.copy();
    let index = killed
        .files(Path::new(DATA))
        .into_iter()
        .rfind(|path| path.extension() == Some("txnindex".as_ref()))
        .unwrap();
    let entries = crate::disk::read_file(&killed, &index).unwrap().unwrap();
    for missing in [0, 34, 40] {
        killed.set_content(&index, &entries[..entries.len() - missing]);
        check(&open(&killed, small_config(), KILLED, now(0)));
    }
    let mut log = open(&disk, small_config(), CRASHED, now(0));
    check(&log);
    log.set_high_watermark(Offset(80));
    log.truncate_to(Offset(43), now(0)).unwrap();
    assert_eq!(listed(&log, 0, 80), expect[..10], "the marker is gone");
    assert_eq!(log.producers().first_unstable_offset(), Some(Offset(40)));
}

#[test]
fn the_last_offset_is_never_given() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
    log.truncate_fully_and_start_at(Offset(i64::MAX - 2), now(0)).unwrap();
    assert!(append(&mut log, now(0), batch(&[(0, "a"), (0, "b"), (0, "c")])).is_err());
    append(&mut log, now(0), batch(&[(0, "a"), (0, "b")])).unwrap();
    assert!(append(&mut log, now(0), batch(&[(0, "c")])).is_err());
    assert_eq!(read_all(&log.reader(), 1000).len(), 2);
}

#[test]
fn a_log_has_one_owner_and_many_readers() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Send + Sync>() {}
    is_send::<Log>();
    is_send::<crate::sync::SyncJob>();
    is_sync::<LogReader>();
}

#[test]
fn an_idle_log_is_small() {
    let size = size_of::<Log>() + size_of::<crate::read::LogReader>() + size_of::<crate::segment::Segment>();
    assert!(size < 1500, "{size} bytes");
}
