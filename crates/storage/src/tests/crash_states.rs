//! Every state that a crash may leave of a scripted run.

use std::io::IoSlice;

use super::script::{Mode, check, reopen, run};
use super::*;
use crate::directory::FileKind;
use crate::disk::OpenMode;
use crate::disk::memory::Crash;
use crate::disk::recorder::RecorderDisk;
use crate::incarnation;
use crate::log_dir::LogDir;

#[test]
fn every_crash_state_opens_with_all_that_was_durable() {
    let mut count = 0;
    for mode in [Mode::Durable, Mode::Default] {
        let (recorder, recording) = RecorderDisk::new(disk_without_names());
        let marks = recording.clone();
        run(Arc::new(recorder), mode, &mut |durable| marks.mark(durable.0 as u64)).unwrap();
        count += recording.states(torn(), |state| {
            let what = format!("{mode:?}, {} changes, {:?}", state.changes, state.crash);
            if state.crash == Crash::KeepAll {
                assert_a_look_is_as_good_as_a_scan(&state.disk, &what);
            }
            check(&state.disk, Offset(state.mark as i64), &what);
        });
    }
    println!("{count} crash states of appends, rolls, retention, cuts and checkpoints");
    assert!(count > 600, "{count}");
}

fn disk_without_names() -> Arc<dyn Disk> {
    MemoryDisk::new().shared()
}

/// A log of many segments, one of them damaged, with nothing to go by but the files.
fn damaged(disk: &Arc<dyn Disk>) -> usize {
    disk.create_dir_all(Path::new(DATA)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let mut log = Log::create(spec(disk.clone(), small_config()), now(0)).unwrap();
    for n in 0..60 {
        append(&mut log, now(n), idempotent(1, 0, n as i32, &[(n, &format!("{n} {}", "x".repeat(50)))]))
            .unwrap();
    }
    let (damaged, size) = (log.segments()[2].base(), log.segments()[2].size());
    assert!(log.segments().len() > 6);
    log.close(now(60)).unwrap();
    let path = FileKind::Log.path(&Path::new(DATA).join("t-0"), damaged);
    let file = disk.open(&path, OpenMode::Write).unwrap();
    file.write_at(&mut [IoSlice::new(&[0x55; 20])], size / 2).unwrap();
    file.sync_data().unwrap();
    damaged.0 as usize
}

#[test]
fn a_crash_in_the_middle_of_a_recovery_leaves_no_hole() {
    let (recorder, recording) = RecorderDisk::new(disk_without_names());
    let disk: Arc<dyn Disk> = Arc::new(recorder);
    let sound = damaged(&disk);
    recording.mark(1);
    // Where gaps may be, nothing but the order of removals keeps a hole away.
    let recovery = Recovery { first_dirty: Some(Offset::ZERO), ..CRASHED };
    drop(Log::open(spec(disk, small_config()), recovery, now(70)).unwrap());
    let (mut count, mut shortest) = (0, usize::MAX);
    recording.states(torn(), |state| {
        if state.mark == 0 {
            return;
        }
        let what = format!("{} changes, {:?}", state.changes, state.crash);
        let log = open(&state.disk, small_config(), recovery, now(80));
        let records = read_all(&log.reader(), 400);
        assert!(records.len() >= sound, "{what}: {}", records.len());
        let expect: Vec<i64> = (0..records.len() as i64).collect();
        assert_eq!(records.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), expect, "{what}");
        (count, shortest) = (count + 1, shortest.min(records.len()));
    });
    println!("{count} crash states of a recovery");
    assert!(count > 20 && shortest < 60, "{count} {shortest}");
}

/// After a crash of the process alone, the log that is taken over is the one that reading all of it gives.
fn assert_a_look_is_as_good_as_a_scan(disk: &MemoryDisk, what: &str) {
    let logs = [true, false].map(|kept| {
        let disk = disk.copy();
        if !kept {
            let _ = disk.remove_file(&Path::new(DATA).join(incarnation::FILE_NAME));
        }
        let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
        reopen(&mut dir).unwrap_or_else(|error| panic!("{what}: {error}"))
    });
    let [Some(taken_over), Some(scanned)] = logs else {
        return assert!(logs.iter().all(Option::is_none), "{what}");
    };
    assert_eq!(taken_over.ends(), scanned.ends(), "{what}");
    // Of older batches than a producer's newest a snapshot knows nothing, as after a clean stop.
    assert_eq!(taken_over.producers().to_snapshot(), scanned.producers().to_snapshot(), "{what}");
    assert_eq!(*taken_over.reader().epochs(), *scanned.reader().epochs(), "{what}");
    let (taken_over, scanned) = (taken_over.reader(), scanned.reader());
    assert_eq!(read_all(&taken_over, 400), read_all(&scanned, 400), "{what}");
    for timestamp in 0..35 {
        let found = [&taken_over, &scanned].map(|log| log.offset_for_timestamp(timestamp).unwrap());
        assert_eq!(found[0], found[1], "{what}: {timestamp}");
    }
}
