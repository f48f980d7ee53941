//! Offset, time and transaction indexes, and whether they agree with their segment.
//!
//! ```text
//! .index      | offset - base offset: i32 | position: i32 |              8 bytes an entry
//! .timeindex  | timestamp: i64 | offset - base offset: i32 |            12
//! .txnindex   | version: i16 | producer id | first | last | LSO: i64 |  34
//! ```
//! The file of an active segment is longer than its entries: the rest is zeros.

use std::path::Path;

use base::ids::Offset;
use wire::batch::Batch;

use super::segment::Segment;
use super::{Report, absolute, read, unreadable};
use crate::console::Console;
use crate::failure::{Result, failed};

const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;
const TRANSACTION_ENTRY: usize = 34;

fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(*bytes.first_chunk().expect("entries are long enough"))
}

fn be_i64(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(*bytes.first_chunk().expect("entries are long enough"))
}

fn sane(path: &Path, console: &mut Console) {
    console.line(format_args!("{} passed sanity check.", path.display()));
}

/// Prints an offset index; `check` is: only verify, only check sanity, the largest batch to compare with.
pub(super) fn dump_offsets(
    path: &Path,
    base: Offset,
    (verify_only, sanity_only, max_batch): (bool, bool, u64),
    report: &mut Report,
    console: &mut Console,
) -> Result<()> {
    let bytes = read(path)?;
    if bytes.len() < OFFSET_ENTRY {
        console.line(format_args!("{} is empty.", path.display()));
        return Ok(());
    }
    if sanity_only {
        if bytes.len() % OFFSET_ENTRY != 0 {
            return failed(format!(
                "Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {OFFSET_ENTRY}.",
                path.display(),
                bytes.len()
            ));
        }
        sane(path, console);
        return Ok(());
    }
    let mut segment = Segment::open(&path.with_extension("log"))?;
    let mut mismatches = Vec::new();
    for (place, entry) in bytes.chunks_exact(OFFSET_ENTRY).enumerate() {
        let (offset, position) = (base.plus(be_i32(entry).into()), be_i32(&entry[4..]));
        if offset == base && place > 0 {
            break;
        }
        let found = last_offset_at(&mut segment, position, Some(max_batch));
        if found.is_some_and(|found| found != offset) {
            mismatches.push((offset, found.unwrap_or(Offset::NONE)));
        }
        if !verify_only {
            console.line(format_args!("offset: {offset} position: {position}"));
        }
    }
    if !mismatches.is_empty() {
        report.push(format!("Mismatches in :{}", absolute(path)));
        let lines =
            mismatches.iter().map(|(index, log)| format!("  Index offset: {index}, log offset: {log}"));
        report.extend(lines);
    }
    Ok(())
}

/// The last offset of the batch at `position`; nothing when there is none.
fn last_offset_at(segment: &mut Segment, position: i32, limit: Option<u64>) -> Option<Offset> {
    segment.position = u64::try_from(position).ok().filter(|at| *at < segment.length())?;
    let (_, bytes) = segment.next(limit).ok()??;
    Batch::parse(&bytes).ok().map(|batch| batch.last_offset())
}

/// Prints a time index; `check` is: only verify, only check sanity.
pub(super) fn dump_times(
    path: &Path,
    base: Offset,
    (verify_only, sanity_only): (bool, bool),
    report: &mut Report,
    console: &mut Console,
) -> Result<()> {
    let bytes = read(path)?;
    let entry = |entry: &[u8]| (be_i64(entry), base.plus(be_i32(&entry[8..]).into()));
    if sanity_only {
        check_times(path, base, &bytes)?;
        sane(path, console);
        return Ok(());
    }
    let batches = batches(&path.with_extension("log"))?;
    let mut faults = TimeFaults::default();
    let mut before = None;
    for (place, (timestamp, offset)) in bytes.chunks_exact(TIME_ENTRY).map(entry).enumerate() {
        if offset == base && place > 0 {
            break;
        }
        faults.compare(&batches, timestamp, offset);
        if let Some(before) = before.replace(timestamp).filter(|before| timestamp < *before) {
            faults.out_of_order.push((timestamp, before));
        }
        if !verify_only {
            console.line(format_args!("timestamp: {timestamp} offset: {offset}"));
        }
    }
    faults.report(path, report);
    Ok(())
}

