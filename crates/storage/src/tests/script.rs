//! A scripted life of a log directory: append, roll, sync, checkpoint, retention, cut, clean stop and start again. Crashes and
//! faults are put between any two of its steps.

use base::ids::{BrokerEpoch, DirectoryId, NodeId, TopicId};
use base::uuid::Uuid;

use super::*;
use crate::directory::FileKind;
use crate::disk::{Disk, memory};
use crate::epochs::{EpochStart, epoch_of, read_entries};
use crate::log_dir::LogDir;
use crate::meta_properties::MetaProperties;
use crate::verify::verify;

const TOPIC_ID: TopicId = TopicId(Uuid::ONE);

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Synced before each acknowledgement.
    Durable,
    /// Synced in the background after rolls.
    Default,
}

/// Told of each moment after which this much must survive.
pub(super) type OnDurable<'a> = &'a mut dyn FnMut(Offset);

pub(super) fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 600,
        index_interval_bytes: 100,
        retention_bytes: 1500,
        retention_ms: -1,
        file_delete_delay_ms: 1,
        ..LogConfig::default()
    }
}

/// The script. Values are `<offset>a`, and `<offset>b` for what is appended after the cut.
pub(super) fn run(disk: Arc<dyn Disk>, mode: Mode, on_durable: OnDurable<'_>) -> Result<(), Error> {
    let mut dir = LogDir::open(disk.clone(), DATA)?;
    dir.format(MetaProperties::new("c", NodeId(1), DirectoryId::LOST))?;
    dir.begin()?;
    let mut log = Log::create(LogSpec { topic_id: Some(TOPIC_ID), ..spec(disk.clone(), config()) }, now(0))?;
    dir.opened()?;
    append_run(&mut log, mode, 0..12, 'a', on_durable)?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    append_run(&mut log, mode, 12..20, 'a', on_durable)?;
    log.delete_old_segments(now(20))?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    log.remove_deleted_files(now(25))?;
    append_run(&mut log, mode, 20..26, 'a', on_durable)?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    // Who asks for a cut gives up what is behind it.
    let cut = Offset(14);
    on_durable(log.ends().durable_end.min(cut));
    log.truncate_to(cut, now(26))?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    append_run(&mut log, mode, 14..28, 'b', on_durable)?;
    let closed = log.close(now(28))?;
    on_durable(closed.recovery_point);
    dir.stop(&[closed], BrokerEpoch(1))?;

    let mut dir = LogDir::open(disk.clone(), DATA)?;
    let mut log = reopen(&mut dir)?.expect("a stopped log is there");
    dir.opened()?;
    append_run(&mut log, mode, 28..31, 'b', on_durable)?;
    log.roll(now(31))?;
    append_run(&mut log, mode, 31..33, 'b', on_durable)?;
    dir.write_checkpoints(&[log.checkpoint()])?;
    log.roll(now(33))?;
    let closed = log.close(now(33))?;
    on_durable(closed.recovery_point);
    dir.stop(&[closed], BrokerEpoch(2))
}

/// Opens the one log of a directory; `None` if it is not there.
pub(super) fn reopen(dir: &mut LogDir) -> Result<Option<Log>, Error> {
    dir.begin()?;
    let Some(found) = dir.partitions()?.pop() else { return Ok(None) };
    dir.open_log(&found, None, Arc::new(config()), now(40)).map(Some)
}

fn append_run(
    log: &mut Log,
    mode: Mode,
    offsets: std::ops::Range<i32>,
    generation: char,
    on_durable: OnDurable<'_>,
) -> Result<(), Error> {
    for offset in offsets {
        let at = now(offset.into());
        let value = format!("{offset}{generation} {}", "x".repeat((offset as usize * 37) % 120));
        let bytes = idempotent(1, 0, offset, &[(offset.into(), &value)]);
        log.stage(at, LeaderEpoch(offset / 10), bytes, Origin::Client).map_err(refused)?;
        log.write_staged(at)?;
        log.set_high_watermark(log.ends().log_end);
        let job = match mode {
            Mode::Durable => log.sync_job(),
            Mode::Default => log.background_sync_job(),
        };
        if let Some(job) = job {
            log.synced(job.run(), at)?;
            on_durable(log.ends().durable_end);
        }
    }
    Ok(())
}

