//! Crashes and faults in the middle of a compaction: whatever they leave opens, has every key's last value, and can be
//! compacted again without bringing back what was deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::disk::memory::{Crash, Fault};
use crate::disk::recorder::RecorderDisk;
use crate::log_dir::LogDir;
use crate::tests::faults::told;

const COUNT: i64 = 33;
/// Several results a compaction, and one: the names of the last are the ones that a crash may take back.
const SEGMENT_BYTES: [u32; 2] = [420, 2000];
/// What is written only to have something dirty.
const LATER: &str = "later";

fn config() -> LogConfig {
    LogConfig { segment_bytes: 420, file_delete_delay_ms: 1, delete_retention_ms: 10, ..compacted() }
}

/// What is written at an offset: few keys, some tombstones, some keys that come once.
fn record(offset: i64) -> (String, Option<String>) {
    let key = if offset % 11 == 5 { format!("once{offset}") } else { format!("k{}", offset * 7 % 5) };
    (key, (offset % 6 != 4).then(|| format!("{offset} {}", "x".repeat((offset as usize * 13) % 60))))
}

fn newest(records: impl Iterator<Item = (String, Option<String>)>) -> BTreeMap<String, String> {
    let mut newest = BTreeMap::new();
    for (key, value) in records {
        match value {
            Some(value) => newest.insert(key, value),
            None => newest.remove(&key),
        };
    }
    newest
}

/// A life with three compactions, of which the last lets tombstones go.
fn run(
    disk: Arc<dyn Disk>,
    segment_bytes: u32,
    on_durable: &mut dyn FnMut(Offset),
) -> Result<(), CleanError> {
    let mut dir = LogDir::open(disk.clone(), DATA)?;
    dir.begin()?;
    let mut log = Log::create(spec(disk, LogConfig { segment_bytes, ..config() }), now(0))?;
    write(&mut log, 0..12, on_durable)?;
    compact(&dir, &mut log, 100)?;
    write(&mut log, 12..24, on_durable)?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    log.remove_deleted_files(now(150))?;
    compact(&dir, &mut log, 200)?;
    write(&mut log, 24..COUNT, on_durable)?;
    compact(&dir, &mut log, 300)?;
    log.remove_deleted_files(now(400))?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    Ok(())
}

fn write(
    log: &mut Log,
    offsets: std::ops::Range<i64>,
    on_durable: &mut dyn FnMut(Offset),
) -> Result<(), Error> {
    for offset in offsets {
        let at = now(offset);
        let (key, value) = record(offset);
        let builder = BatchBuilder::new(Compression::None).producer(
            ProducerId(offset % 2),
            ProducerEpoch(0),
            Sequence((offset / 2) as i32),
        );
        let bytes = keyed(builder, offset, &[(Some(&key), value.as_deref())]);
        log.stage(at, EPOCH, bytes, Origin::Client).map_err(refused)?;
        log.write_staged(at)?;
        log.set_high_watermark(log.ends().log_end);
        // Of what was not synced, the end of a segment may be lost and the next one stay: in a compacted log nobody
        // can tell that from a gap that compaction made.
        sync(log, at)?;
        on_durable(log.ends().durable_end);
    }
    log.roll(now(log.ends().log_end.0))?;
    sync(log, now(log.ends().log_end.0))?;
    on_durable(log.ends().durable_end);
    Ok(())
}

/// As a node does it.
fn compact(dir: &LogDir, log: &mut Log, at: i64) -> Result<(), CleanError> {
    let at = now(at);
    let Some(plan) = log.reader().cleanable(at.wall)?.filter(|plan| plan.is_due()) else { return Ok(()) };
    let Some(job) = log.clean_job(&plan, at) else { return Ok(()) };
    if plan.is_first {
        dir.write_first_dirty(&[log.checkpoint()])?;
    }
    let mut round = job.map(MEMORY, &mut Unhurried)?;
    swap_all(log, &mut round, at)?;
    assert!(log.cleaned(round.finish()?));
    dir.write_first_dirty(&[log.checkpoint()])?;
    Ok(())
}

fn read(log: &Log) -> Vec<(i64, (String, Option<String>))> {
    let mut found: Vec<(i64, _)> = Vec::new();
    for segment in log.segments().iter() {
        let mut scan = segment.scan(0, segment.size()).unwrap();
        while let Some((_, bytes)) = segment.step(scan.next_whole()).unwrap() {
            let whole = Bytes::copy_from_slice(bytes);
            for record in Records::new(&whole, &mut Decompressors::new(), 1 << 20).unwrap() {
                let record = record.unwrap();
                let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                assert!(found.last().is_none_or(|(last, _)| *last < record.offset.0));
                found.push((record.offset.0, (text(record.key.unwrap()), record.value.map(text))));
            }
        }
    }
    found
}

