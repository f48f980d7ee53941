//! Keys and values as text.

use bytes::Bytes;
use protocol::Message;
use protocol::json::bytes_to_json;
use protocol::metadata_record::MetadataRecord;
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

use crate::failure::{Failure, Result};

/// How keys and values become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    /// They are text.
    Text,
    /// Values are records of the metadata log.
    ClusterMetadata,
}

impl Decoder {
    /// Key and value; nothing for what is not there.
    pub(super) fn decode(self, record: &Record) -> Result<(Option<String>, Option<String>)> {
        match self {
            Self::Text => {
                let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                Ok((record.key.as_ref().map(text), record.value.as_ref().map(text)))
            }
            Self::ClusterMetadata => {
                let value = record.value.clone().ok_or_else(|| wrong("the value is null"))?;
                Ok((None, Some(metadata_json(value)?)))
            }
        }
    }
}

fn wrong(why: impl ToString) -> Failure {
    Failure::Error(why.to_string())
}

/// `{"type":"TOPIC_RECORD","version":0,"data":{…}}`.
fn metadata_json(value: Bytes) -> Result<String> {
    let (record, version) = MetadataRecord::decode(value.clone()).map_err(wrong)?;
    let mut reader = Reader::new(value);
    // The frame: its own version, the type, the version.
    for _ in 0..3 {
        reader.uvarint().map_err(wrong)?;
    }
    let data = bytes_to_json(record.schema(), version, &mut reader).map_err(wrong)?;
    let name = Value::String(type_name(record.schema().name));
    Ok(format!("{{\"type\":{name},\"version\":{version},\"data\":{data}}}"))
}

/// `RegisterBrokerRecord` → `REGISTER_BROKER_RECORD`.
fn type_name(name: &str) -> String {
    let mut text = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// What a control record says.
pub(super) fn control(record: &Record) -> Result<String> {
    let mut key = Reader::new(record.key.clone().unwrap_or_default());
    let (_, kind) = (key.i16().map_err(wrong)?, key.i16().map_err(wrong)?);
    let value = record.value.clone().unwrap_or_default();
    let (name, schema): (&str, &Schema) = match kind {
        0 | 1 => {
            let name = if kind == 0 { "ABORT" } else { "COMMIT" };
            let mut reader = Reader::new(value);
            let version = reader.i16().map_err(wrong)?;
            let marker = EndTxnMarker::decode(&mut reader, version.min(0)).map_err(wrong)?;
            return Ok(format!("endTxnMarker: {name} coordinatorEpoch: {}", marker.coordinator_epoch));
        }
        2 => ("LeaderChange:", LeaderChangeMessage::SCHEMA),
        3 => ("SnapshotHeader", SnapshotHeaderRecord::SCHEMA),
        4 => ("SnapshotFooter", SnapshotFooterRecord::SCHEMA),
        5 => ("KRaftVersion", KRaftVersionRecord::SCHEMA),
        6 => ("KRaftVoters", VotersRecord::SCHEMA),
        other => return Ok(format!("controlType: UNKNOWN({other})")),
    };
    let json = versioned_json(schema, value).map_err(wrong)?;
    Ok(format!("{name} {json}"))
}

/// The message's version stands in its own first field.
fn versioned_json(schema: &Schema, value: Bytes) -> std::result::Result<Value, DecodeError> {
    let version = Reader::new(value.clone()).i16()?;
    let version = version.clamp(schema.min, schema.max);
    bytes_to_json(schema, version, &mut Reader::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_kafkas_names() {
        assert_eq!(type_name("RegisterBrokerRecord"), "REGISTER_BROKER_RECORD");
        assert_eq!(type_name("NoOpRecord"), "NO_OP_RECORD");
    }
}
