//! One segment: each batch in its place, with its checksum, its records and what the indexes say of it.

use std::path::Path;

use base::ids::Offset;
use bytes::Bytes;
use wire::batch::{Batch, NO_TIMESTAMP};
use wire::compress::Decompressors;
use wire::record::Records;

use super::indexes::{self, Indexes};
use super::{Fault, Report, Severity};
use crate::directory::FileKind;
use crate::disk::{Disk, File, OpenMode, read_full};
use crate::error::{Error, IoContext};
use crate::scan::{BadBatch, BatchAt, Scan, Step};

/// Records of one batch may become this many bytes: what one batch of Kafka can hold.
const RECORDS_LIMIT: usize = i32::MAX as usize;

/// Where a segment lies in its log.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) base: Offset,
    /// Where the next one begins, if it is not the last.
    pub(super) next: Option<Offset>,
    /// Its indexes are taken as they stand by the next start.
    pub(super) trusted: bool,
}

/// Is told each batch.
pub(super) type OnBatch<'a> = dyn FnMut(&BatchAt, &mut Report) + 'a;

/// Walks a segment; gives the offset after it, or `None` when it cannot be read to its end.
pub(super) fn verify(
    disk: &dyn Disk,
    dir: &Path,
    bounds: Bounds,
    has: &dyn Fn(FileKind) -> bool,
    decompressors: &mut Decompressors,
    on_batch: &mut OnBatch<'_>,
    report: &mut Report,
) -> Result<Option<Offset>, Error> {
    let path = FileKind::Log.path(dir, bounds.base);
    let file = disk.open(&path, OpenMode::Read).context("open", &path)?;
    let length = file.len().context("measure", &path)?;
    report.segments += 1;
    report.bytes += length;
    for kind in [FileKind::OffsetIndex, FileKind::TimeIndex] {
        if !has(kind) {
            report.add(
                Fault::Derived,
                Severity::wrong_if(bounds.trusted),
                &kind.path(dir, bounds.base),
                None,
                "is missing",
            );
        }
    }
    let mut indexes = Indexes::read(disk, dir, bounds.base, bounds.trusted, report)?;
    let mut scan = Scan::new(file.clone(), 0, length);
    let mut end = bounds.base;
    loop {
        match scan.next_whole().context("read", &path)? {
            Step::End => break,
            Step::Bad(bad) => {
                let severity = severity_of(&*file, &bad, bounds, length).context("read", &path)?;
                report.add(
                    Fault::Batch { base: bounds.base, end },
                    severity,
                    &path,
                    Some(bad.position),
                    bad.reason,
                );
                return Ok(None);
            }
            Step::Batch((batch, bytes)) => {
                report.batches += 1;
                if let Some(what) = misplaced(&batch, end, bounds.next) {
                    report.add(
                        Fault::Batch { base: bounds.base, end },
                        Severity::Wrong,
                        &path,
                        Some(batch.position),
                        what,
                    );
                    return Ok(None);
                }
                match records(&batch, bytes, decompressors) {
                    Ok(count) => report.records += count,
                    Err(what) => {
                        let fault = Fault::Batch { base: bounds.base, end };
                        report.add(fault, Severity::Wrong, &path, Some(batch.position), what);
                    }
                }
                indexes.on_batch(&batch, report);
                on_batch(&batch, report);
                end = batch.next_offset();
            }
        }
    }
    indexes.on_end(report);
    indexes::aborted(disk, dir, (bounds.base, bounds.next.unwrap_or(end)), bounds.trusted, report)?;
    Ok(Some(end))
}

