//! A log that changes while it is compacted, readers that look at both sides of a swap, and what is on disk afterwards.

use super::*;
use crate::directory::FileKind;
use crate::disk::read_file;

/// Values that show which record they are; 40 records of 4 keys.
fn log(disk: &MemoryDisk, config: LogConfig) -> Log {
    let mut log = Log::create(spec(disk.shared(), config), now(0)).unwrap();
    for n in 0..40i64 {
        write(&mut log, n);
    }
    log.roll(now(40)).unwrap();
    sync(&mut log, now(40)).unwrap();
    log
}

fn write(log: &mut Log, n: i64) {
    let (key, value) = (format!("k{}", n % 4), format!("{n} {}", "x".repeat(60)));
    append(log, now(n), keyed(BatchBuilder::new(Compression::None), n, &[(Some(&key), Some(&value))]))
        .unwrap();
}

fn small() -> LogConfig {
    LogConfig { segment_bytes: 500, ..compacted() }
}

/// A result that is ready to be swapped in.
fn ready(log: &mut Log) -> (CleanedSegment, crate::clean::CleanRound) {
    let plan = log.reader().cleanable(now(50).wall).unwrap().unwrap();
    let mut round = log.clean_job(&plan, now(50)).unwrap().map(MEMORY, &mut Unhurried).unwrap();
    (round.next_segment(&mut Unhurried).unwrap().unwrap().sync().unwrap(), round)
}

fn temporary(disk: &MemoryDisk) -> Vec<PathBuf> {
    let is_temporary = |path: &PathBuf| path.to_string_lossy().ends_with(".cleaned");
    disk.files(Path::new(DATA)).into_iter().filter(is_temporary).collect()
}

#[test]
fn a_log_that_has_changed_takes_no_result() {
    let check = |name: &str, change: fn(&mut Log)| {
        let disk = disk();
        let mut log = log(&disk, small());
        let (cleaned, round) = ready(&mut log);
        assert!(!temporary(&disk).is_empty());
        change(&mut log);
        let before = listed(&log);
        assert!(!log.swap(cleaned, now(51)).unwrap(), "{name}");
        assert_eq!(temporary(&disk), Vec::<PathBuf>::new(), "{name}");
        assert_eq!(listed(&log), before, "{name}");
        drop(round);
        write(&mut log, 41);
        read_all(&log.reader(), 400);
    };
    check("cut", |log| log.truncate_to(Offset(2), now(50)).unwrap());
    check("cut and written again", |log| {
        log.truncate_to(Offset(39), now(50)).unwrap();
        (0..10).for_each(|n| write(log, n));
        log.roll(now(50)).unwrap();
    });
    check("emptied", |log| log.truncate_fully_and_start_at(Offset(100), now(50)).unwrap());
    check("its start moved", |log| {
        log.advance_log_start(Offset(20)).unwrap();
        assert!(log.delete_old_segments(now(50)).unwrap() > 0);
    });
    check("compacted by another", |log| {
        drop(ready(log));
    });
}

#[test]
fn what_is_not_synced_is_not_compacted() {
    let disk = disk();
    let mut log = log(&disk, small());
    let synced = log.ends().log_end;
    (40..60).for_each(|n| write(&mut log, n));
    log.roll(now(60)).unwrap();
    let plan = log.reader().cleanable(now(100).wall).unwrap().unwrap();
    assert_eq!(plan.first_uncleanable, Offset(60));
    let mut round = log.clean_job(&plan, now(100)).unwrap().map(MEMORY, &mut Unhurried).unwrap();
    swap_all(&mut log, &mut round, now(100)).unwrap();
    assert!(log.cleaned(round.finish().unwrap()));
    assert_eq!(log.reader().first_dirty(), Some(synced));
}

#[test]
fn a_closed_log_ends_its_compaction() {
    let disk = disk();
    let mut log = log(&disk, small());
    let (cleaned, mut round) = ready(&mut log);
    drop(cleaned);
    log.close(now(51)).unwrap();
    let ended = round.next_segment(&mut Unhurried);
    assert!(matches!(ended, Err(CleanError::Aborted)), "{:?}", ended.err());
    assert_eq!(temporary(&disk), Vec::<PathBuf>::new());
}

#[test]
fn a_pace_ends_it() {
    struct Ended;
    impl Pace for Ended {
        fn go_on(&mut self, _: usize) -> bool {
            false
        }
    }
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), compacted()), now(0)).unwrap();
    let value = "x".repeat(70_000);
    append(&mut log, now(0), keyed(BatchBuilder::new(Compression::None), 0, &[(Some("a"), Some(&value))]))
        .unwrap();
    log.roll(now(1)).unwrap();
    sync(&mut log, now(1)).unwrap();
    let plan = log.reader().cleanable(now(50).wall).unwrap().unwrap();
    assert!(matches!(
        log.clean_job(&plan, now(50)).unwrap().map(MEMORY, &mut Ended),
        Err(CleanError::Aborted)
    ));
}