/// Opens what a crash left and looks at all of it: it must hold at least what was durable, nothing that was never
/// written, no hole, and go on.
pub(super) fn check(disk: &memory::MemoryDisk, durable: Offset, what: &str) {
    let mut dir = LogDir::open(disk.shared(), DATA).unwrap();
    if dir.clean_shutdown().is_some() {
        let wrong: Vec<_> = verify(disk, Path::new(DATA)).unwrap().wrong().map(ToString::to_string).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{what}");
    }
    let clean = dir.clean_shutdown().map(|_| dir.recovery(&TopicPartition::new("t", 0)));
    let opened = reopen(&mut dir).unwrap_or_else(|error| panic!("{what}: {error}"));
    let Some(mut log) = opened else {
        assert_eq!(durable, Offset::ZERO, "{what}: the log is gone");
        return;
    };
    let ends = log.ends();
    assert!(ends.log_end >= durable, "{what}: ends at {}, durable was {durable}", ends.log_end);
    if let Some(recovery) = clean {
        // The mark is written when everything else is.
        assert_eq!(
            (recovery.recovery_point, recovery.high_watermark),
            (ends.log_end, ends.log_end),
            "{what}"
        );
    }
    let records = read_all(&log.reader(), 400);
    let offsets: Vec<i64> = records.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (ends.log_start.0..ends.log_end.0).collect::<Vec<_>>(), "{what}");
    check_beside(&log, what);
    let mut generation = 'a';
    for (offset, value) in &records {
        let word = value.split(' ').next().unwrap();
        let own = word.strip_prefix(&offset.to_string()).unwrap_or_else(|| panic!("{what}: {offset} {word}"));
        assert!(
            ["a", "b"].contains(&own) && own.chars().next().unwrap() >= generation,
            "{what}: {offset} {word}"
        );
        generation = own.chars().next().unwrap();
    }
    for timestamp in [0, ends.log_start.0, ends.log_end.0 - 1] {
        let found = log.reader().offset_for_timestamp(timestamp).unwrap();
        let expect = (!records.is_empty()).then(|| timestamp.max(ends.log_start.0));
        assert_eq!(found.map(|found| found.offset.0), expect, "{what}: {timestamp}");
    }
    // The producer goes on where the log ends; what it sent last is known.
    let next = ends.log_end.0 as i32;
    if !log.producers().is_empty() {
        let again = idempotent(1, 0, next + 1, &[(50, "x")]);
        assert!(
            log.stage(now(50), LeaderEpoch(9), again, Origin::Client).is_err(),
            "{what}: a gap of sequences"
        );
    }
    log.stage(now(50), LeaderEpoch(9), idempotent(1, 0, next, &[(50, "x")]), Origin::Client).unwrap();
    log.write_staged(now(50)).unwrap();
    assert_eq!(read_all(&log.reader(), 400).len(), records.len() + 1, "{what}");
}

/// Epochs and snapshots speak of what is there, in memory and on disk.
fn check_beside(log: &Log, what: &str) {
    let ends = log.ends();
    let of = |starts: &[EpochStart]| -> Vec<Option<i32>> {
        let offsets = ends.log_start.0..ends.log_end.0;
        offsets.map(|offset| epoch_of(starts, Offset(offset)).map(|epoch| epoch.0)).collect()
    };
    let expect: Vec<Option<i32>> =
        (ends.log_start.0..ends.log_end.0).map(|offset| Some(offset as i32 / 10)).collect();
    let disk = log.home.disk();
    let stored = read_entries(disk, &log.dir().join(crate::epochs::FILE_NAME)).unwrap();
    assert_eq!(of(&stored), expect, "{what}");
    assert!(stored.last().is_none_or(|last| last.start < ends.log_end), "{what}: {stored:?}");
    assert_eq!(log.reader().epochs().latest(), stored.last().map(|last| last.epoch), "{what}");
    for entry in disk.list(&log.dir()).unwrap() {
        if let Some((at, FileKind::ProducerSnapshot)) = FileKind::parse(&entry.name) {
            assert!(at <= ends.log_end, "{what}: {}", entry.name);
        }
    }
}
