//! Reading: ranges, limits, times.

use wire::piece::Piece;

use super::*;
use crate::disk::read_file;
use crate::read::ReadError;

/// Batches of two records; timestamps 10, 20, 30 … by record.
fn log(disk: &MemoryDisk, config: LogConfig, batches: i64) -> Log {
    let mut log = Log::create(spec(disk.shared(), config), now(0)).unwrap();
    for n in 0..batches {
        append(&mut log, now(0), batch(&[(20 * n + 10, "even"), (20 * n + 20, "odd")])).unwrap();
    }
    log
}

fn size_of_batch() -> usize {
    batch(&[(10, "even"), (20, "odd")]).len()
}

#[test]
fn every_offset_is_found_with_and_without_the_newest_batches() {
    let disk = disk();
    let log = log(&disk, small_config(), 200);
    let reopened = {
        log.close(now(0)).unwrap();
        open(&disk, small_config(), Recovery { high_watermark: Offset(400), ..Recovery::NEW }, now(0))
    };
    let reader = reopened.reader();
    for from in 0..400 {
        for up_to in [from + 1, from + 2, from + 7, 400] {
            let found = reader.read(Offset(from), Offset(up_to.min(400)), 1 << 20, true).unwrap();
            let offsets: Vec<i64> = match found.records {
                Some(records) => {
                    records_of(&records.to_bytes().unwrap()).iter().map(|(offset, _)| *offset).collect()
                }
                None => Vec::new(),
            };
            let last = up_to.min(400) / 2 * 2;
            match offsets.first() {
                Some(first) => {
                    assert_eq!(*first, from / 2 * 2);
                    assert!(*offsets.last().unwrap() < last, "{from} {up_to} {offsets:?}");
                }
                None => assert!(last <= from / 2 * 2, "{from} {up_to}"),
            }
        }
    }
}

#[test]
fn a_read_at_the_end_asks_the_disk_for_nothing() {
    let disk = disk();
    let log = log(&disk, LogConfig::default(), 100);
    let reader = log.reader();
    let before = disk.operations();
    for from in 180..=200 {
        for up_to in [from, from + 2, 200] {
            reader.read(Offset(from), Offset(up_to), 1 << 20, true).unwrap();
        }
        reader.bytes_between(Offset(from), Offset(200));
    }
    assert_eq!(disk.operations(), before);
    assert_eq!(reader.bytes_between(Offset(190), Offset(200)), 5 * size_of_batch() as u64);
    assert_eq!(reader.bytes_between(Offset(0), Offset(200)), reader.size_bytes());
}

#[test]
fn a_flipped_bit_far_back_is_named_and_not_served() {
    let disk = disk();
    let log = log(&disk, small_config(), 200);
    let file = log.reader().dir().join("00000000000000000000.log");
    let mut content = read_file(&disk, &file).unwrap().unwrap();
    content[70] ^= 1;
    disk.set_content(&file, &content);
    let reader = log.reader();
    let read = |from| reader.read(Offset(from), Offset(400), 1 << 20, true);
    let failed = read(0).expect_err("the first far read is a sample").to_string();
    assert!(failed.contains("00000000000000000000.log is damaged at byte 0: "), "{failed}");
    let refused = (0..64).filter(|_| read(0).is_err()).count();
    assert_eq!(refused, 1, "one in so many is looked at");
    assert!((0..64).all(|_| read(4).is_ok()), "the other batches are well");
}

#[test]
fn bytes_between_offsets_of_many_segments() {
    let disk = disk();
    let log = log(&disk, small_config(), 100);
    let reader = log.reader();
    let size = size_of_batch() as u64;
    for (from, up_to) in [(0, 200), (0, 100), (50, 51), (20, 180), (180, 200), (7, 7), (9, 3)] {
        let expect = size * i64::max(up_to - from, 0) as u64 / 2;
        let found = reader.bytes_between(Offset(from), Offset(up_to));
        assert!(found.abs_diff(expect) <= size, "{from} {up_to}: {found} instead of {expect}");
    }
}

