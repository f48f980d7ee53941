//! Batches and records of a segment or of a metadata snapshot.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use wire::batch::{BATCH_HEADER_SIZE, Batch, BatchError, LogEntry, TimestampType};
use wire::compress::Decompressors;
use wire::record::{Record, Records};

use super::decode::{Decoder, control};
use super::{Report, absolute, unreadable};
use crate::console::Console;
use crate::failure::Result;
use crate::progress;

/// How much is printed.
pub(super) struct Depth {
    /// Each record, not only each batch.
    pub(super) deep: bool,
    /// Keys and values.
    pub(super) contents: Option<Decoder>,
    /// Nothing of a record but its key and value.
    pub(super) skip_metadata: bool,
}

/// Decompressed batches beyond this are not meant honestly.
const DECOMPRESSED_LIMIT: usize = 1 << 30;

/// Batches of a file, one after another.
pub(super) struct Segment {
    file: File,
    length: u64,
    pub(super) position: u64,
}

impl Segment {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = opened.map_err(|error| unreadable(path, &error))?;
        Ok(Self { file, length, position: 0 })
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The next whole batch with its position; nothing where the valid bytes end.
    pub(super) fn next(&mut self, limit: Option<u64>) -> std::io::Result<Option<(u64, Bytes)>> {
        let position = self.position;
        let left = self.length - position;
        let mut head = vec![0; BATCH_HEADER_SIZE.min(left as usize)];
        self.file.read_exact_at(&mut head, position)?;
        let Ok(entry) = LogEntry::peek(&head) else { return Ok(None) };
        if entry.size as u64 > left || limit.is_some_and(|limit| entry.size as u64 > limit) {
            return Ok(None);
        }
        let mut bytes = vec![0; entry.size];
        self.file.read_exact_at(&mut bytes, position)?;
        self.position += entry.size as u64;
        Ok(Some((position, Bytes::from(bytes))))
    }
}

/// Prints the batches of a file.
pub(super) fn dump(
    path: &Path,
    depth: &Depth,
    max_bytes: u64,
    report: &mut Report,
    console: &mut Console,
) -> Result<()> {
    let mut segment = Segment::open(path)?;
    let is_cut = max_bytes < segment.length;
    segment.length = segment.length.min(max_bytes);
    let length = segment.length;
    let bar = progress::bar(length, "bytes");
    let mut decompressors = Decompressors::new();
    let mut gaps = Gaps::new();
    while !console.is_closed() {
        let batch = segment.next(None).map_err(|error| unreadable(path, &error))?;
        let Some((position, bytes)) = batch else { break };
        bar.set_position(segment.position);
        match Batch::parse(&bytes) {
            Ok(batch) => {
                console.line(format_args!("{}", batch_line(&batch, position)));
                if depth.deep {
                    dump_records(&batch, &bytes, depth, &mut decompressors, &mut gaps, console)?;
                }
            }
            Err(BatchError::LegacyMagic(magic)) => {
                let entry = LogEntry::peek(&bytes).expect("the segment gave a whole entry");
                console.line(format_args!(
                    "offset: {} position: {position} size: {} magic: {magic}",
                    entry.offset, entry.size
                ));
            }
            Err(_) => {
                // Not a batch although it has a length: what follows cannot be told apart from it.
                segment.position = position;
                break;
            }
        }
    }
    bar.finish_and_clear();
    if segment.position < length && !is_cut {
        let invalid = length - segment.position;
        console.line(format_args!("Found {invalid} invalid bytes at the end of {}", file_name(path)));
    }
    gaps.report(path, report);
    Ok(())
}

fn file_name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default()
}

/// Offsets of records that do not follow one another. As with Kafka every file is taken to begin at offset 0.
struct Gaps {
    last: i64,
    pairs: Vec<(i64, i64)>,
}

impl Gaps {
    fn new() -> Self {
        Self { last: -1, pairs: Vec::new() }
    }

    fn record(&mut self, offset: i64) {
        let last = std::mem::replace(&mut self.last, offset);
        if offset != last.wrapping_add(1) {
            self.pairs.push((last, offset));
        }
    }

