//! What is being written: one growing buffer, with pieces that live elsewhere inserted between its bytes.
//!
//! ```text
//! memory   | header, fields … | more fields … | tags |
//! pieces             ^ at 57: File(1 MiB)      ^ at 91: Memory(128 KiB)
//! ```
//! Invariant: the total length is known at any moment, and every piece's place is at most the memory's length.

use std::io;

use base::uuid::Uuid;
use bytes::{Bytes, BytesMut};

use crate::piece::Piece;

/// Pieces of memory up to this size are copied rather than kept apart: a copy is cheaper than one more I/O vector.
const COPY_LIMIT: usize = 2048;

/// Why a message cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The message has no such version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field that must not be dropped has a value, but the version has no such field.
    #[error("field {field} has a value, but version {version} of {message} has no such field")]
    FieldAbsent {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A null that the version cannot carry.
    #[error("field {field} of {message} must not be null in version {version}")]
    UnexpectedNull {
        /// The message.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string longer than 32,767 bytes or an array or byte string longer than 2 GiB.
    #[error("field {field} is too long: {length}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes or elements.
        length: usize,
    },
}

/// A gather buffer.
#[derive(Clone, Debug, Default)]
pub struct Output {
    memory: Vec<u8>,
    pieces: Vec<(usize, Piece)>,
    pieces_length: usize,
}

impl Output {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with room for `capacity` bytes of memory.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { memory: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// Bytes written, pieces included.
    pub fn len(&self) -> usize {
        self.memory.len() + self.pieces_length
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a signed byte.
    #[inline]
    pub fn put_i8(&mut self, value: i8) {
        self.memory.push(value as u8);
    }

    /// Writes an unsigned byte.
    #[inline]
    pub fn put_u8(&mut self, value: u8) {
        self.memory.push(value);
    }

    /// Writes a truth value as one byte.
    #[inline]
    pub fn put_bool(&mut self, value: bool) {
        self.memory.push(u8::from(value));
    }

    /// Writes two bytes.
    #[inline]
    pub fn put_i16(&mut self, value: i16) {
        self.memory.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes two bytes, unsigned.
    #[inline]
    pub fn put_u16(&mut self, value: u16) {
        self.memory.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes four bytes.
    #[inline]
    pub fn put_i32(&mut self, value: i32) {
        self.memory.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes four bytes, unsigned.
    #[inline]
    pub fn put_u32(&mut self, value: u32) {
        self.memory.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes eight bytes.
    #[inline]
    pub fn put_i64(&mut self, value: i64) {
        self.memory.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes a double.
    #[inline]
    pub fn put_f64(&mut self, value: f64) {
        self.memory.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes 16 bytes.
    #[inline]
    pub fn put_uuid(&mut self, value: Uuid) {
        self.memory.extend_from_slice(value.as_bytes());
    }

    /// Writes an unsigned number in groups of seven bits, lowest first.
    #[inline]
    pub fn put_uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.memory.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.memory.push(value as u8);
    }

    /// Writes a zigzag-coded number of 32 bits.
    #[inline]
    pub fn put_varint(&mut self, value: i32) {
        self.put_uvarint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// Writes a zigzag-coded number of 64 bits.
    #[inline]
    pub fn put_varlong(&mut self, value: i64) {
        let mut raw = ((value << 1) ^ (value >> 63)) as u64;
        while raw >= 0x80 {
            self.memory.push(raw as u8 | 0x80);
            raw >>= 7;
        }
        self.memory.push(raw as u8);
    }

    /// Writes the bytes as they are, without a length.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Writes a piece without a length; a large one is kept apart instead of copied.
    pub fn put_piece(&mut self, piece: Piece) {
        match piece {
            Piece::Memory(bytes) if bytes.len() <= COPY_LIMIT => self.memory.extend_from_slice(&bytes),
            piece => {
                self.pieces_length += piece.len();
                self.pieces.push((self.memory.len(), piece));
            }
        }
    }

    /// Bytes of memory written so far, without pieces that are kept apart: a position for [`Output::insert_uvarint`].
    #[inline]
    pub fn memory_len(&self) -> usize {
        self.memory.len()
    }

    /// Puts an unsigned number in groups of seven bits before what was written since memory position `at`, no piece
    /// being among it: the length of something that is known only once it is written.
    pub fn insert_uvarint(&mut self, at: usize, mut value: u32) {
        debug_assert!(self.pieces.last().is_none_or(|(place, _)| *place <= at));
        let mut bytes = [0; 5];
        let mut count = 0;
        while value >= 0x80 {
            bytes[count] = value as u8 | 0x80;
            value >>= 7;
            count += 1;
        }
        bytes[count] = value as u8;
        self.memory.splice(at..at, bytes[..=count].iter().copied());
    }

    /// Overwrites four bytes that were written at memory position `at` before any piece was put.
    pub fn patch_i32(&mut self, at: usize, value: i32) {
        debug_assert!(self.pieces.first().is_none_or(|(place, _)| *place >= at + 4));
        self.memory[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// The bytes written, in order, as pieces that are not empty.
    pub fn into_pieces(self) -> Vec<Piece> {
        let mut memory = Bytes::from(self.memory);
        let mut pieces = Vec::with_capacity(2 * self.pieces.len() + 1);
        let mut taken = 0;
        for (place, piece) in self.pieces {
            let before = memory.split_to(place - taken);
            taken = place;
            pieces.extend([Piece::Memory(before), piece].into_iter().filter(|piece| !piece.is_empty()));
        }
        if !memory.is_empty() {
            pieces.push(Piece::Memory(memory));
        }
        pieces
    }

    /// All bytes in one buffer; reads pieces that are files.
    ///
    /// # Errors
    /// Those of [`Piece::to_bytes`].
    pub fn to_bytes(self) -> io::Result<Bytes> {
        if self.pieces.is_empty() {
            return Ok(Bytes::from(self.memory));
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for piece in self.into_pieces() {
            whole.extend_from_slice(&piece.to_bytes()?);
        }
        Ok(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    #[test]
    fn pieces_stand_between_the_bytes_around_them() {
        let large = Bytes::from(vec![9; COPY_LIMIT + 1]);
        let mut output = Output::new();
        output.put_i32(0);
        output.put_piece(Piece::Memory(large.clone()));
        output.put_piece(Piece::Memory(Bytes::from_static(b"small")));
        output.put_piece(Piece::Memory(large.clone()));
        assert_eq!(output.len(), 4 + 5 + 2 * large.len());
        output.patch_i32(0, 77);
        let pieces = output.clone().into_pieces();
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces[0].to_bytes().unwrap()[..], 77i32.to_be_bytes());
        assert_eq!(pieces[2].to_bytes().unwrap()[..], *b"small");
        let whole = output.to_bytes().unwrap();
        assert_eq!(whole.len(), 4 + 5 + 2 * large.len());
    }

    #[test]
    fn numbers_read_back() {
        for value in [0, 1, -1, 63, 64, -65, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN] {
            let mut output = Output::new();
            output.put_varlong(value);
            output.put_varint(value as i32);
            output.put_uvarint(value as u32);
            let mut reader = Reader::new(output.to_bytes().unwrap());
            assert_eq!(reader.varlong(), Ok(value));
            assert_eq!(reader.varint(), Ok(value as i32));
            assert_eq!(reader.uvarint(), Ok(value as u32));
            assert_eq!(reader.remaining(), 0);
        }
    }
}
