//! A cursor over one shared buffer that reads the protocol's primitive types.
//!
//! Invariant: a failed read leaves the cursor where it was asked from or later, never out of bounds; byte strings come
//! out as slices of the same buffer, so that nothing is copied. Every length is checked against the bytes left before
//! anything is allocated.

use base::uuid::Uuid;
use bytes::Bytes;
use thiserror::Error;

/// Why bytes could not be read as what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The buffer ends inside a value.
    #[error("buffer ends: {needed} more bytes needed at position {position}, {left} left")]
    UnexpectedEnd {
        /// Where the value starts, in bytes from the buffer's begin.
        position: usize,
        /// Bytes that the value needs.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// A variable-length number has more bytes than its type allows.
    #[error("variable-length number at position {0} is too long")]
    VarintTooLong(usize),
    /// A length or count below what null needs.
    #[error("invalid length {length} of {field} at position {position}")]
    InvalidLength {
        /// The field or type.
        field: &'static str,
        /// The value found.
        length: i64,
        /// Where it stands.
        position: usize,
    },
    /// A null where the type or version has none.
    #[error("{0} must not be null")]
    UnexpectedNull(&'static str),
    /// A string that is not UTF-8.
    #[error("string at position {0} is not UTF-8")]
    InvalidUtf8(usize),
    /// More elements than the bytes left can hold, or than Kafka allows.
    #[error("{field} claims {count} elements, at most {limit} are possible")]
    TooManyElements {
        /// The array.
        field: &'static str,
        /// What it claims.
        count: usize,
        /// What is possible.
        limit: usize,
    },
    /// A version that the message does not have.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// An api key or record type that nobody knows.
    #[error("unknown {kind} {key}")]
    UnknownKey {
        /// What kind of key it is.
        kind: &'static str,
        /// The key.
        key: i64,
    },
    /// Any other broken rule; the text names the field and the value.
    #[error("{0}")]
    Invalid(String),
}

/// The cursor. Cloning is cheap and gives an independent position.
#[derive(Clone, Debug)]
pub struct Reader {
    buffer: Bytes,
    position: usize,
    allowance: usize,
}

/// Bytes that decoding may allocate for collections, beside a multiple of the buffer's length.
const ALLOWANCE_BASE: usize = 48 * 1024;

/// Bytes that decoding may allocate for collections per byte of the buffer. Strings come on top, once their length.
const ALLOWANCE_FACTOR: usize = 15;

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[inline]
            pub fn $name(&mut self) -> Result<$type, DecodeError> {
                const SIZE: usize = size_of::<$type>();
                let rest = &self.buffer[self.position..];
                match rest.first_chunk::<SIZE>() {
                    Some(bytes) => {
                        self.position += SIZE;
                        Ok(<$type>::from_be_bytes(*bytes))
                    }
                    None => Err(self.end(SIZE)),
                }
            }
        )*
    };
}

impl Reader {
    /// A cursor at the begin of `buffer`.
    pub fn new(buffer: Bytes) -> Self {
        let allowance = buffer.len().saturating_mul(ALLOWANCE_FACTOR).saturating_add(ALLOWANCE_BASE);
        Self { buffer, position: 0, allowance }
    }

    /// Bytes that may still be allocated for collections. A count alone bounds them badly: an empty string takes one
    /// byte here and 24 in memory.
    #[inline]
    pub fn allowance(&self) -> usize {
        self.allowance
    }

