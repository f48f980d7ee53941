//! Records of the coordinators' logs as JSON.
//!
//! ```text
//! key      {"type":"1","data":{…}}
//! payload  {"version":"4","data":{…}}      <DELETE> when there is no value
//! ```

use base::ids::Offset;
use bytes::Bytes;
use protocol::Message;
use protocol::coordinator_record::{CoordinatorLog, CoordinatorRecord};
use protocol::json::{base64, bytes_to_json};
use protocol::messages::consumer_protocol_assignment::ConsumerProtocolAssignment;
use protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use protocol::records::group_metadata_value::GroupMetadataValue;
use protocol::schema::Schema;
use serde_json::Value;
use wire::reader::{DecodeError, Reader};

/// Why a record is none of the log's.
pub(super) enum NoRecord {
    UnknownType(i16),
    Unreadable(String),
}

impl NoRecord {
    /// What is printed in the place of the record.
    pub(super) fn at(&self, offset: Offset) -> String {
        match self {
            Self::UnknownType(number) => {
                format!("Unknown record type {number} at offset {offset}, skipping.")
            }
            Self::Unreadable(why) => format!("Error at offset {offset}, skipping. {why}"),
        }
    }
}

/// Key and value.
pub(super) fn json(
    log: CoordinatorLog,
    key: Bytes,
    value: Option<Bytes>,
) -> Result<(String, String), NoRecord> {
    let (record_type, key_rest) = number(key, "key")?;
    let record = CoordinatorRecord::find(log, record_type).ok_or(NoRecord::UnknownType(record_type))?;
    let data = fields(record.key, record.key.min, record_type, key_rest, "key")?;
    let key = format!("{{\"type\":\"{record_type}\",\"data\":{data}}}");
    let Some(value) = value else { return Ok((key, "<DELETE>".to_owned())) };
    let (version, rest) = number(value, "value")?;
    if !record.value.has_version(version) {
        let why = format!("Found an unknown record version {version} for {record_type} type");
        return Err(NoRecord::Unreadable(why));
    }
    let mut data = fields(record.value, version, version, rest, "value")?;
    if record.value.name == GroupMetadataValue::SCHEMA.name {
        open_members(&mut data);
    }
    Ok((key, format!("{{\"version\":\"{version}\",\"data\":{data}}}")))
}

/// The number that a key or a value begins with, and the rest.
fn number(bytes: Bytes, what: &str) -> Result<(i16, Reader), NoRecord> {
    let mut reader = Reader::new(bytes);
    let unreadable = |_| NoRecord::Unreadable(format!("Could not read version from {what}'s buffer."));
    Ok((reader.i16().map_err(unreadable)?, reader))
}

fn fields(
    schema: &Schema,
    version: i16,
    shown: i16,
    mut reader: Reader,
    what: &str,
) -> Result<Value, NoRecord> {
    bytes_to_json(schema, version, &mut reader).map_err(|error| {
        NoRecord::Unreadable(format!(
            "Could not read record with version {shown} from {what}'s buffer due to: {error}."
        ))
    })
}

/// What members of a group of consumers put into the fields that are opaque to the coordinator is shown as well.
fn open_members(group: &mut Value) {
    if group["protocolType"] != "consumer" {
        return;
    }
    for member in group["members"].as_array_mut().into_iter().flatten() {
        let opaque = [
            ("subscription", ConsumerProtocolSubscription::SCHEMA),
            ("assignment", ConsumerProtocolAssignment::SCHEMA),
        ];
        for (name, schema) in opaque {
            let bytes = member[name].as_str().and_then(base64::decode);
            if let Some(Ok(opened)) = bytes.map(|bytes| open(schema, bytes.into())) {
                member[name] = opened;
            }
        }
    }
}

/// A version stands before each; a later one only appends fields.
fn open(schema: &Schema, bytes: Bytes) -> Result<Value, DecodeError> {
    let mut reader = Reader::new(bytes);
    let version = reader.i16()?.min(schema.max);
    bytes_to_json(schema, version, &mut reader)
}
