//! What a log or a fetch holds, read record by record.

use base::ids::Offset;
use bytes::Bytes;
use wire::batch::Batch;
use wire::compress::Decompressors;
use wire::record::Records;

use crate::record::RecordId;

/// The largest batch, decompressed.
const LIMIT: usize = 1 << 20;

/// A record and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its offset.
    pub offset: i64,
    /// Which one it is.
    pub record: RecordId,
    /// Who wrote it: producer id, or -1.
    pub producer: i64,
}

/// Reads whole batches. With `may_be_cut` the last one may be incomplete, as in a fetch.
///
/// # Errors
/// A sentence, when a checksum is wrong, offsets do not ascend, or a record is none that a client ever made.
pub fn read(bytes: &Bytes, may_be_cut: bool) -> Result<Vec<Seen>, String> {
    let mut decompressors = Decompressors::new();
    let mut seen: Vec<Seen> = Vec::new();
    let mut position = 0;
    while position < bytes.len() {
        let rest = bytes.slice(position..);
        let batch = match Batch::parse(&rest) {
            Ok(batch) => batch,
            Err(wire::batch::BatchError::Torn { .. }) if may_be_cut => break,
            Err(error) => return Err(format!("no batch at byte {position}: {error}")),
        };
        if !batch.is_crc_valid() {
            return Err(format!("the batch at offset {} has a wrong checksum", batch.base_offset()));
        }
        let producer = batch.producer_id().0;
        let records = Records::new(&rest, &mut decompressors, LIMIT).map_err(|error| error.to_string())?;
        for record in records {
            let record = record.map_err(|error| format!("a record from {}: {error}", batch.base_offset()))?;
            let offset = record.offset.0;
            if seen.last().is_some_and(|last| last.offset >= offset) {
                return Err(format!("offset {offset} comes after {}", seen[seen.len() - 1].offset));
            }
            let record = RecordId::of_value(record.value.as_ref())
                .ok_or_else(|| format!("nobody made the record at offset {offset}"))?;
            seen.push(Seen { offset, record, producer });
        }
        if batch.last_offset() != Offset(seen.last().map_or(-1, |last| last.offset)) {
            return Err(format!(
                "the batch at offset {} does not end with its last record",
                batch.base_offset()
            ));
        }
        position += batch.size();
    }
    Ok(seen)
}
