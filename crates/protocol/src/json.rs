//! The JSON form of a message: what Kafka's tools print and read.
//!
//! ```text
//! message  ── encode ──►  bytes  ── walk the definition ──►  {"topicData":[{"name":"a", …}], …}
//! ```
//! It goes through the bytes of one version, so it holds exactly the fields that version carries: tagged fields only when
//! they are not the default, all others always. Names are Kafka's with a small first letter; bytes are base64, ids as
//! Kafka prints them, error codes numbers. Unknown tagged fields have no JSON form and are lost.

pub mod base64;
mod read;
mod write;

use std::fmt;
use std::io;

use serde_json::Value;
use wire::output::{EncodeError, Output};
use wire::reader::{DecodeError, Reader};

use crate::message::Message;
use crate::schema::{Field, Kind, Schema};

/// Why a message has no JSON form, or JSON is no message.
#[derive(Debug)]
pub enum JsonError {
    /// The version cannot carry the message.
    Encode(EncodeError),
    /// The bytes are no such message.
    Decode(DecodeError),
    /// Record batches could not be read from their file.
    Records(io::Error),
    /// A value is missing or of the wrong kind.
    Shape {
        /// The field, by Kafka's name in JSON.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// The JSON form of `message` as `version` carries it.
///
/// # Errors
/// When the version cannot carry the message.
pub fn to_json<M: Message>(message: &M, version: i16) -> Result<Value, JsonError> {
    let mut out = Output::new();
    message.encode(version, &mut out).map_err(JsonError::Encode)?;
    let mut input = Reader::new(out.to_bytes().map_err(JsonError::Records)?);
    bytes_to_json(M::SCHEMA, version, &mut input).map_err(JsonError::Decode)
}

/// The message that a JSON form of `version` stands for. Fields that have no place in it are ignored.
///
/// # Errors
/// When a field that is not tagged is missing, or a value does not fit its field.
pub fn from_json<M: Message>(value: &Value, version: i16) -> Result<M, JsonError> {
    let mut out = Output::new();
    json_to_bytes(M::SCHEMA, version, value, &mut out)?;
    let mut input = Reader::new(out.to_bytes().map_err(JsonError::Records)?);
    M::decode(&mut input, version).map_err(JsonError::Decode)
}

/// The JSON form of the bytes of a message.
///
/// # Errors
/// When the bytes are no such message.
pub fn bytes_to_json(schema: &Schema, version: i16, input: &mut Reader) -> Result<Value, DecodeError> {
    if !schema.has_version(version) {
        return Err(DecodeError::UnsupportedVersion { message: schema.name, version });
    }
    read::fields(schema.fields, version, schema.is_flexible(version), input)
}

/// The bytes of a message from its JSON form.
///
/// # Errors
/// When a field that is not tagged is missing, or a value does not fit its field.
pub fn json_to_bytes(
    schema: &Schema,
    version: i16,
    value: &Value,
    out: &mut Output,
) -> Result<(), JsonError> {
    if !schema.has_version(version) {
        return Err(JsonError::Encode(EncodeError::UnsupportedVersion { message: schema.name, version }));
    }
    write::fields(schema.fields, version, schema.is_flexible(version), value, out)
}

/// The field's name in JSON: Kafka's with a small first letter.
pub fn name(field: &Field) -> String {
    let mut letters = field.name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Whether `value` is the field's default. Fields that `value`'s version does not have count as default.
pub fn is_default(field: &Field, value: &Value) -> bool {
    if value.is_null() || field.default == "null" {
        return value.is_null() && field.default == "null";
    }
    if field.array {
        return value.as_array().is_some_and(Vec::is_empty);
    }
    match field.kind {
        Kind::Bool => value.as_bool() == Some(field.default == "true"),
        Kind::F64 => value.as_f64() == Some(0.0),
        Kind::String | Kind::Bytes | Kind::Records => value.as_str() == Some(""),
        Kind::Uuid => value.as_str() == Some(&base::uuid::Uuid::ZERO.to_string()),
        Kind::Struct(fields) => {
            fields.iter().all(|field| value.get(name(field)).is_none_or(|value| is_default(field, value)))
        }
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::U16 | Kind::U32 | Kind::Error => {
            value.as_i64() == Some(field.default.parse().unwrap_or(0))
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Records(error) => write!(f, "records: {error}"),
            Self::Shape { field, expected } => write!(f, "field {field}: expected {expected}"),
        }
    }
}

impl std::error::Error for JsonError {}
