//! Tests of whole logs, and what they share: a disk in memory, a clock that a test sets, and batches.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use base::time::{MonoTime, Now, WallTime};
use bytes::Bytes;
use wire::batch::Batches;
use wire::builder::BatchBuilder;
use wire::compress::{Compression, Decompressors};
use wire::record::Records;

use crate::append::{AppendRefusal, Appended, Origin};
use crate::config::LogConfig;
use crate::directory::TopicPartition;
use crate::disk::Disk;
use crate::disk::memory::MemoryDisk;
use crate::error::Error;
use crate::log::{Log, LogSpec, Recovery};
use crate::read::LogReader;

mod apache;
mod append;
mod clean;
mod crash_states;
mod deletion;
mod faults;
mod future;
mod killed;
mod log_dir;
mod model;
mod read;
mod recover;
mod retention;
mod script;

pub(crate) const DATA: &str = "/data";
pub(crate) const EPOCH: LeaderEpoch = LeaderEpoch(0);

/// How much of a test that can be made longer runs: a number in the environment, or `default`.
#[expect(clippy::disallowed_methods, reason = "the length of a run is no setting of the node")]
pub(crate) fn scale(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|it| it.parse().ok()).unwrap_or(default)
}

/// How many of the seeded mixtures of what was synced and what was not are made for each moment of a recorded run.
/// `STORAGE_TORN=60` makes more than 10,000 crash states of all runs together.
pub(crate) fn torn() -> u64 {
    scale("STORAGE_TORN", 2)
}

/// Kafka's defaults, but segments that hold a few batches and an index entry for nearly each.
pub(crate) fn small_config() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, ..LogConfig::default() }
}

pub(crate) fn now(ms: i64) -> Now {
    Now { wall: WallTime(ms), mono: MonoTime(ms as u64 * 1_000_000) }
}

pub(crate) fn spec(disk: Arc<dyn Disk>, config: LogConfig) -> LogSpec {
    LogSpec {
        disk,
        dir: PathBuf::from(DATA).join("t-0"),
        topic_partition: TopicPartition::new("t", 0),
        topic_id: None,
        config: Arc::new(config),
    }
}

pub(crate) fn disk() -> MemoryDisk {
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new(DATA)).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// A batch whose records have these timestamps and values, as a producer sends it.
pub(crate) fn batch(records: &[(i64, &str)]) -> Bytes {
    filled(BatchBuilder::new(Compression::None), records)
}

/// The same from an idempotent producer.
pub(crate) fn idempotent(id: i64, epoch: i16, sequence: i32, records: &[(i64, &str)]) -> Bytes {
    let builder = BatchBuilder::new(Compression::None);
    filled(builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence)), records)
}

pub(crate) fn filled(mut builder: BatchBuilder, records: &[(i64, &str)]) -> Bytes {
    for (timestamp, value) in records {
        builder.append(*timestamp, None, Some(value.as_bytes()), &[]);
    }
    builder.finish()
}

/// Every one of `expect` is among the operations that failed at some time.
pub(crate) fn check_failed(all: &BTreeSet<String>, expect: &[&str]) {
    let missing: Vec<_> = expect.iter().filter(|expect| !all.contains(**expect)).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "{all:?}");
}

/// For scripts that end with the first failure: the disk's, in the words of the refusal.
pub(crate) fn refused(refusal: AppendRefusal) -> Error {
    Error::Refused { path: DATA.into(), reason: refusal.reason }
}

/// Appends and writes one batch; everything is committed at once.
pub(crate) fn append(log: &mut Log, at: Now, bytes: Bytes) -> Result<Appended, AppendRefusal> {
    let appended = log.stage(at, EPOCH, bytes, Origin::Client)?;
    log.write_staged(at).unwrap();
    log.set_high_watermark(log.ends().log_end);
    Ok(appended)
}

pub(crate) fn open(disk: &MemoryDisk, config: LogConfig, recovery: Recovery, at: Now) -> Log {
    Log::open(spec(disk.shared(), config), recovery, at).unwrap()
}

/// What is known of a log after a crash, if no checkpoint was ever written.
pub(crate) const CRASHED: Recovery = Recovery { clean: false, ..Recovery::NEW };

/// The same if only the process crashed, and nothing else since the log was opened.
pub(crate) const KILLED: Recovery = Recovery { kept: true, ..CRASHED };

/// Everything that can be read from the log's start to its end, in reads of `max_bytes`.
pub(crate) fn read_all(reader: &LogReader, max_bytes: usize) -> Vec<(i64, String)> {
    let mut records = Vec::new();
    let mut from = reader.ends().log_start;
    let end = reader.ends().log_end;
    while from < end {
        let found = reader.read(from, end, max_bytes, true).unwrap();
        let Some(piece) = found.records else { break };
        let bytes = piece.to_bytes().unwrap();
        let mut next = from;
        for (offset, value) in records_of(&bytes) {
            if offset >= from.0 {
                records.push((offset, value));
            }
            next = Offset(offset + 1);
        }
        assert!(next > from, "a read that is not empty goes on");
        from = next;
    }
    records
}

/// Offsets and values of the whole batches at the begin of `bytes`.
pub(crate) fn records_of(bytes: &Bytes) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut position = 0;
    for batch in Batches::new(bytes) {
        let Ok(batch) = batch else { break };
        assert!(batch.is_crc_valid());
        let one = bytes.slice(position..position + batch.size());
        position += batch.size();
        for record in Records::new(&one, &mut Decompressors::new(), 1 << 20).unwrap() {
            let record = record.unwrap();
            found.push((record.offset.0, String::from_utf8(record.value.unwrap().to_vec()).unwrap()));
        }
    }
    found
}
