//! Opening after a crash of the process alone: what was written is there, and only the ends are looked at.

use super::*;
use crate::directory::FileKind;
use crate::disk::memory::Crash;
use crate::disk::read_file;

/// One segment with an index entry for each batch but the first, so that some of them are in the file and some are not.
fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 1, ..LogConfig::default() }
}

/// More batches than index entries are written at a time. Every third has no greater timestamp than all before it.
const BATCHES: i64 = 1300;

fn timestamp(n: i64) -> i64 {
    if n % 3 == 2 { n / 2 } else { n }
}

fn log(disk: &MemoryDisk, batches: i64) -> Log {
    let mut log = Log::create(spec(disk.shared(), config()), now(0)).unwrap();
    for n in 0..batches {
        append(&mut log, now(0), idempotent(1, 0, n as i32, &[(timestamp(n), "0123456789")])).unwrap();
    }
    log
}

fn path(kind: FileKind) -> PathBuf {
    kind.path(&Path::new(DATA).join("t-0"), Offset(0))
}

fn indexes(log: &Log) -> (usize, usize) {
    log.segments()[0].indexes_bytes().unwrap()
}

#[test]
fn index_entries_that_were_only_in_memory_are_made_again() {
    for batches in [0, 1, 511, 513, 1023, 1024, 1025, BATCHES] {
        let disk = disk();
        let before = log(&disk, batches);
        let (expect, producers) = (indexes(&before), before.producers().clone());
        drop(before);
        disk.crash(Crash::KeepAll);
        let mut log = open(&disk, config(), KILLED, now(0));
        assert_eq!(log.ends().log_end, Offset(batches));
        assert_eq!(log.ends().durable_end, Offset(0), "nothing was synced");
        assert_eq!(indexes(&log), expect, "{batches}");
        assert_eq!(log.producers(), &producers);
        for asked in (0..batches).step_by(100) {
            let found = log.reader().offset_for_timestamp(asked).unwrap().map(|found| found.offset.0);
            assert_eq!(found, (asked..batches).find(|n| timestamp(*n) >= asked), "{batches}: {asked}");
        }
        append(&mut log, now(0), idempotent(1, 0, batches as i32, &[(0, "x")])).unwrap();
        assert_eq!(read_all(&log.reader(), 1 << 20).len() as i64, batches + 1);
        // What it made again is what a clean stop writes.
        let checkpoint = log.close(now(0)).unwrap();
        let clean = Recovery { recovery_point: checkpoint.recovery_point, ..Recovery::NEW };
        assert_eq!(open(&disk, config(), clean, now(0)).ends().log_end, Offset(batches + 1));
    }
}

#[test]
fn what_cannot_be_torn_is_not_read() {
    let disk = disk();
    drop(log(&disk, BATCHES));
    disk.crash(Crash::KeepAll);
    let whole = read_file(&disk, &path(FileKind::Log)).unwrap().unwrap();
    let size = whole.len() / BATCHES as usize;
    let end_with = |damaged: i64, recovery: Recovery| {
        let disk = disk.copy();
        let mut bytes = whole.clone();
        bytes[damaged as usize * size + size - 4] ^= 1;
        disk.set_content(&path(FileKind::Log), &bytes);
        open(&disk, config(), recovery, now(0)).ends().log_end.0
    };
    assert_eq!(end_with(700, CRASHED), 700);
    assert_eq!(
        end_with(700, KILLED),
        BATCHES,
        "it is no torn end, and its checksum is for those who read it"
    );
    assert_eq!(end_with(BATCHES - 1, KILLED), BATCHES - 1, "the last batch is checked");
}

#[test]
fn an_index_that_does_not_fit_is_not_believed() {
    let disk = disk();
    let before = log(&disk, BATCHES);
    let expect = indexes(&before);
    drop(before);
    disk.crash(Crash::KeepAll);
    let index = read_file(&disk, &path(FileKind::OffsetIndex)).unwrap().unwrap();
    let log_bytes = read_file(&disk, &path(FileKind::Log)).unwrap().unwrap();
    let check = |index: &[u8], log_length: usize, end: i64| {
        let disk = disk.copy();
        disk.set_content(&path(FileKind::OffsetIndex), index);
        disk.set_content(&path(FileKind::Log), &log_bytes[..log_length]);
        let log = open(&disk, config(), KILLED, now(0));
        assert_eq!(log.ends().log_end, Offset(end));
        if end == BATCHES {
            assert_eq!(indexes(&log), expect);
        }
        assert_eq!(read_all(&log.reader(), 1 << 20).len() as i64, end);
    };
    let whole = log_bytes.len();
    check(&index, whole, BATCHES);
    check(&index[..index.len() - 1], whole, BATCHES);
    // Its last entry names the middle of a batch, or nothing at all.
    let mut off = index.clone();
    *off.last_mut().unwrap() ^= 1;
    check(&off, whole, BATCHES);
    check(&index, whole / BATCHES as usize * 100, 100);
    check(&index, 0, 0);
}

#[test]
fn snapshots_inside_of_a_segment_bound_what_is_walked() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), config()), now(0)).unwrap();
    let value = "v".repeat(900_000);
    for n in 0..80 {
        append(&mut log, now(0), idempotent(1, 0, n, &[(0, &value)])).unwrap();
    }
    let (two, producers) = (log.snapshots.clone(), log.producers().clone());
    assert_eq!(two.len(), 2, "{two:?}");
    drop(log);
    disk.crash(Crash::KeepAll);
    let log = open(&disk, config(), KILLED, now(0));
    assert_eq!(log.producers(), &producers, "all of the last five batches are known, as a retry needs it");
    drop(log);
    // Without the snapshots the same comes out of the whole segment; with a damaged one too.
    for damaged in [&two[..1], &two[1..], &two[..]] {
        let disk = disk.copy();
        disk.crash(Crash::KeepAll);
        for snapshot in damaged {
            disk.set_content(
                &Path::new(DATA).join("t-0").join(FileKind::ProducerSnapshot.name(*snapshot)),
                b"x",
            );
        }
        let log = open(&disk, config(), KILLED, now(0));
        assert_eq!(log.producers().to_snapshot(), producers.to_snapshot());
    }
    let mut log = open(&disk, config(), KILLED, now(0));
    log.roll(now(0)).unwrap();
    assert_eq!(log.snapshots, [Offset(80)], "those of a closed segment go");
}

#[test]
fn what_kafka_preallocated_for_a_log_goes_when_it_is_closed() {
    for batches in [0, 3] {
        let disk = disk();
        drop(log(&disk, batches));
        disk.crash(Crash::KeepAll);
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
            disk.set_content(&path(kind), &[0; 960]);
        }
        let log = open(&disk, config(), KILLED, now(0));
        let (offsets, times) = indexes(&log);
        log.close(now(0)).unwrap();
        for (kind, expect) in [(FileKind::OffsetIndex, offsets), (FileKind::TimeIndex, times)] {
            let found = read_file(&disk, &path(kind)).unwrap().unwrap();
            assert_eq!(found.len(), expect, "{kind:?} of {batches} batches");
        }
    }
}
