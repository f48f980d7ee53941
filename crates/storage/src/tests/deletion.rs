//! A scripted life of a directory in which a log is deleted, comes back under the same name as another topic's, and is
//! deleted again, while its neighbour stays.

use std::io;

use base::ids::{BrokerEpoch, TopicId};
use base::uuid::Uuid;

use super::*;
use crate::directory::DirKind;
use crate::disk::memory::{Crash, Fault};
use crate::disk::recorder::RecorderDisk;
use crate::log_dir::LogDir;

/// What a mark says: so many of the script's steps are over, and the newest of the two logs of one name ends there.
const STEP: u64 = 1000;
/// The neighbour is written first.
const NEIGHBOUR_END: i64 = 5;
/// Records below are deleted from the first log of the name, which is more than the second one gets.
const FIRST_START: i64 = 7;

fn config() -> Arc<LogConfig> {
    let config = LogConfig {
        segment_bytes: 400,
        index_interval_bytes: 100,
        file_delete_delay_ms: 1,
        ..small_config()
    };
    Arc::new(config)
}

fn topic(id: u128) -> TopicId {
    TopicId(Uuid::from_u128(id))
}

fn create(dir: &LogDir, name: &str, id: u128) -> Result<Log, Error> {
    let topic_partition = TopicPartition::new(name, 0);
    let spec = LogSpec {
        disk: dir.disk().clone(),
        dir: dir.path().join(topic_partition.dir_name()),
        topic_partition,
        topic_id: Some(topic(id)),
        config: config(),
    };
    Log::create(spec, now(0))
}

/// Appends records `<offset>/<topic id>`, each synced before the next.
fn write(log: &mut Log, count: i64, on_durable: &mut dyn FnMut(Offset)) -> Result<(), Error> {
    let id = log.topic_id().expect("it was made with one").0.as_u128();
    for _ in 0..count {
        let at = now(log.staged_end().0);
        let value = format!("{}/{id} {}", log.staged_end(), "x".repeat(60));
        log.stage(at, EPOCH, batch(&[(at.wall.0, &value)]), Origin::Client).map_err(refused)?;
        log.write_staged(at)?;
        log.set_high_watermark(log.ends().log_end);
        if let Some(job) = log.sync_job() {
            log.synced(job.run(), at)?;
        }
        log.check_online()?;
        on_durable(log.ends().durable_end);
    }
    Ok(())
}

/// As a node does it: the directory gets another name, the log is let go, the checkpoints forget it.
fn delete(
    dir: &LogDir,
    log: Log,
    unique: u128,
    rest: &[&Log],
    on_deleted: impl FnOnce(),
) -> Result<PathBuf, Error> {
    let name = log.topic_partition().renamed_dir(DirKind::Deleted, Uuid::from_u128(unique));
    let path = dir.path().join(name);
    log.reader().rename_dir(&path)?;
    on_deleted();
    drop(log);
    let rest: Vec<_> = rest.iter().map(|log| log.checkpoint()).collect();
    dir.write_checkpoints(&rest)?;
    Ok(path)
}

fn run(disk: Arc<dyn Disk>, mark: &mut dyn FnMut(u64)) -> Result<(), Error> {
    let mut dir = LogDir::open(disk, DATA)?;
    dir.begin()?;
    let mut neighbour = create(&dir, "neighbour", 9)?;
    write(&mut neighbour, NEIGHBOUR_END, &mut |_| {})?;
    mark(STEP);
    let mut log = create(&dir, "t", 1)?;
    write(&mut log, 12, &mut |end| mark(STEP + end.0 as u64))?;
    log.advance_log_start(Offset(FIRST_START))?;
    log.delete_old_segments(now(20))?;
    dir.write_checkpoints(&[log.checkpoint(), neighbour.checkpoint()])?;
    log.remove_deleted_files(now(30))?;
    // From here on nobody relies on it.
    mark(STEP);
    let first = delete(&dir, log, 100, &[&neighbour], || mark(2 * STEP))?;
    let mut log = create(&dir, "t", 2)?;
    write(&mut log, 6, &mut |end| mark(2 * STEP + end.0 as u64))?;
    dir.remove(&first)?;
    dir.write_checkpoints(&[log.checkpoint(), neighbour.checkpoint()])?;
    mark(2 * STEP);
    let second = delete(&dir, log, 101, &[&neighbour], || mark(3 * STEP))?;
    dir.remove(&second)?;
    let closed = neighbour.close(now(50))?;
    dir.stop(&[closed], BrokerEpoch(1))
}

