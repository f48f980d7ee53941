//! Control records: markers of transactions, and what KRaft writes for itself.

use bytes::Bytes;
use protocol::Message;
use protocol::json::bytes_to_json;
use protocol::records::end_txn_marker::EndTxnMarker;
use protocol::records::kraft_version_record::KRaftVersionRecord;
use protocol::records::leader_change_message::LeaderChangeMessage;
use protocol::records::snapshot_footer_record::SnapshotFooterRecord;
use protocol::records::snapshot_header_record::SnapshotHeaderRecord;
use protocol::records::voters_record::VotersRecord;
use protocol::schema::Schema;
use serde_json::Value;
use wire::reader::{DecodeError, Reader};
use wire::record::Record;

/// What a control record says.
pub(in super::super) fn control(record: &Record) -> Result<String, DecodeError> {
    let mut key = Reader::new(record.key.clone().unwrap_or_default());
    let (_, kind) = (key.i16()?, key.i16()?);
    let value = record.value.clone().unwrap_or_default();
    let (name, schema): (&str, &Schema) = match kind {
        0 | 1 => {
            let name = if kind == 0 { "ABORT" } else { "COMMIT" };
            let mut reader = Reader::new(value);
            let version = reader.i16()?;
            let marker = EndTxnMarker::decode(&mut reader, version.min(0))?;
            return Ok(format!("endTxnMarker: {name} coordinatorEpoch: {}", marker.coordinator_epoch));
        }
        2 => ("LeaderChange:", LeaderChangeMessage::SCHEMA),
        3 => ("SnapshotHeader", SnapshotHeaderRecord::SCHEMA),
        4 => ("SnapshotFooter", SnapshotFooterRecord::SCHEMA),
        5 => ("KRaftVersion", KRaftVersionRecord::SCHEMA),
        6 => ("KRaftVoters", VotersRecord::SCHEMA),
        other => return Ok(format!("controlType: UNKNOWN({other})")),
    };
    let json = versioned_json(schema, value)?;
    Ok(format!("{name} {json}"))
}

/// The message's version stands in its own first field.
fn versioned_json(schema: &Schema, value: Bytes) -> Result<Value, DecodeError> {
    let version = Reader::new(value.clone()).i16()?;
    let version = version.clamp(schema.min, schema.max);
    bytes_to_json(schema, version, &mut Reader::new(value))
}
