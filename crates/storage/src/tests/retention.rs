//! Deleting by age, size and log start; cutting the end.

use super::*;
use crate::config::CleanupPolicy;

/// One record a batch, so that a segment of 160 bytes takes two; timestamps 100, 200 …
fn log(disk: &MemoryDisk, config: LogConfig, records: i64) -> Log {
    let config = LogConfig { segment_bytes: 160, ..config };
    let plain = LogConfig { cleanup_policy: CleanupPolicy::DELETE, ..config.clone() };
    let mut log = Log::create(spec(disk.shared(), plain), now(0)).unwrap();
    for n in 0..records {
        append(&mut log, now(0), batch(&[(100 * n + 100, "0123456789")])).unwrap();
    }
    log.update_config(Arc::new(config));
    log
}

fn bases(log: &Log) -> Vec<i64> {
    log.segments().iter().map(|segment| segment.base().0).collect()
}

#[test]
fn old_segments_go() {
    let check = |config: LogConfig, high_watermark: i64, at: i64, expect: &[i64]| {
        let disk = disk();
        let mut log = log(&disk, LogConfig { timestamp_after_max_ms: i64::MAX, ..config.clone() }, 9);
        log.set_high_watermark(Offset(high_watermark));
        log.delete_old_segments(now(at)).unwrap();
        assert_eq!(bases(&log), expect, "{config:?} {high_watermark} {at}");
        assert_eq!(log.reader().ends().log_start.0, expect[0]);
        assert_eq!(read_all(&log.reader(), 1000).len() as i64, 9 - expect[0]);
    };
    let none = LogConfig { retention_ms: -1, retention_bytes: -1, ..LogConfig::default() };
    let size = batch(&[(0, "0123456789")]).len() as i64;
    check(none.clone(), 9, 1_000_000, &[0, 2, 4, 6, 8]);
    let age = LogConfig { retention_ms: 500, ..none.clone() };
    check(age.clone(), 9, 700, &[0, 2, 4, 6, 8]);
    check(age.clone(), 9, 701, &[2, 4, 6, 8]);
    check(age.clone(), 9, 1301, &[8]);
    check(age.clone(), 9, 1401, &[9]);
    check(age.clone(), 8, 1401, &[8]);
    check(age.clone(), 5, 1401, &[4, 6, 8]);
    let bytes = |records: i64| LogConfig { retention_bytes: size * records, ..none.clone() };
    check(bytes(9), 9, 0, &[0, 2, 4, 6, 8]);
    check(bytes(8), 9, 0, &[0, 2, 4, 6, 8]);
    check(bytes(7), 9, 0, &[2, 4, 6, 8]);
    check(bytes(1), 9, 0, &[8]);
    check(bytes(0), 9, 0, &[9]);
    check(bytes(0), 3, 0, &[2, 4, 6, 8]);
    let compact = LogConfig { cleanup_policy: CleanupPolicy::COMPACT, ..age };
    check(compact, 9, 1_000_000, &[0, 2, 4, 6, 8]);
}

#[test]
fn segments_below_the_log_start_go() {
    let disk = disk();
    let config = LogConfig { cleanup_policy: CleanupPolicy::COMPACT, ..LogConfig::default() };
    let mut log = log(&disk, config, 9);
    log.advance_log_start(Offset(5)).unwrap();
    assert_eq!(log.delete_old_segments(now(0)).unwrap(), 2);
    assert_eq!(bases(&log), [4, 6, 8]);
    assert_eq!(log.reader().ends().log_start, Offset(5));
    assert_eq!(log.checkpoint().log_start, Some(Offset(5)));
    assert_eq!(read_all(&log.reader(), 1000)[0].0, 5);
}

#[test]
fn deleted_files_go_after_their_delay() {
    let disk = disk();
    let mut log = log(&disk, LogConfig { retention_bytes: 0, ..LogConfig::default() }, 9);
    let reader = log.reader();
    let held = reader.read(Offset(0), Offset(9), 1000, true).unwrap().records.unwrap();
    let deleted = |disk: &MemoryDisk| {
        let files = disk.files(Path::new(DATA));
        files.iter().filter(|path| path.to_str().unwrap().ends_with(".deleted")).count()
    };
    log.delete_old_segments(now(1000)).unwrap();
    assert_eq!(deleted(&disk), 15);
    assert_eq!(log.remove_deleted_files(now(60_999)).unwrap(), Some(now(61_000).mono));
    assert_eq!(deleted(&disk), 15);
    assert_eq!(log.remove_deleted_files(now(61_000)).unwrap(), None);
    assert_eq!(deleted(&disk), 0);
    assert_eq!(records_of(&held.to_bytes().unwrap()).len(), 2, "who still reads can finish");
    append(&mut log, now(0), batch(&[(0, "x")])).unwrap();
    assert_eq!(read_all(&reader, 1000), [(9, "x".to_owned())]);
}

