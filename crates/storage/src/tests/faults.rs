//! A fault at every file operation of a scripted run, one at a time.

use std::io;

use super::script::{Mode, check, run};
use super::*;
use crate::disk::memory::{Crash, Fault};

/// Runs the script with a fault; what was durable when it ended.
fn run_with(disk: &MemoryDisk, mode: Mode, fault: Option<Fault>) -> (Offset, bool) {
    if let Some(fault) = fault {
        disk.plan(fault);
    }
    let mut durable = Offset::ZERO;
    let done = run(disk.shared(), mode, &mut |end| durable = end).is_ok();
    (durable, done)
}

#[test]
fn no_single_fault_leaves_what_cannot_be_opened() {
    let mut failed = 0;
    for mode in [Mode::Durable, Mode::Default] {
        let whole = MemoryDisk::new();
        assert!(run_with(&whole, mode, None).1);
        let operations = whole.operations();
        for at in 0..operations {
            // A passing error, and a disk that stays full: in turn, because each run costs a whole script.
            let fault = match at % 2 {
                0 => Fault::Once { at, error: io::ErrorKind::Other },
                _ => Fault::From { at, error: io::ErrorKind::StorageFull },
            };
            let disk = MemoryDisk::new();
            let (durable, done) = run_with(&disk, mode, Some(fault));
            failed += usize::from(!done);
            let crash = [Crash::KeepAll, Crash::LoseUnsynced, Crash::Torn(at)][at as usize % 3];
            disk.crash(crash);
            check(&disk, durable, &format!("{mode:?} {fault:?} {crash:?}"));
        }
    }
    assert!(failed > 500, "only {failed} faults were noticed");
}

#[test]
fn a_full_disk_takes_the_log_offline_and_loses_nothing() {
    for left in (0..6000).step_by(97) {
        let disk = MemoryDisk::new();
        let (durable, _) = run_with(&disk, Mode::Durable, Some(Fault::Full { left }));
        disk.crash(Crash::KeepAll);
        check(&disk, durable, &format!("{left} bytes"));
    }
}

#[test]
fn a_failed_write_or_sync_is_final() {
    for operation in [crate::disk::memory::Operation::Write, crate::disk::memory::Operation::Sync] {
        let disk = disk();
        let mut log = Log::create(spec(disk.shared(), small_config()), now(0)).unwrap();
        append(&mut log, now(0), batch(&[(0, "x")])).unwrap();
        disk.plan(Fault::Every { operation, error: io::ErrorKind::Other });
        log.stage(now(0), EPOCH, batch(&[(0, "y")]), Origin::Client).unwrap();
        let result = log.write_staged(now(0)).and_then(|()| match log.sync_job() {
            Some(job) => log.synced(job.run(), now(0)),
            None => Ok(()),
        });
        assert!(result.is_err() && log.is_offline());
        disk.plan(Fault::Once { at: 0, error: io::ErrorKind::Other });
        let refusal = log.stage(now(0), EPOCH, batch(&[(0, "z")]), Origin::Client).unwrap_err();
        assert_eq!(refusal.code, base::error_code::ErrorCode::KAFKA_STORAGE_ERROR);
        assert!(log.sync_job().is_none() && log.roll(now(0)).is_err());
        // What was there before is still read.
        assert_eq!(read_all(&log.reader(), 1000)[0], (0, "x".to_owned()));
    }
}