    /// Takes `bytes` off the allowance.
    #[inline]
    pub fn spend(&mut self, bytes: usize) {
        self.allowance = self.allowance.saturating_sub(bytes);
    }

    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.buffer.len() - self.position
    }

    /// Bytes read so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The bytes not read yet.
    #[inline]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.position..]
    }

    fixed! {
        /// A signed byte.
        i8 -> i8;
        /// An unsigned byte.
        u8 -> u8;
        /// Two bytes, signed.
        i16 -> i16;
        /// Two bytes, unsigned.
        u16 -> u16;
        /// Four bytes, signed.
        i32 -> i32;
        /// Four bytes, unsigned.
        u32 -> u32;
        /// Eight bytes, signed.
        i64 -> i64;
        /// A double.
        f64 -> f64;
    }

    /// One byte; any other value than 0 is true, as Kafka reads it.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// 16 bytes.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        match self.rest().first_chunk::<16>() {
            Some(bytes) => {
                let id = Uuid::from_bytes(*bytes);
                self.position += 16;
                Ok(id)
            }
            None => Err(self.end(16)),
        }
    }

    /// An unsigned number of at most 32 bits in groups of seven, lowest first.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let start = self.position;
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            // The fifth byte holds the top four bits; what is above them is dropped, as Kafka does.
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintTooLong(start))
    }

    /// A zigzag-coded number of at most 32 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        let raw = self.uvarint()?;
        Ok(((raw >> 1) as i32) ^ -((raw & 1) as i32))
    }

    /// A zigzag-coded number of at most 64 bits.
    #[inline]
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let start = self.position;
        let mut raw: u64 = 0;
        for group in 0..10 {
            let byte = self.u8()?;
            raw |= u64::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64));
            }
        }
        Err(DecodeError::VarintTooLong(start))
    }

    /// The next `length` bytes as a slice of the same buffer.
    pub fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.remaining() {
            return Err(self.end(length));
        }
        let bytes = self.buffer.slice(self.position..self.position + length);
        self.position += length;
        Ok(bytes)
    }

    /// Passes over `length` bytes.
    pub fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        if length > self.remaining() {
            return Err(self.end(length));
        }
        self.position += length;
        Ok(())
    }

    /// A length before a byte string or array, classic form: 4 bytes, -1 is null.
    pub fn length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        let position = self.position;
        match self.i32()? {
            -1 => Ok(None),
            length if length >= 0 => Ok(Some(length as usize)),
            length => Err(DecodeError::InvalidLength { field, length: length.into(), position }),
        }
    }

    /// A length in the compact form: one more than the length, 0 is null.
    pub fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok((self.uvarint()? as usize).checked_sub(1))
    }

    /// A nullable string, classic form: 2 bytes of length, -1 is null.
    pub fn nullable_string(&mut self) -> Result<Option<String>, DecodeError> {
        let position = self.position;
        match self.i16()? {
            -1 => Ok(None),
            length if length >= 0 => self.utf8(length as usize).map(Some),
            length => Err(DecodeError::InvalidLength { field: "string", length: length.into(), position }),
        }
    }

    /// A nullable string, compact form.
    pub fn compact_nullable_string(&mut self) -> Result<Option<String>, DecodeError> {
        let position = self.position;
        match self.compact_length()? {
            None => Ok(None),
            Some(length) if length <= 0x7fff => self.utf8(length).map(Some),
            Some(length) => {
                Err(DecodeError::InvalidLength { field: "string", length: length as i64, position })
            }
        }
    }

    /// Nullable bytes, classic form: 4 bytes of length, -1 is null.
    pub fn nullable_bytes(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.length("bytes")? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Nullable bytes, compact form.
    pub fn compact_nullable_bytes(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.compact_length()? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    fn utf8(&mut self, length: usize) -> Result<String, DecodeError> {
        let start = self.position;
        if length > self.remaining() {
            return Err(self.end(length));
        }
        match std::str::from_utf8(&self.rest()[..length]) {
            Ok(text) => {
                let text = text.to_owned();
                self.position += length;
                Ok(text)
            }
            Err(_) => Err(DecodeError::InvalidUtf8(start)),
        }
    }

    #[cold]
    fn end(&self, needed: usize) -> DecodeError {
        DecodeError::UnexpectedEnd { position: self.position, needed, left: self.remaining() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8]) -> Reader {
        Reader::new(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn zigzag_numbers() {
        let check = |bytes: &[u8], expect: i64| {
            assert_eq!(reader(bytes).varlong(), Ok(expect));
            if let Ok(small) = i32::try_from(expect) {
                assert_eq!(reader(bytes).varint(), Ok(small));
            }
        };
        check(&[0], 0);
        check(&[1], -1);
        check(&[2], 1);
        check(&[0xfe, 0xff, 0xff, 0xff, 0x0f], i64::from(i32::MAX));
        check(&[0xff, 0xff, 0xff, 0xff, 0x0f], i64::from(i32::MIN));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN);
    }

    #[test]
    fn lying_lengths_are_errors() {
        assert!(matches!(reader(&[0, 5, b'a']).nullable_string(), Err(DecodeError::UnexpectedEnd { .. })));
        assert!(matches!(reader(&[0xff, 0xfe]).nullable_string(), Err(DecodeError::InvalidLength { .. })));
        assert!(matches!(
            reader(&[0x7f, 0xff, 0xff, 0xff]).nullable_bytes(),
            Err(DecodeError::UnexpectedEnd { .. })
        ));
        assert_eq!(reader(&[0x80; 6]).uvarint(), Err(DecodeError::VarintTooLong(0)));
        assert_eq!(reader(&[0xff; 11]).varlong(), Err(DecodeError::VarintTooLong(0)));
        assert_eq!(reader(&[3, 0xff, 0xfe]).compact_nullable_string(), Err(DecodeError::InvalidUtf8(1)));
    }

    #[test]
    fn bytes_are_slices_of_the_buffer() {
        let buffer = Bytes::from_static(&[0, 0, 0, 2, 7, 8]);
        let taken = Reader::new(buffer.clone()).nullable_bytes().unwrap().unwrap();
        assert_eq!(taken.as_ptr(), buffer[4..].as_ptr());
    }
}
