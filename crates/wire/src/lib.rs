//! Bytes and what they mean: primitives of the wire, record batches, compression, checksums.
//!
//! Pure: nothing here knows a message, a file or a socket. Input of any kind yields a value or an error, never a panic.

pub mod batch;
pub mod builder;
pub mod compress;
pub mod control;
pub mod crc;
pub mod legacy;
pub mod output;
pub mod piece;
pub mod reader;
pub mod rebuild;
pub mod record;
pub mod validate;
pub mod varint;

#[cfg(test)]
mod goldens;
