//! Snapshots of idempotent producers.

use std::path::Path;

use bytes::Bytes;
use protocol::Message;
use protocol::records::producer_snapshot::{ProducerEntry, ProducerSnapshot};
use wire::crc::crc32c;
use wire::reader::Reader;

use super::read;
use crate::console::Console;
use crate::failure::Result;

/// The version and the checksum over everything behind it.
const HEAD: usize = 2 + 4;

/// Prints a snapshot: a line per producer. One that is damaged is told, and is no failure.
pub(super) fn dump(path: &Path, console: &mut Console) -> Result<()> {
    let bytes = Bytes::from(read(path)?);
    match entries(&bytes) {
        Ok(entries) => entries.iter().for_each(|entry| console.line(format_args!("{}", line(entry)))),
        Err(why) => console.error(format_args!("{why}")),
    }
    Ok(())
}

fn entries(bytes: &Bytes) -> std::result::Result<Vec<ProducerEntry>, String> {
    let invalid = |why: &dyn std::fmt::Display| format!("Snapshot failed schema validation: {why}");
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16().map_err(|error| invalid(&error))?;
    if version != 1 {
        return Err(invalid(&format!("Snapshot contained an unknown file version {version}")));
    }
    let snapshot = ProducerSnapshot::decode(&mut reader, version).map_err(|error| invalid(&error))?;
    let computed = crc32c(&bytes[HEAD..]);
    if computed != snapshot.crc {
        return Err(format!(
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: {}. Computed crc: {computed}",
            snapshot.crc
        ));
    }
    Ok(snapshot.producer_entries)
}

fn line(entry: &ProducerEntry) -> String {
    let start = match entry.current_txn_first_offset {
        offset if offset < 0 => "OptionalLong.empty".to_owned(),
        offset => format!("OptionalLong[{offset}]"),
    };
    let mut line = format!(
        "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {start} lastTimestamp: {}",
        entry.producer_id, entry.epoch, entry.coordinator_epoch, entry.timestamp
    );
    if entry.last_offset >= 0 {
        let first = entry.last_sequence.wrapping_sub(entry.offset_delta);
        // Sequences wrap to 0 after the greatest.
        let first = if first < 0 { first.wrapping_add(i32::MAX).wrapping_add(1) } else { first };
        line.push_str(&format!(
            " firstSequence: {first} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
            entry.last_sequence, entry.last_offset, entry.offset_delta, entry.timestamp
        ));
    }
    line
}
