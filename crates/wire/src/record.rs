//! One record of a batch of magic 2.
//!
//! ```text
//! length varint | attributes i8 = 0 | timestamp delta varlong | offset delta varint
//!   | key length varint (-1 null) | key | value length varint (-1 null) | value
//!   | header count varint | per header: key length varint | key (UTF-8) | value length varint (-1 null) | value
//! ```
//! The length counts the bytes after it; all numbers are zigzag-coded.

use bytes::Bytes;

mod cursor;
mod decode;
mod view;

pub(crate) use cursor::{AnySource, Clock, Source, expect_end, read_body, read_prefix};
pub use cursor::{Reading, RecordCursor, RecordHead, RecordsError};
pub use decode::{Record, RecordHeaders, Records};
pub use view::{RecordView, RecordViews};

use crate::varint::{put_varint, put_varlong, varint_size, varlong_size};

/// An application's annotation of a record (KIP-82).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// UTF-8; the same key may occur more than once.
    pub key: Bytes,
    /// Any bytes or null.
    pub value: Option<Bytes>,
}

impl RecordHeader {
    /// A header with a value.
    pub fn new(key: &str, value: impl Into<Bytes>) -> Self {
        Self { key: Bytes::copy_from_slice(key.as_bytes()), value: Some(value.into()) }
    }
}

/// Bytes of the record after its length field.
pub fn body_size(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader],
) -> usize {
    let headers_size: usize = headers
        .iter()
        .map(|header| {
            varint_size(header.key.len() as i32) + header.key.len() + field_size(header.value.as_deref())
        })
        .sum();
    1 + varlong_size(timestamp_delta)
        + varint_size(offset_delta)
        + field_size(key)
        + field_size(value)
        + varint_size(headers.len() as i32)
        + headers_size
}

/// Appends a record.
pub fn put_record(
    out: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader],
) {
    let size = body_size(timestamp_delta, offset_delta, key, value, headers);
    put_varint(out, size as i32);
    out.push(0);
    put_varlong(out, timestamp_delta);
    put_varint(out, offset_delta);
    put_field(out, key);
    put_field(out, value);
    put_varint(out, headers.len() as i32);
    for header in headers {
        put_field(out, Some(&header.key));
        put_field(out, header.value.as_deref());
    }
}

fn field_size(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| varint_size(bytes.len() as i32) + bytes.len())
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
