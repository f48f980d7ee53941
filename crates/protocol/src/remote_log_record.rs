//! Values of the topic `__remote_log_metadata`: the same frame as in the metadata log, records of its own.

use bytes::Bytes;
use wire::output::{EncodeError, Output};
use wire::reader::{DecodeError, Reader};

use crate::codec;
use crate::message::Message;
use crate::records::*;
use crate::schema::Schema;

include!(concat!(env!("OUT_DIR"), "/remote_log_record.rs"));

impl RemoteLogRecord {
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
