//! A fault at every file operation of a scripted run, one at a time.

use std::collections::BTreeSet;
use std::io;

use super::script::{Mode, check, run};
use super::*;
use crate::disk::memory::{Crash, Fault};

/// Runs the script with a fault; what was durable when it ended, and how.
fn run_with(disk: &MemoryDisk, mode: Mode, fault: Option<Fault>) -> (Offset, Result<(), Error>) {
    if let Some(fault) = fault {
        disk.plan(fault);
    }
    let mut durable = Offset::ZERO;
    let done = run(disk.shared(), mode, &mut |end| durable = end);
    (durable, done)
}

/// What was tried, and the end of the name of what it was tried on: `write .log`, `sync t-0`.
pub(super) fn told(error: &Error) -> String {
    let text = match error {
        // A roll in the middle of an append.
        Error::Refused { reason, .. } => reason.clone(),
        other => other.to_string(),
    };
    let (action, rest) = text.split_once(" /").unwrap_or_else(|| panic!("names no file: {text}"));
    let path = rest.split(": ").next().unwrap();
    let name = path.rsplit('/').next().unwrap();
    let is_of_segment = name.starts_with(|first: char| first.is_ascii_digit());
    format!("{action} {}", if is_of_segment { &name[name.find('.').unwrap()..] } else { name })
}

#[test]
fn every_fault_is_told_with_its_file() {
    let whole = MemoryDisk::new();
    run_with(&whole, Mode::Durable, None).1.unwrap();
    let mut all = BTreeSet::new();
    for at in 0..whole.operations() {
        for error in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
            let disk = MemoryDisk::new();
            if let (_, Err(failed)) = run_with(&disk, Mode::Durable, Some(Fault::Once { at, error })) {
                all.insert(told(&failed));
            }
        }
    }
    let expect = [
        "create .log",
        "write .log",
        "sync .log",
        "cut .log",
        "rename .log",
        "remove .log.deleted",
        "write .index",
        "sync .index",
        "cut .index",
        "write .timeindex",
        "sync .timeindex",
        "cut .timeindex",
        "create .snapshot",
        "write .snapshot",
        "sync .snapshot",
        "sync t-0",
        "write leader-epoch-checkpoint",
        "write recovery-point-offset-checkpoint",
        "write log-start-offset-checkpoint",
        "write replication-offset-checkpoint",
        "write .kafka_cleanshutdown",
        "remove .kafka_cleanshutdown",
        "lock .lock",
    ];
    check_failed(&all, &expect);
}

#[test]
fn no_single_fault_leaves_what_cannot_be_opened() {
    let mut failed = 0;
    for mode in [Mode::Durable, Mode::Default] {
        let whole = MemoryDisk::new();
        run_with(&whole, mode, None).1.unwrap();
        let operations = whole.operations();
        for at in 0..operations {
            // A passing error, and a disk that stays full: in turn, because each run costs a whole script.
            let fault = match at % 2 {
                0 => Fault::Once { at, error: io::ErrorKind::Other },
                _ => Fault::From { at, error: io::ErrorKind::StorageFull },
            };
            let disk = MemoryDisk::new();
            let (durable, done) = run_with(&disk, mode, Some(fault));
            failed += usize::from(done.is_err());
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
        assert!(log.close(now(0)).is_err(), "a part of the second batch may be there");
    }
}