fn check(disk: &MemoryDisk, mark: u64, what: &str) {
    let (step, durable) = (mark / STEP, (mark % STEP) as i64);
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    dir.begin().unwrap();
    let mut names = Vec::new();
    for found in dir.partitions().unwrap() {
        if found.kind == DirKind::Deleted {
            dir.remove(&found.path).unwrap();
            continue;
        }
        let name = found.topic_partition.topic.clone();
        names.push(name.clone());
        let log =
            dir.open_log(&found, None, config(), now(60)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (start, end) = (log.ends().log_start.0, log.ends().log_end.0);
        let records = read_all(&log.reader(), 1000);
        let Some(id) = log.topic_id().map(|id| id.0.as_u128()) else {
            assert!(records.is_empty(), "{what}: {name} has records and no id");
            continue;
        };
        let expect: Vec<String> = (start..end).map(|offset| format!("{offset}/{id}")).collect();
        let values: Vec<&str> = records.iter().map(|(_, value)| value.split(' ').next().unwrap()).collect();
        assert_eq!(values, expect, "{what}: {name}");
        match (name.as_str(), id) {
            ("neighbour", 9) if step >= 1 => assert_eq!((start, end), (0, NEIGHBOUR_END), "{what}"),
            ("neighbour", 9) => {}
            ("t", 1) => {
                assert!(step <= 1, "{what}: a deleted log is back");
                assert!(
                    start <= FIRST_START && end >= durable,
                    "{what}: {start} to {end}, durable was {durable}"
                );
            }
            ("t", 2) => {
                // What the first log of the name left in the checkpoints says nothing of this one.
                assert!(step <= 2 && start == 0 && (step < 2 || end >= durable), "{what}: {start} to {end}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert!(step == 0 || names.contains(&"neighbour".to_owned()), "{what}: {names:?}");
    assert!(durable == 0 || names.contains(&"t".to_owned()), "{what}: {names:?}");
    assert!(
        disk.files(Path::new(DATA)).iter().all(|path| !path.to_string_lossy().contains("-delete/")),
        "{what}"
    );
}

#[test]
fn every_crash_state_of_a_deletion_keeps_the_rest() {
    let (recorder, recording) = RecorderDisk::new(MemoryDisk::new().shared());
    let marks = recording.clone();
    run(Arc::new(recorder), &mut |mark| marks.mark(mark)).unwrap();
    let count = recording.states(torn(), |state| {
        let what = format!("{} changes, {:?}, mark {}", state.changes, state.crash, state.mark);
        check(&state.disk, state.mark, &what);
    });
    println!("{count} crash states of deletions");
    assert!(count > 200, "{count}");
}

#[test]
fn no_single_fault_of_a_deletion_leaves_what_cannot_be_opened() {
    let whole = MemoryDisk::new();
    run(whole.shared(), &mut |_| {}).unwrap();
    for at in 0..whole.operations() {
        let fault = match at % 2 {
            0 => Fault::Once { at, error: io::ErrorKind::Other },
            _ => Fault::From { at, error: io::ErrorKind::StorageFull },
        };
        let disk = MemoryDisk::new();
        disk.plan(fault);
        let mut reached = 0;
        let _ = run(disk.shared(), &mut |mark| reached = mark);
        let crash = [Crash::KeepAll, Crash::LoseUnsynced, Crash::Torn(at)][at as usize % 3];
        disk.crash(crash);
        check(&disk, reached, &format!("{fault:?} {crash:?}"));
    }
}