/// Walks a snapshot of the metadata, which is batches too and begins and ends with control records.
pub(super) fn snapshot(
    disk: &dyn Disk,
    path: &Path,
    decompressors: &mut Decompressors,
    report: &mut Report,
) -> Result<(), Error> {
    let file = disk.open(path, OpenMode::Read).context("open", path)?;
    let length = file.len().context("measure", path)?;
    let mut scan = Scan::new(file, 0, length);
    let (mut end, mut ends_whole) = (Offset(0), false);
    loop {
        match scan.next_whole().context("read", path)? {
            Step::End => break,
            Step::Bad(bad) => {
                report.add(Fault::MetadataSnapshot, Severity::Wrong, path, Some(bad.position), bad.reason);
                return Ok(());
            }
            Step::Batch((batch, bytes)) => {
                let control = Batch::parse(bytes).is_ok_and(|it| it.attributes().is_control());
                if batch.position == 0 && !control {
                    report.add(
                        Fault::MetadataSnapshot,
                        Severity::Wrong,
                        path,
                        Some(0),
                        "begins without the header of a snapshot",
                    );
                }
                if let Some(what) = misplaced(&batch, end, None) {
                    report.add(Fault::MetadataSnapshot, Severity::Wrong, path, Some(batch.position), what);
                }
                if let Err(what) = records(&batch, bytes, decompressors) {
                    report.add(Fault::MetadataSnapshot, Severity::Wrong, path, Some(batch.position), what);
                }
                (end, ends_whole) = (batch.next_offset(), control);
            }
        }
    }
    if !ends_whole {
        report.add(
            Fault::MetadataSnapshot,
            Severity::Wrong,
            path,
            Some(length),
            "ends without the footer of a snapshot",
        );
    }
    Ok(())
}

/// Why a batch cannot stand where it does, if it cannot.
fn misplaced(batch: &BatchAt, end: Offset, next: Option<Offset>) -> Option<String> {
    if batch.base_offset < end {
        return Some(format!("batch at offset {} comes after offset {end} was reached", batch.base_offset));
    }
    next.filter(|next| batch.last_offset >= *next).map(|next| {
        format!("batch ends at offset {}, and the next segment begins at {next}", batch.last_offset)
    })
}

/// How many records a batch has, or what is wrong with them.
fn records(at: &BatchAt, bytes: &[u8], decompressors: &mut Decompressors) -> Result<u64, String> {
    if at.magic < 2 {
        return Ok(1);
    }
    let wrong = |what: String| format!("batch at offset {}: {what}", at.base_offset);
    let batch = Batch::parse(bytes).map_err(|error| wrong(error.to_string()))?;
    let all = Records::new(&Bytes::copy_from_slice(bytes), decompressors, RECORDS_LIMIT);
    let (mut count, mut after) = (0, batch.base_offset());
    for record in all.map_err(|error| wrong(error.to_string()))? {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        if record.offset < after || record.offset > batch.last_offset() {
            return Err(wrong(format!("a record has the offset {}", record.offset)));
        }
        if record.timestamp > batch.max_timestamp() && batch.max_timestamp() != NO_TIMESTAMP {
            return Err(wrong(format!("the record at offset {} is younger than the batch", record.offset)));
        }
        after = record.offset.next();
        count += 1;
    }
    match i64::from(batch.record_count()) {
        promised if promised == count => Ok(count as u64),
        promised => Err(wrong(format!("{promised} records promised, {count} found"))),
    }
}

/// At the end of the last segment a crash leaves a batch that is not whole, or room that was never written to. What stands
/// before a whole batch was damaged later.
fn severity_of(file: &dyn File, bad: &BadBatch, bounds: Bounds, length: u64) -> std::io::Result<Severity> {
    if bounds.trusted || bounds.next.is_some() {
        return Ok(Severity::Wrong);
    }
    let mut head = [0; 17];
    let filled = read_full(file, &mut head, bad.position)?;
    let claims = match wire::batch::LogEntry::peek(&head[..filled]) {
        Ok(entry) => bad.position.saturating_add(entry.size as u64),
        Err(wire::batch::BatchError::Torn { .. }) => length,
        Err(_) => 0,
    };
    if claims >= length {
        return Ok(Severity::Left);
    }
    let mut rest = vec![0; 64 * 1024];
    let mut position = bad.position;
    while position < length {
        let filled = read_full(file, &mut rest, position)?;
        if filled == 0 || rest[..filled].iter().any(|byte| *byte != 0) {
            return Ok(if filled == 0 { Severity::Left } else { Severity::Wrong });
        }
        position += filled as u64;
    }
    Ok(Severity::Left)
}
