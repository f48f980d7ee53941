//! Compaction: what stays of a log. Transcripts of small logs, properties of random ones, crashes in the middle.
//!
//! A transcript's words: `k=v` a record, `k` one without value (a tombstone), `=v` one without key; records of one batch
//! stand side by side, batches are divided by `;`. Before them may stand `zstd`, `pID/EPOCH/SEQUENCE` (an idempotent
//! producer) and `t` (its batch is of a transaction). Alone in its place: `roll`, `clean MS` (at that time), `abort ID`,
//! `commit ID`, `lag MS`, `keys N` (memory for so many), `reopen`. Records have the number of their batch as their time.
//!
//! What comes out is one line a segment: `base: batch batch …`, a batch being `first-last(record record …)`, a record
//! `offset:k=v`, with `hMS` before it for a delete horizon and `c` for a control batch.

use base::ids::{ProducerEpoch, ProducerId, Sequence};
use wire::batch::Batch;
use wire::builder::BatchBuilder;
use wire::compress::CompressionType;
use wire::control::{ControlRecordType, EndTxnMarker};

use super::*;
use crate::clean::{CleanError, CleanMemory, CleanRound, CleanStats, CleanedSegment, Pace, dirtiest};
use crate::config::CleanupPolicy;

mod crashes;
mod random;
mod swaps;
mod transcripts;

pub(super) const MEMORY: CleanMemory = CleanMemory { map_bytes: 1 << 20, load_factor: 0.9, io_bytes: 8192 };

/// Goes on for ever.
pub(super) struct Unhurried;

impl Pace for Unhurried {
    fn go_on(&mut self, _: usize) -> bool {
        true
    }
}

pub(super) fn compacted() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy::COMPACT,
        index_interval_bytes: 100,
        delete_retention_ms: 1000,
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    }
}

pub(super) fn sync(log: &mut Log, at: Now) -> Result<(), Error> {
    match log.sync_job() {
        Some(job) => log.synced(job.run(), at),
        None => Ok(()),
    }
}

/// Compacts a log once, if it is due.
pub(super) fn clean(log: &mut Log, at: Now) -> Result<Option<CleanStats>, CleanError> {
    clean_with(log, at, MEMORY)
}

pub(super) fn clean_with(
    log: &mut Log,
    at: Now,
    memory: CleanMemory,
) -> Result<Option<CleanStats>, CleanError> {
    sync(log, at)?;
    let reader = log.reader();
    let candidates = reader.cleanable(at.wall)?.map(|cleanable| ((), cleanable));
    let Some((_, plan)) = dirtiest(candidates) else { return Ok(None) };
    let Some(job) = log.clean_job(&plan, at) else { return Ok(None) };
    let mut round = job.map(memory, &mut Unhurried)?;
    swap_all(log, &mut round, at)?;
    let stats = round.stats();
    assert!(log.cleaned(round.finish()?));
    Ok(Some(stats))
}

/// As a node does it: a segment is synced and swapped when the next one was made.
pub(super) fn swap_all(log: &mut Log, round: &mut CleanRound, at: Now) -> Result<(), CleanError> {
    let mut made = round.next_segment(&mut Unhurried)?;
    while let Some(segment) = made {
        made = round.next_segment(&mut Unhurried)?;
        assert!(log.swap(segment.sync()?, at)?, "nothing changed meanwhile");
    }
    Ok(())
}

/// A keyed batch.
pub(super) fn keyed(
    builder: BatchBuilder,
    timestamp: i64,
    records: &[(Option<&str>, Option<&str>)],
) -> Bytes {
    let mut builder = builder;
    for (key, value) in records {
        builder.append(timestamp, key.map(str::as_bytes), value.map(str::as_bytes), &[]);
    }
    builder.finish()
}

pub(super) fn marker(id: i64, epoch: i16, commit: bool, timestamp: i64) -> Bytes {
    let kind = if commit { ControlRecordType::Commit } else { ControlRecordType::Abort };
    let mut builder = BatchBuilder::new(Compression::None)
        .producer(ProducerId(id), ProducerEpoch(epoch), Sequence::NONE)
        .transactional(true)
        .control(true);
    let value = EndTxnMarker { coordinator_epoch: 0 }.value();
    builder.append(timestamp, Some(&kind.key()), Some(&value), &[]);
    builder.finish()
}

/// One line a closed segment.
pub(super) fn listed(log: &Log) -> Vec<String> {
    let segments = log.segments();
    let closed = &segments[..segments.len() - 1];
    closed.iter().map(|segment| format!("{}: {}", segment.base(), batches(segment))).collect()
}

fn batches(segment: &crate::segment::Segment) -> String {
    let mut scan = segment.scan(0, segment.size()).unwrap();
    let mut words = Vec::new();
    while let Some((_, bytes)) = segment.step(scan.next_whole()).unwrap() {
        let batch = Batch::parse(bytes).unwrap();
        let whole = Bytes::copy_from_slice(bytes);
        let records = Records::new(&whole, &mut Decompressors::new(), 1 << 20).unwrap();
        let records: Vec<String> = records.map(|record| shown(&batch, &record.unwrap())).collect();
        let horizon = batch.delete_horizon().map_or(String::new(), |horizon| format!("h{horizon}"));
        let control = if batch.attributes().is_control() { "c" } else { "" };
        let (first, last) = (batch.base_offset(), batch.last_offset());
        words.push(format!("{horizon}{control}{first}-{last}({})", records.join(" ")));
    }
    words.join(" ")
}

fn shown(batch: &Batch<'_>, record: &wire::record::Record) -> String {
    if batch.attributes().is_control() {
        return format!("{}", record.offset);
    }
    let text = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    let value = text(&record.value).map_or(String::new(), |value| format!("={value}"));
    format!("{}:{}{value}", record.offset, text(&record.key).unwrap_or_default())
}