fn check_times(path: &Path, base: Offset, bytes: &[u8]) -> Result<()> {
    let file = path.display();
    let corrupt = |why: String| failed(format!("Corrupt time index found, time index file ({file}) {why}"));
    let entries: Vec<&[u8]> = bytes.chunks_exact(TIME_ENTRY).collect();
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        let (first, last, last_offset) = (be_i64(first), be_i64(last), base.plus(be_i32(&last[8..]).into()));
        if last < first {
            return corrupt(format!(
                "has non-zero size but the last timestamp is {last} which is less than the first timestamp {first}"
            ));
        }
        if last_offset < base {
            return corrupt(format!(
                "has non-zero size but the last offset is {last_offset} which is less than the first offset {base}"
            ));
        }
    }
    match bytes.len() % TIME_ENTRY {
        0 => Ok(()),
        _ => failed(format!(
            "Time index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {TIME_ENTRY}",
            absolute(path),
            bytes.len()
        )),
    }
}

/// A batch as far as a time index is about it.
struct Timed {
    base: Offset,
    last: Offset,
    max_timestamp: i64,
}

fn batches(path: &Path) -> Result<Vec<Timed>> {
    let mut segment = Segment::open(path)?;
    let mut batches = Vec::new();
    while let Some((_, bytes)) = segment.next(None).map_err(|error| unreadable(path, &error))? {
        let Ok(batch) = Batch::parse(&bytes) else { break };
        let (base, last) = (batch.base_offset(), batch.last_offset());
        batches.push(Timed { base, last, max_timestamp: batch.max_timestamp() });
    }
    Ok(batches)
}

#[derive(Default)]
struct TimeFaults {
    mismatches: Vec<(i64, i64)>,
    out_of_order: Vec<(i64, i64)>,
    not_found: Vec<(Offset, Offset)>,
}

impl TimeFaults {
    fn compare(&mut self, batches: &[Timed], timestamp: i64, offset: Offset) {
        let place = batches.partition_point(|batch| batch.last < offset);
        match batches.get(place) {
            Some(batch) if batch.base <= offset => {
                if batch.max_timestamp != timestamp {
                    self.mismatches.push((timestamp, batch.max_timestamp));
                }
            }
            found => self.not_found.push((offset, found.map_or(Offset::NONE, |batch| batch.base))),
        }
    }

    fn report(self, path: &Path, report: &mut Report) {
        let file = absolute(path);
        let pairs = |head: String, lines: Vec<String>| (!lines.is_empty()).then_some((head, lines));
        let mismatches = self.mismatches.iter();
        let mismatches =
            mismatches.map(|(a, b)| format!("  Index timestamp: {a}, log timestamp: {b}")).collect();
        let out_of_order = self.out_of_order.iter();
        let out_of_order = out_of_order
            .map(|(a, b)| format!("  Index timestamp: {a}, Previously indexed timestamp: {b}"))
            .collect();
        let not_found = self.not_found.iter();
        let not_found =
            not_found.map(|(a, b)| format!("Indexed offset: {a}, found log offset: {b}")).collect();
        let all = [
            pairs(format!("Found timestamp mismatch in :{file}"), mismatches),
            pairs(format!("Found out of order timestamp in :{file}"), out_of_order),
            pairs("The following indexed offsets are not found in the log.".to_owned(), not_found),
        ];
        for (head, lines) in all.into_iter().flatten() {
            report.push(head);
            report.extend(lines);
        }
    }
}

/// Prints the index of aborted transactions. There is none in most partitions; a part of an entry at its end is none.
pub(super) fn dump_transactions(path: &Path, console: &mut Console) -> Result<()> {
    let bytes = if path.exists() { read(path)? } else { Vec::new() };
    for entry in bytes.chunks_exact(TRANSACTION_ENTRY) {
        let version = i16::from_be_bytes([entry[0], entry[1]]);
        if version > 0 {
            return failed(format!(
                "Unexpected aborted transaction version {version} in transaction index {}, current version is 0",
                absolute(path)
            ));
        }
        console.line(format_args!(
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            be_i64(&entry[2..]),
            be_i64(&entry[10..]),
            be_i64(&entry[18..]),
            be_i64(&entry[26..])
        ));
    }
    Ok(())
}
