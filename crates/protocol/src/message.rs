//! What every message can do.

use wire::output::{EncodeError, Output};
use wire::reader::{DecodeError, Reader};

use crate::schema::Schema;

/// A struct that is part of a message, or the message itself.
pub trait Struct: Sized {
    /// The fewest bytes that one takes in any version.
    const MIN: usize;

    /// Reads the struct as it stands in a message of version `v`, which the message is known to have.
    fn read(input: &mut Reader, v: i16) -> Result<Self, DecodeError>;

    /// Writes the struct as it stands in a message of version `v`, which the message is known to have.
    fn write(&self, out: &mut Output, v: i16) -> Result<(), EncodeError>;
}

/// A message: it has a name, versions and a definition.
pub trait Message: Struct {
    /// The definition.
    const SCHEMA: &'static Schema;

    /// Reads a message of `version`. Bytes behind it are left alone.
    ///
    /// # Errors
    /// When the message has no such version or the bytes are no such message.
    fn decode(input: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        if !Self::SCHEMA.has_version(version) {
            return Err(DecodeError::UnsupportedVersion { message: Self::SCHEMA.name, version });
        }
        Self::read(input, version)
    }

    /// Writes the message as `version`.
    ///
    /// # Errors
    /// When the message has no such version, or when it says something that the version cannot carry.
    fn encode(&self, version: i16, out: &mut Output) -> Result<(), EncodeError> {
        if !Self::SCHEMA.has_version(version) {
            return Err(EncodeError::UnsupportedVersion { message: Self::SCHEMA.name, version });
        }
        self.write(out, version)
    }

    /// How many bytes [`Message::encode`] writes. It costs as much as writing them, except that large `records` are
    /// neither copied nor read.
    ///
    /// # Errors
    /// Those of [`Message::encode`].
    fn size(&self, version: i16) -> Result<usize, EncodeError> {
        let mut out = Output::new();
        self.encode(version, &mut out)?;
        Ok(out.len())
    }
}