#[test]
fn a_reader_from_before_the_swap_reads_to_its_end() {
    let disk = disk();
    let mut log = log(&disk, small());
    let reader = log.reader();
    let before = log.segments();
    let sizes: Vec<u64> = before.iter().map(|segment| segment.size()).collect();
    let piece = reader.read(Offset(0), Offset(40), 300, true).unwrap().records.unwrap();
    let (mut cleaned, mut round) = ready(&mut log);
    loop {
        // Nobody has used the sources for a while.
        log.release_idle();
        log.release_idle();
        assert!(log.swap(cleaned, now(50)).unwrap());
        let Some(next) = round.next_segment(&mut Unhurried).unwrap() else { break };
        cleaned = next.sync().unwrap();
    }
    assert!(log.cleaned(round.finish().unwrap()));
    log.remove_deleted_files(now(10_000_000)).unwrap();
    assert_eq!(records_of(&piece.to_bytes().unwrap())[0].0, 0);
    for (segment, size) in before.iter().zip(sizes) {
        let mut scan = segment.scan(0, size).unwrap();
        while segment.step(scan.next_whole()).unwrap().is_some() {}
        segment.find(segment.base(), size).unwrap();
    }
    let offsets: Vec<i64> = read_all(&reader, 300).iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [36, 37, 38, 39]);
}

#[test]
fn results_are_of_a_segments_size_and_indexed() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), small()), now(0)).unwrap();
    for n in 0..200i64 {
        let (key, value) = (format!("k{}", n % 100), format!("{n} {}", "x".repeat(60)));
        let bytes = keyed(BatchBuilder::new(Compression::None), n, &[(Some(&key), Some(&value))]);
        append(&mut log, now(n), bytes).unwrap();
    }
    log.roll(now(200)).unwrap();
    let before = log.segments().len();
    let stats = clean(&mut log, now(300)).unwrap().unwrap();
    assert!(stats.bytes_written < stats.bytes_read * 6 / 10, "{stats:?}");
    // What was a segment each is empty now and goes together with the next round.
    clean_again(&mut log);
    let segments = log.segments();
    assert!(segments.len() <= before / 2 + 2, "{} of {before}", segments.len());
    for segment in &segments[..segments.len() - 1] {
        assert!(segment.size() <= 500);
    }
    for offset in 0..200 {
        let found = log.reader().read(Offset(offset), Offset(200), 1, true).unwrap().records.unwrap();
        let first = records_of(&found.to_bytes().unwrap())[0].0;
        assert_eq!(first, offset.max(100));
    }
    for timestamp in [0, 100, 150, 199] {
        let found = log.reader().offset_for_timestamp(timestamp).unwrap().unwrap();
        assert_eq!(found.offset.0, timestamp.max(100));
    }
}

fn clean_again(log: &mut Log) {
    let other = [(Some("another"), Some("1"))];
    append(log, now(1000), keyed(BatchBuilder::new(Compression::None), 1000, &other)).unwrap();
    log.roll(now(1000)).unwrap();
    clean(log, now(1001)).unwrap().unwrap();
    // The record of the second round is not looked for.
    log.truncate_to(Offset(200), now(1001)).unwrap();
}

#[test]
fn a_batch_that_keeps_everything_keeps_its_bytes() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), compacted()), now(0)).unwrap();
    let gzip = Compression::Gzip(1);
    append(
        &mut log,
        now(0),
        keyed(BatchBuilder::new(gzip), 0, &[(Some("a"), Some("1")), (Some("b"), Some("1"))]),
    )
    .unwrap();
    let path = FileKind::Log.path(&Path::new(DATA).join("t-0"), Offset(0));
    log.roll(now(1)).unwrap();
    let before = read_file(&disk, &path).unwrap();
    disk.set_wall(WallTime(77));
    clean(&mut log, now(50)).unwrap().unwrap();
    assert_eq!(read_file(&disk, &path).unwrap(), before);
    assert_eq!(disk.metadata(&path).unwrap().modified, WallTime(0), "the time is that of the source");
}

#[test]
fn aborted_transactions_are_known_on_both_sides_of_a_swap() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), compacted()), now(0)).unwrap();
    let builder =
        || BatchBuilder::new(Compression::None).producer(ProducerId(7), ProducerEpoch(0), Sequence(0));
    append(&mut log, now(0), keyed(BatchBuilder::new(Compression::None), 0, &[(Some("z"), Some("0"))]))
        .unwrap();
    log.roll(now(0)).unwrap();
    append(&mut log, now(1), keyed(builder().transactional(true), 1, &[(Some("a"), Some("1"))])).unwrap();
    log.stage(now(2), EPOCH, marker(7, 0, false, 2), Origin::Coordinator).unwrap();
    log.write_staged(now(2)).unwrap();
    log.set_high_watermark(Offset(3));
    log.roll(now(3)).unwrap();
    let old = log.segments()[1].clone();
    let aborted = |log: &Log| log.reader().aborted_transactions(Offset(0), Offset(3)).unwrap().len();
    assert_eq!(aborted(&log), 1);
    clean(&mut log, now(50)).unwrap().unwrap();
    assert_eq!(aborted(&log), 1, "the first pass has seen its data");
    assert_eq!(log.segments().len(), 2);
    assert!(old.aborted().is_err(), "whoever still sees the old segment must look again");
}
