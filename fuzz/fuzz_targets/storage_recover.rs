//! A partition's directory with arbitrary files: opening it never panics, what it yields can be read and appended to, and
//! memory stays within a small multiple of the files.
//!
//! The input is a list of files: one byte of kind, one of base offset, one of flags, two of length, the bytes. A flag turns
//! the bytes of a log into a whole batch with a right checksum, so that recovery goes beyond the first batch.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use base::time::{MonoTime, Now, WallTime};
use libfuzzer_sys::fuzz_target;
use storage::append::Origin;
use storage::config::{CleanupPolicy, LogConfig};
use storage::directory::{FileKind, TopicPartition};
use storage::disk::Disk;
use storage::disk::memory::MemoryDisk;
use storage::log::{Log, LogSpec, Recovery};
use storage::log_dir::LogDir;
use wire::builder::BatchBuilder;
use wire::compress::Compression;

const DIR: &str = "/data/t-0";
/// A byte of input becomes at most this many on the disk, which is in memory too.
const DISK_FACTOR: usize = 16;

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, point, start, end], mut rest)) = input.split_first_chunk() else { return };
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new(DIR)).expect("a disk in memory");
    while let Some((&[kind, base, flags, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (content, after) = after.split_at(length);
        rest = after;
        disk.set_content(&path(kind, base), &content_of(flags, base, content));
    }
    let config = LogConfig {
        segment_bytes: 4096,
        index_interval_bytes: 64,
        cleanup_policy: if mode & 2 == 0 { CleanupPolicy::DELETE } else { CleanupPolicy::COMPACT },
        ..LogConfig::default()
    };
    let recovery = Recovery {
        clean: mode & 1 == 0,
        kept: mode & 8 != 0,
        recovery_point: Offset(point.into()),
        log_start: Offset(start.into()),
        high_watermark: Offset(end.into()),
        first_dirty: (mode & 4 != 0).then_some(Offset(point.into())),
    };
    if let Ok(dir) = LogDir::open(disk.shared(), "/data") {
        let _ = dir.partitions();
    }
    let spec = LogSpec {
        disk: disk.shared(),
        dir: PathBuf::from(DIR),
        topic_partition: TopicPartition::new("t", 0),
        topic_id: None,
        config: Arc::new(config),
    };
    if let Ok(log) = fuzz::bounded(input.len() * DISK_FACTOR, || Log::open(spec, recovery, now())) {
        live_on(log);
    }
});

/// What a broker does with a log that it has opened.
fn live_on(mut log: Log) {
    let reader = log.reader();
    let ends = reader.ends();
    assert!(ends.log_start <= ends.high_watermark && ends.high_watermark <= ends.log_end);
    for from in
        [ends.log_start, Offset(ends.log_start.0 + (ends.log_end.0 - ends.log_start.0) / 2), ends.log_end]
    {
        if let Ok(found) = reader.read(from, ends.log_end, 4096, true)
            && let Some(records) = found.records
        {
            let _ = records.to_bytes();
        }
    }
    let _ = reader.offset_for_timestamp(0);
    let _ = reader.offset_of_max_timestamp();
    let _ = reader.aborted_transactions(ends.log_start, ends.log_end);
    let mut builder = BatchBuilder::new(Compression::None);
    builder = builder.producer(ProducerId(1), ProducerEpoch(0), Sequence(0));
    builder.append(1, Some(b"key"), Some(b"value"), &[]);
    if log.stage(now(), LeaderEpoch(3), builder.finish(), Origin::Client).is_ok() {
        log.write_staged(now()).expect("a disk in memory");
    }
    let _ = log.delete_old_segments(now());
    let middle = Offset(ends.log_start.0 + (ends.log_end.0 - ends.log_start.0) / 2);
    let _ = log.truncate_to(middle, now());
    let _ = log.close(now());
}

fn path(kind: u8, base: u8) -> PathBuf {
    let base = base_of(base);
    match kind {
        0..=4 => FileKind::ALL[usize::from(kind)].path(Path::new(DIR), base),
        5 => Path::new(DIR).join("leader-epoch-checkpoint"),
        6 => Path::new(DIR).join("partition.metadata"),
        7 => Path::new("/data/recovery-point-offset-checkpoint").to_owned(),
        8 => Path::new("/data/meta.properties").to_owned(),
        9 => Path::new("/data/.kafka_cleanshutdown").to_owned(),
        other => {
            let kind = FileKind::ALL[usize::from(other) % FileKind::ALL.len()];
            let suffix = [".swap", ".cleaned", ".deleted"][usize::from(other) % 3];
            Path::new(DIR).join(format!("{}{suffix}", kind.name(base)))
        }
    }
}

/// Small offsets, and the largest there are.
fn base_of(byte: u8) -> Offset {
    Offset(if byte > 250 { i64::MAX - i64::from(255 - byte) } else { i64::from(byte) * 16 })
}

fn content_of(flags: u8, base: u8, content: &[u8]) -> Vec<u8> {
    if flags & 1 == 0 {
        return content.to_vec();
    }
    let mut bytes = Vec::new();
    let mut offset = base_of(base).0;
    for part in content.chunks(16) {
        let mut builder = BatchBuilder::new(Compression::None)
            .base_offset(Offset(offset))
            .partition_leader_epoch(LeaderEpoch(i32::from(part[0] & 3)))
            .transactional(flags & 2 != 0)
            .control(part[0] & 8 != 0);
        if part[0] & 4 != 0 {
            let sequence = Sequence(i32::from(part.len() as u8));
            builder = builder.producer(ProducerId(i64::from(part[0] >> 5)), ProducerEpoch(0), sequence);
        }
        builder.append(i64::from(part[0]), Some(part), Some(part), &[]);
        bytes.extend_from_slice(&builder.finish());
        offset = offset.saturating_add(1);
    }
    if flags & 4 != 0
        && let Some(byte) = bytes.get_mut(usize::from(flags) * 3)
    {
        *byte ^= 0x40;
    }
    bytes
}

fn now() -> Now {
    Now { wall: WallTime(1_000_000), mono: MonoTime(0) }
}
