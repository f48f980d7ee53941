//! `.txnindex`: the aborted transactions whose marker is in the segment, for readers of committed records.
//!
//! ```text
//!  0       2             10             18            26                   34
//!  +-------+-------------+--------------+-------------+--------------------+
//!  |version| producer id | first offset | last offset | last stable offset |     last: that of the marker
//!  |i16 = 0|             |              |             | after the marker   |
//!  +-------+-------------+--------------+-------------+--------------------+
//! ```
//! Most segments have none, and then there is no file. Entries stand in the order of their markers.

use base::ids::{Offset, ProducerId};
use bytes::Bytes;
use wire::reader::Reader;

/// Bytes of an entry.
pub(crate) const ENTRY_SIZE: usize = 34;
const VERSION: i16 = 0;

/// A transaction whose records a reader of committed records skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
    /// Its marker.
    pub last_offset: Offset,
    /// The last stable offset once it had ended.
    pub last_stable: Offset,
}

impl AbortedTransaction {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&VERSION.to_be_bytes());
        for number in [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable.0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// The whole entries at the begin of a file; an entry of another version ends them.
    pub(crate) fn decode_all(bytes: Vec<u8>) -> Vec<Self> {
        let count = bytes.len() / ENTRY_SIZE;
        let mut reader = Reader::new(Bytes::from(bytes));
        let mut entry = || -> Option<Self> {
            if reader.i16().ok()? != VERSION {
                return None;
            }
            Some(Self {
                producer_id: ProducerId(reader.i64().ok()?),
                first_offset: Offset(reader.i64().ok()?),
                last_offset: Offset(reader.i64().ok()?),
                last_stable: Offset(reader.i64().ok()?),
            })
        };
        (0..count).map_while(|_| entry()).collect()
    }
}
