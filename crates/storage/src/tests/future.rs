//! A log that is moved to another directory while it is written.

use base::uuid::Uuid;

use super::*;
use crate::directory::DirKind;
use crate::disk::recorder::RecorderDisk;
use crate::future::MoveError;
use crate::log_dir::LogDir;

const DIRS: [&str; 2] = ["/a", "/b"];

fn name(kind: DirKind) -> String {
    TopicPartition::new("t", 0).renamed_dir(kind, Uuid::from_u128(7))
}

fn spec_in(disk: &Arc<dyn Disk>, dir: &str, kind: DirKind) -> LogSpec {
    LogSpec { dir: Path::new(dir).join(name(kind)), ..spec(disk.clone(), small_config()) }
}

fn write(log: &mut Log, count: i32) {
    for _ in 0..count {
        let offset = log.ends().log_end.0;
        let value = format!("{offset} {}", "x".repeat(60));
        append(log, now(offset), idempotent(1, 0, offset as i32, &[(offset, &value)])).unwrap();
    }
}

fn sync(log: &mut Log) -> Offset {
    if let Some(job) = log.sync_job() {
        log.synced(job.run(), now(0)).unwrap();
    }
    log.ends().durable_end
}

fn open_both(disk: &Arc<dyn Disk>) -> [LogDir; 2] {
    DIRS.map(|path| {
        let mut dir = LogDir::open(disk.clone(), path).unwrap();
        dir.begin().unwrap();
        dir
    })
}

/// Writes, moves from the first directory to the second and writes on; every record is synced before the next.
fn run(disk: &Arc<dyn Disk>, mark: &mut dyn FnMut(Offset)) -> Log {
    let _dirs = open_both(disk);
    let mut log = Log::create(spec_in(disk, DIRS[0], DirKind::Current), now(0)).unwrap();
    for _ in 0..20 {
        write(&mut log, 1);
        mark(sync(&mut log));
    }
    log.advance_log_start(Offset(3)).unwrap();
    let reader = log.reader();
    let spec = spec_in(disk, DIRS[1], DirKind::Future);
    let mut future = Log::create_future(spec, &reader, now(20)).unwrap();
    while future.ends().log_end < Offset(15) {
        assert!(future.copy_from(&reader, 300, now(20)).unwrap() > 0);
    }
    write(&mut log, 2);
    mark(sync(&mut log));
    // What is written while a sync is under way and the log moves is durable after the move.
    write(&mut log, 1);
    let under_way = log.sync_job().unwrap();
    let set_aside = Path::new(DIRS[0]).join(name(DirKind::Deleted));
    log.replace_by(future, &set_aside, now(23)).unwrap().unwrap();
    mark(log.ends().durable_end);
    assert_eq!(log.ends().durable_end, log.ends().log_end);
    log.synced(under_way.run(), now(23)).unwrap();
    for _ in 0..5 {
        write(&mut log, 1);
        mark(sync(&mut log));
    }
    assert!(Arc::ptr_eq(&reader, &log.reader()), "readers do not notice");
    log
}

#[test]
fn nobody_notices_a_move() {
    let memory = MemoryDisk::new();
    let disk = memory.shared();
    let mut log = run(&disk, &mut |_| {});
    assert_eq!(&*log.reader().dir(), Path::new(DIRS[1]).join("t-0"));
    let records = read_all(&log.reader(), 200);
    assert_eq!(records.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), (3..28).collect::<Vec<_>>());
    let ends = log.ends();
    assert_eq!((ends.log_start, ends.high_watermark, ends.last_stable), (Offset(3), Offset(28), Offset(28)));
    assert_eq!(log.reader().epoch_of(Offset(10)), Some(EPOCH));
    assert_eq!(log.reader().offset_for_timestamp(12).unwrap().unwrap().offset, Offset(12));
    let again = log.stage(now(30), EPOCH, idempotent(1, 0, 27, &[(27, "27")]), Origin::Client).unwrap();
    assert!(again.duplicate, "producers are known as before");
    let names: Vec<String> =
        disk.list(Path::new(DIRS[0])).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(names.contains(&name(DirKind::Deleted)) && !names.contains(&"t-0".to_owned()), "{names:?}");
}