#[test]
fn limits_of_bytes() {
    let disk = disk();
    let log = log(&disk, LogConfig::default(), 10);
    let size = size_of_batch();
    let check = |max_bytes: usize, min_one: bool, expect: Option<usize>| {
        let found = log.reader().read(Offset(4), Offset(20), max_bytes, min_one).unwrap();
        assert_eq!(found.records.as_ref().map(Piece::len), expect, "{max_bytes} {min_one}");
        assert_eq!(found.first_batch_incomplete, expect.is_none());
    };
    check(1 << 20, true, Some(8 * size));
    check(3 * size + 5, true, Some(3 * size + 5));
    check(size, false, Some(size));
    check(size - 1, true, Some(size));
    check(size - 1, false, None);
    check(0, true, Some(size));
    check(0, false, None);
}

#[test]
fn only_offsets_of_the_log_can_be_read() {
    let disk = disk();
    let mut log = log(&disk, small_config(), 20);
    log.advance_log_start(Offset(5)).unwrap();
    assert!(log.advance_log_start(Offset(41)).is_err());
    let check = |from: i64, expect: bool| {
        let result = log.reader().read(Offset(from), Offset(40), 1000, true);
        assert_eq!(matches!(result, Err(ReadError::OffsetOutOfRange { .. })), expect, "{from}");
    };
    check(4, true);
    check(5, false);
    check(40, false);
    check(41, true);
    check(-1, true);
    assert!(log.reader().read(Offset(40), Offset(40), 1000, true).unwrap().records.is_none());
}

#[test]
fn records_are_found_by_their_time() {
    let disk = disk();
    let log = log(&disk, small_config(), 100);
    let check = |log: &Log| {
        let reader = log.reader();
        for timestamp in [-5, 0, 10, 11, 20, 555, 560, 1234, 1990, 1999, 2000, 2001] {
            let expect = ((timestamp + 9) / 10 - 1).max(0);
            let found = reader.offset_for_timestamp(timestamp).unwrap();
            match found {
                Some(found) => assert_eq!((found.offset.0, found.timestamp), (expect, 10 * expect + 10)),
                None => assert_eq!(timestamp, 2001),
            }
        }
        let largest = reader.offset_of_max_timestamp().unwrap().unwrap();
        assert_eq!((largest.offset.0, largest.timestamp, largest.leader_epoch), (199, 2000, EPOCH));
    };
    check(&log);
    log.close(now(0)).unwrap();
    check(&open(&disk, small_config(), Recovery::NEW, now(0)));
}

#[test]
fn timestamps_need_not_ascend() {
    let disk = disk();
    let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
    assert_eq!(log.reader().offset_of_max_timestamp().unwrap(), None);
    let mut model = Vec::new();
    for n in 0..300i64 {
        let timestamp = (n * 7919) % 1000;
        append(&mut log, now(0), batch(&[(timestamp, "x")])).unwrap();
        model.push(timestamp);
    }
    for timestamp in 0..1001 {
        let expect = model.iter().position(|found| *found >= timestamp);
        let found = log.reader().offset_for_timestamp(timestamp).unwrap();
        assert_eq!(found.map(|found| found.offset.0 as usize), expect, "{timestamp}");
    }
    let largest = *model.iter().max().unwrap();
    let expect = model.iter().position(|found| *found == largest).unwrap();
    let newest = |log: &Log| log.reader().offset_of_max_timestamp().unwrap().unwrap().offset.0 as usize;
    assert_eq!(newest(&log), expect);
    // Deleted records count as long as their segment is there.
    log.set_high_watermark(Offset(300));
    log.advance_log_start(Offset(expect as i64 + 1)).unwrap();
    assert_eq!(newest(&log), expect);
}

#[test]
fn a_renamed_log_is_still_read_and_written() {
    let disk = disk();
    let mut log = log(&disk, small_config(), 100);
    let reader = log.reader();
    let to = Path::new(DATA).join("t-0.0123456789abcdef0123456789abcdef-delete");
    reader.rename_dir(&to).unwrap();
    assert_eq!(&*reader.dir(), to);
    append(&mut log, now(0), batch(&[(0, "x")])).unwrap();
    log.roll(now(0)).unwrap();
    assert_eq!(read_all(&reader, 500).len(), 201);
    assert!(disk.files(Path::new(DATA)).iter().all(|path| path.starts_with(&to)));
}
