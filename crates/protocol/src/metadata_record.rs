//! Values of the metadata log: any metadata record in its frame.
//!
//! ```text
//! | frame version uvarint = 1 | type uvarint | version uvarint | record |
//! ```
//! The record is the whole rest of the value.

use bytes::Bytes;
use wire::output::{EncodeError, Output};
use wire::reader::{DecodeError, Reader};

use crate::codec;
use crate::message::Message;
use crate::records::*;
use crate::schema::Schema;

include!(concat!(env!("OUT_DIR"), "/metadata_record.rs"));

impl MetadataRecord {
    /// Reads a value; gives the record and the version it was written in.
    ///
    /// # Errors
    /// When the frame, the type or the version is unknown, or the bytes are no such record, or more than one.
    pub fn decode(value: Bytes) -> Result<(Self, i16), DecodeError> {
        codec::decode_framed(value, Self::read)
    }

    /// Writes the record in its frame as `version`.
    ///
    /// # Errors
    /// When the version is unknown or cannot carry the record.
    pub fn encode(&self, version: i16, out: &mut Output) -> Result<(), EncodeError> {
        codec::put_frame(out, self.record_type(), version);
        self.write(version, out)
    }
}