fn check(disk: &MemoryDisk, durable: Offset, what: &str) {
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    dir.begin().unwrap();
    let Some(found) = dir.partitions().unwrap().pop() else {
        assert_eq!(durable, Offset::ZERO, "{what}: the log is gone");
        return;
    };
    // The topic's configs are not known yet when a node opens its logs.
    let mut log = dir.open_log(&found, None, Arc::default(), now(500)).unwrap();
    log.update_config(Arc::new(config()));
    log.set_high_watermark(log.ends().log_end);
    let end = log.ends().log_end;
    assert!(end >= durable, "{what}: ends at {end}, durable was {durable}");
    let expect = newest((0..end.0).map(record));
    let check = |log: &Log, when: &str| {
        let mut records = read(log);
        records.retain(|(_, (key, _))| key != LATER);
        for (offset, found) in &records {
            assert_eq!(*found, record(*offset), "{what}, {when}");
            // Its time is its offset, and both indexes lead there.
            let timed = log.reader().offset_for_timestamp(*offset).unwrap().map(|found| found.offset.0);
            assert_eq!(timed, Some(*offset), "{what}, {when}");
            let piece = log.reader().read(Offset(*offset), log.ends().log_end, 1, true).unwrap().records;
            let bytes = piece.expect("it is there").to_bytes().unwrap();
            let batch = Batch::parse(&bytes).unwrap();
            assert_eq!(batch.base_offset().0, *offset, "{what}, {when}");
        }
        let found = newest(records.into_iter().map(|(_, record)| record));
        assert_eq!(found, expect, "{what}, {when}");
    };
    check(&log, "opened");
    for id in 0..2i64.min(end.0) {
        let last = (0..end.0).rev().find(|offset| offset % 2 == id).unwrap();
        let entry = log.producers().entries().find(|(it, _)| it.0 == id).map(|(_, entry)| entry.last_batch());
        let last_sequence = entry.flatten().map(|batch| batch.last_sequence.0);
        assert_eq!(last_sequence, Some((last / 2) as i32), "{what}: producer {id}");
    }
    // Twice, so that every tombstone gets its horizon and goes; each time there is something dirty.
    for at in [1000, 2000] {
        let later = keyed(BatchBuilder::new(Compression::None), at, &[(Some(LATER), Some("x"))]);
        append(&mut log, now(at), later).unwrap();
        log.roll(now(at)).unwrap();
        sync(&mut log, now(at)).unwrap();
        compact(&dir, &mut log, at).unwrap();
        check(&log, "compacted");
    }
}

#[test]
fn every_crash_state_keeps_the_last_values() {
    let mut states = 0;
    for segment_bytes in SEGMENT_BYTES {
        let (disk, recording) = RecorderDisk::new(MemoryDisk::new().shared());
        disk.create_dir_all(Path::new(DATA)).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let marks = recording.clone();
        run(Arc::new(disk), segment_bytes, &mut |end| marks.mark(end.0 as u64)).unwrap();
        states += recording.states(torn(), |state| {
            let what = format!("{segment_bytes}: {} changes, {:?}", state.changes, state.crash);
            check(&state.disk, Offset(state.mark as i64), &what);
        });
    }
    println!("{states} crash states of compactions");
    assert!(states > 600, "{states}");
}

#[test]
fn every_single_fault_leaves_a_log_that_opens() {
    let whole = disk();
    run(whole.shared(), SEGMENT_BYTES[0], &mut |_| {}).unwrap();
    let mut all = BTreeSet::new();
    for at in 0..whole.operations() {
        let error = [std::io::ErrorKind::Other, std::io::ErrorKind::StorageFull][at as usize % 2];
        let disk = disk();
        disk.plan(Fault::Once { at, error });
        let mut durable = Offset::ZERO;
        // Some faults are of no consequence, such as a file that is not removed.
        if let Err(CleanError::Failed(failed)) =
            run(disk.shared(), SEGMENT_BYTES[0], &mut |end| durable = end)
        {
            all.insert(told(&failed));
        }
        disk.crash(if at % 3 == 0 { Crash::KeepAll } else { Crash::LoseUnsynced });
        check(&disk, durable, &format!("{error:?} at operation {at}"));
    }
    assert!(whole.operations() > 500, "{}", whole.operations());
    let expect = [
        "create .log.cleaned",
        "write .log.cleaned",
        "sync .log.cleaned",
        "sync .index.cleaned",
        "sync .timeindex.cleaned",
        "rename .log.cleaned",
        "rename .log.swap",
        "rename .log",
        "write cleaner-offset-checkpoint",
    ];
    check_failed(&all, &expect);
}