#[test]
fn a_cut_source_is_followed() {
    let disk = MemoryDisk::new().shared();
    let _dirs = open_both(&disk);
    let mut log = Log::create(spec_in(&disk, DIRS[0], DirKind::Current), now(0)).unwrap();
    write(&mut log, 10);
    let spec = spec_in(&disk, DIRS[1], DirKind::Future);
    let mut future = Log::create_future(spec, &log.reader(), now(0)).unwrap();
    while future.copy_from(&log.reader(), 1000, now(0)).unwrap() > 0 {}
    log.truncate_to(Offset(6), now(0)).unwrap();
    let other = idempotent(2, 0, 0, &[(6, "other")]);
    log.stage(now(6), LeaderEpoch(1), other, Origin::Client).unwrap();
    log.write_staged(now(6)).unwrap();
    while future.copy_from(&log.reader(), 1000, now(0)).unwrap() > 0 {}
    assert_eq!(read_all(&future.reader(), 1000), read_all(&log.reader(), 1000));
    assert_eq!(read_all(&future.reader(), 1000).last().unwrap(), &(6, "other".to_owned()));
}

#[test]
fn a_move_that_fails_leaves_the_log_as_it_was() {
    let operations = {
        let disk = MemoryDisk::new();
        run(&disk.shared(), &mut |_| {});
        disk.operations()
    };
    let mut failed = 0;
    for at in 0..operations {
        let memory = MemoryDisk::new();
        let disk = memory.shared();
        let _dirs = open_both(&disk);
        let mut log = Log::create(spec_in(&disk, DIRS[0], DirKind::Current), now(0)).unwrap();
        write(&mut log, 10);
        sync(&mut log);
        let begin = memory.operations();
        memory.plan(crate::disk::memory::Fault::Once { at: begin + at, error: std::io::ErrorKind::Other });
        let spec = spec_in(&disk, DIRS[1], DirKind::Future);
        let moved =
            Log::create_future(spec, &log.reader(), now(0)).map_err(MoveError::Target).and_then(|future| {
                log.replace_by(future, &Path::new(DIRS[0]).join(name(DirKind::Deleted)), now(0))
            });
        if let Err(error) = moved {
            failed += 1;
            let in_source = matches!(error, MoveError::Source(_));
            assert!(!in_source || error.to_string().contains("/a/"), "operation {at}: {error}");
        }
        memory.plan(crate::disk::memory::Fault::Full { left: usize::MAX });
        assert_eq!(read_all(&log.reader(), 1000).len(), 10, "operation {at}");
        write(&mut log, 1);
    }
    assert!(failed > 10, "{failed}");
}

#[test]
fn every_crash_state_has_the_replica_with_all_that_was_durable() {
    let (recorder, recording) = RecorderDisk::new(MemoryDisk::new().shared());
    let (disk, marks): (Arc<dyn Disk>, _) = (Arc::new(recorder), recording.clone());
    run(&disk, &mut |durable| marks.mark(durable.0 as u64));
    let mut both = 0;
    let count = recording.states(torn(), |state| {
        let what = format!("{} changes, {:?}", state.changes, state.crash);
        let mut logs = Vec::new();
        for dir in open_both(&state.disk.shared()) {
            for found in dir.partitions().unwrap().into_iter().filter(|found| found.kind == DirKind::Current)
            {
                logs.push(dir.open_log(&found, None, Arc::new(small_config()), now(40)).unwrap());
            }
        }
        both += usize::from(logs.len() == 2);
        // As a broker chooses when both are there.
        let Some(log) = logs.iter().max_by_key(|log| log.ends().log_end) else {
            assert_eq!(state.mark, 0, "{what}: the replica is gone");
            return;
        };
        let records = read_all(&log.reader(), 1000);
        let (start, end) = (log.ends().log_start.0, log.ends().log_end.0);
        assert!(end >= state.mark as i64, "{what}: ends at {end}, {} were durable", state.mark);
        assert_eq!(
            records.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(),
            (start..end).collect::<Vec<_>>(),
            "{what}"
        );
    });
    println!("{count} crash states of a move, {both} with the replica in both directories");
    assert!(count > 150 && both > 0, "{count} {both}");
}
