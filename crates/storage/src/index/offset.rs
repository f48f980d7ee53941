//! `.index`: from an offset to the position of its batch.
//!
//! ```text
//!  0               4               8
//!  +---------------+---------------+
//!  | offset - base | file position |     offset: the last one of the batch that starts at the position
//!  +---------------+---------------+
//! ```

use base::ids::Offset;

use super::Entry;
use crate::directory::FileKind;

/// The batch that starts at `position` ends with `offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) offset: Offset,
    pub(crate) position: u32,
}

impl Entry for OffsetEntry {
    const KIND: FileKind = FileKind::OffsetIndex;
    const SIZE: usize = 8;
    type Key = Offset;

    fn key(&self) -> Offset {
        self.offset
    }

    fn encode(&self, base: Offset, out: &mut Vec<u8>) {
        out.extend_from_slice(&((self.offset.0 - base.0) as i32).to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }

    fn decode(base: Offset, bytes: &[u8]) -> Self {
        let (relative, position) = bytes.split_at(4);
        let relative = i32::from_be_bytes(*relative.first_chunk().expect("an entry has 8 bytes"));
        let position = u32::from_be_bytes(*position.first_chunk().expect("an entry has 8 bytes"));
        Self { offset: Offset(base.0.saturating_add(relative.into())), position }
    }
}