#[test]
fn the_end_is_cut() {
    for cut in 0..=9 {
        let disk = disk();
        let mut log = log(&disk, LogConfig::default(), 9);
        log.truncate_to(Offset(cut), now(0)).unwrap();
        let expect: Vec<i64> = (0..cut).collect();
        let offsets =
            |log: &Log| -> Vec<i64> { read_all(&log.reader(), 500).iter().map(|(at, _)| *at).collect() };
        assert_eq!(offsets(&log), expect);
        assert_eq!(log.ends().high_watermark, Offset(cut));
        let next = append(&mut log, now(0), batch(&[(0, "new")])).unwrap();
        assert_eq!(next.first_offset, Offset(cut));
        let recovered = {
            disk.crash(crate::disk::memory::Crash::KeepAll);
            open(&disk, small_config(), CRASHED, now(0))
        };
        assert_eq!(read_all(&recovered.reader(), 500).last().unwrap(), &(cut, "new".to_owned()));
        assert_eq!(recovered.ends().log_end, Offset(cut + 1));
    }
}

#[test]
fn a_cut_log_forgets_producers_and_epochs() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
    for n in 0..40 {
        let bytes = idempotent(1, 0, n, &[(0, "0123456789")]);
        log.stage(now(0), LeaderEpoch(n / 10), bytes, Origin::Client).unwrap();
        log.write_staged(now(0)).unwrap();
    }
    log.truncate_to(Offset(25), now(0)).unwrap();
    assert_eq!(log.reader().latest_epoch(), Some(LeaderEpoch(2)));
    assert!(log.stage(now(0), EPOCH, idempotent(1, 0, 26, &[(0, "x")]), Origin::Client).is_err());
    let again = log.stage(now(0), LeaderEpoch(2), idempotent(1, 0, 25, &[(0, "x")]), Origin::Client).unwrap();
    assert_eq!((again.first_offset, again.duplicate), (Offset(25), false));
}

#[test]
fn a_cut_takes_index_entries_along() {
    let disk = disk();
    let config = LogConfig { index_interval_bytes: 0, ..LogConfig::default() };
    let mut log = Log::create(spec(disk.shared(), config), now(0)).unwrap();
    (0..20).for_each(|n| _ = append(&mut log, now(0), batch(&[(100 * n, "0123456789")])).unwrap());
    log.truncate_to(Offset(5), now(0)).unwrap();
    let last = log.segments()[0].last_time().unwrap().unwrap();
    assert!(last.offset < Offset(5), "{last:?}");
    // What is appended since has entries of its own, though it is older than what was cut off.
    (0..5).for_each(|n| _ = append(&mut log, now(0), batch(&[(500 + n, "0123456789")])).unwrap());
    for n in 0..5 {
        let found = log.reader().offset_for_timestamp(500 + n).unwrap();
        assert_eq!(found.map(|found| found.offset), Some(Offset(5 + n)));
    }
    log.close(now(0)).unwrap();
    let report = crate::verify::verify(&disk, Path::new(DATA)).unwrap();
    let indexes: Vec<_> = report.wrong().filter(|it| it.path.to_string_lossy().ends_with("index")).collect();
    assert_eq!(indexes, Vec::<&crate::verify::Finding>::new());
}

#[test]
fn a_log_starts_anew_elsewhere() {
    let disk = disk();
    let mut log = log(&disk, LogConfig::default(), 9);
    log.truncate_fully_and_start_at(Offset(1000), now(0)).unwrap();
    assert_eq!(log.reader().ends().log_start, Offset(1000));
    append(&mut log, now(0), batch(&[(0, "new")])).unwrap();
    assert_eq!(read_all(&log.reader(), 500), [(1000, "new".to_owned())]);
    log.truncate_fully_and_start_at(Offset(2), now(0)).unwrap();
    append(&mut log, now(0), batch(&[(0, "again")])).unwrap();
    assert_eq!(read_all(&log.reader(), 500), [(2, "again".to_owned())]);
    log.close(now(0)).unwrap();
    let log = open(&disk, small_config(), Recovery { log_start: Offset(2), ..Recovery::NEW }, now(0));
    assert_eq!(read_all(&log.reader(), 500), [(2, "again".to_owned())]);
}

#[test]
fn without_timestamps_the_files_age_counts() {
    let disk = disk();
    let config = LogConfig { segment_bytes: 160, retention_ms: 500, ..LogConfig::default() };
    let mut log = Log::create(spec(disk.shared(), config), now(0)).unwrap();
    for n in 0..6 {
        disk.set_wall(WallTime(100 * n));
        append(&mut log, now(100 * n), batch(&[(-1, "0123456789")])).unwrap();
    }
    // The files were last written at 100, 300 and 500.
    for (at, expect) in [(600, &[0, 2, 4][..]), (601, &[2, 4]), (801, &[4]), (1001, &[6])] {
        log.delete_old_segments(now(at)).unwrap();
        assert_eq!(bases(&log), expect, "{at}");
    }
}