    fn report(self, path: &Path, report: &mut Report) {
        if self.pairs.is_empty() {
            return;
        }
        report.push(format!("Non-consecutive offsets in {}", absolute(path)));
        report.extend(self.pairs.iter().map(|(a, b)| format!("  {a} is followed by {b}")));
    }
}

/// A batch in Kafka's words.
fn batch_line(batch: &Batch<'_>, position: u64) -> String {
    let attributes = batch.attributes();
    let horizon = match batch.delete_horizon() {
        Some(at) => format!("OptionalLong[{at}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    let codec = match attributes.compression() {
        Ok(codec) => codec.name().to_owned(),
        Err(id) => format!("unknown({id})"),
    };
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {position} \
         {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        batch.base_offset(),
        batch.last_offset(),
        batch.record_count(),
        batch.base_sequence(),
        batch.last_sequence(),
        batch.producer_id(),
        batch.producer_epoch(),
        batch.partition_leader_epoch(),
        attributes.is_transactional(),
        attributes.is_control(),
        time_name(batch),
        batch.max_timestamp(),
        batch.size(),
        batch.magic(),
        batch.crc(),
        batch.is_crc_valid(),
    )
}

fn time_name(batch: &Batch<'_>) -> &'static str {
    match batch.attributes().timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn dump_records(
    batch: &Batch<'_>,
    bytes: &Bytes,
    depth: &Depth,
    decompressors: &mut Decompressors,
    gaps: &mut Gaps,
    console: &mut Console,
) -> Result<()> {
    let records = match Records::new(bytes, decompressors, DECOMPRESSED_LIMIT) {
        Ok(records) => records,
        Err(error) => {
            let (from, to) = (batch.base_offset(), batch.last_offset());
            console.error(format_args!("The records of offsets {from} to {to} cannot be read: {error}"));
            return Ok(());
        }
    };
    for record in records {
        match record {
            Ok(record) => {
                gaps.record(record.offset.0);
                let head = record_head(batch, &record, depth);
                console.data(head.as_bytes());
                let contents = record_contents(batch, &record, depth)?;
                let bar = if head.is_empty() && !contents.is_empty() { "|" } else { "" };
                console.line(format_args!("{bar}{contents}"));
            }
            Err(error) => console.error(format_args!("A record cannot be read: {error}")),
        }
    }
    Ok(())
}

/// What stands about a record before its key and value, in Kafka's words; nothing if that is to be left out.
fn record_head(batch: &Batch<'_>, record: &Record, depth: &Depth) -> String {
    if depth.skip_metadata {
        return String::new();
    }
    let size = |field: &Option<Bytes>| field.as_ref().map_or(-1, |bytes| bytes.len() as i64);
    let sequence = match batch.base_sequence() {
        sequence if sequence.0 < 0 => sequence,
        // Compaction takes records away, and each of the others keeps its own.
        sequence => sequence.advanced((record.offset.0 - batch.base_offset().0) as i32),
    };
    let keys: Vec<String> = record.headers.iter().map(|header| text(&header.key)).collect();
    let mut head = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        time_name(batch),
        record.timestamp,
        size(&record.key),
        size(&record.value),
        keys.join(",")
    );
    if batch.attributes().is_control() {
        let said = control(record).unwrap_or_else(|error| format!("cannot be read: {error}"));
        let _ = write!(head, " {said}");
    }
    head
}

/// Key and value, each with a blank before it; none of a control record.
fn record_contents(batch: &Batch<'_>, record: &Record, depth: &Depth) -> Result<String> {
    let mut contents = String::new();
    if let (Some(decoder), false) = (depth.contents, batch.attributes().is_control()) {
        let (key, payload) = decoder.decode(record)?;
        if let Some(key) = key {
            let _ = write!(contents, " key: {key}");
        }
        if let Some(payload) = payload {
            let _ = write!(contents, " payload: {payload}");
        }
    }
    Ok(contents)
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
