//! `.timeindex`: from a timestamp to an offset.
//!
//! ```text
//!  0                               8               12
//!  +-------------------------------+---------------+
//!  | timestamp                     | offset - base |     no record up to the offset is younger than the timestamp
//!  +-------------------------------+---------------+
//! ```
//! The last entry of a closed segment is its largest timestamp.

use base::ids::Offset;

use super::Entry;
use crate::directory::FileKind;

/// The largest timestamp up to and with `offset`, which is the last offset of the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) offset: Offset,
}

impl Entry for TimeEntry {
    const KIND: FileKind = FileKind::TimeIndex;
    const SIZE: usize = 12;
    type Key = i64;

    fn key(&self) -> i64 {
        self.timestamp
    }

    fn encode(&self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&((self.offset.0 - base.0) as i32).to_be_bytes());
    }

    fn decode(base: Offset, bytes: &[u8]) -> Self {
        let (timestamp, relative) = bytes.split_at(8);
        let timestamp = i64::from_be_bytes(*timestamp.first_chunk().expect("an entry has 12 bytes"));
        let relative = i32::from_be_bytes(*relative.first_chunk().expect("an entry has 12 bytes"));
        Self { timestamp, offset: Offset(base.0.saturating_add(relative.into())) }
    }
}
