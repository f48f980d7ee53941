//! Transaction markers: the control records that end a producer's transaction in a partition.
//!
//! ```text
//! key    version i16 | type i16: 0 abort, 1 commit      value  version i16 | coordinator epoch i32
//! ```

use bytes::Bytes;
use wire::batch::Batch;
use wire::compress::Decompressors;
use wire::record::Records;

use crate::producers::Marker;

/// Control batches are tiny; one that claims to be larger is none.
const RECORD_BYTES_MAX: usize = 64 * 1024;
const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// Reads the marker of a control batch at the begin of `bytes`; `None` if it is another control record.
pub(crate) fn marker_of(bytes: &[u8]) -> Result<Option<Marker>, String> {
    let batch = Batch::parse(bytes).map_err(|error| error.to_string())?;
    let whole = Bytes::copy_from_slice(&bytes[..batch.size()]);
    let records = Records::new(&whole, &mut Decompressors::new(), RECORD_BYTES_MAX);
    let Some(record) = records.map_err(|error| error.to_string())?.next() else { return Ok(None) };
    let record = record.map_err(|error| error.to_string())?;
    let kind = record.key.as_deref().and_then(|key| key.get(2..4)).map(be_i16);
    let committed = match kind {
        None => return Err("control record without a type".into()),
        Some(ABORT) => false,
        Some(COMMIT) => true,
        Some(_) => return Ok(None),
    };
    let epoch = record.value.as_deref().and_then(|value| value.get(2..6));
    let epoch = epoch.ok_or("transaction marker without a coordinator epoch")?;
    Ok(Some(Marker {
        producer_id: batch.producer_id(),
        producer_epoch: batch.producer_epoch(),
        coordinator_epoch: i32::from_be_bytes(*epoch.first_chunk().expect("4 bytes")),
        offset: batch.base_offset(),
        timestamp: record.timestamp,
        committed,
    }))
}

fn be_i16(bytes: &[u8]) -> i16 {
    i16::from_be_bytes(*bytes.first_chunk().expect("2 bytes"))
}
