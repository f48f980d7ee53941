//! The codecs of record batches: their names and ids, and how to run them.

use std::fmt;
use std::str::FromStr;

mod compressor;
mod decompressor;
mod gzip;
mod lz4;
mod snappy;
mod window;
mod xxhash;
mod zstd;

pub use compressor::{Compressor, Compressors};
pub use decompressor::{DecompressError, Decompressor, Decompressors};

/// A codec of a batch's records (`compression.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum CompressionType {
    /// Not compressed.
    #[default]
    None,
    /// A gzip member.
    Gzip,
    /// Snappy blocks in xerial's framing.
    Snappy,
    /// An LZ4 frame.
    Lz4,
    /// A Zstandard frame.
    Zstd,
}

impl CompressionType {
    /// All of them, by id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of this id, or the id when there is none.
    #[inline]
    pub fn from_id(id: u8) -> Result<Self, u8> {
        Self::ALL.get(usize::from(id)).copied().ok_or(id)
    }

    /// The id in a batch's attributes.
    #[inline]
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name in configs.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for CompressionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CompressionType {
    type Err = UnknownCompressionType;

    fn from_str(name: &str) -> Result<Self, UnknownCompressionType> {
        let found = Self::ALL.into_iter().find(|compression| compression.name() == name);
        found.ok_or_else(|| UnknownCompressionType(name.to_owned()))
    }
}

/// No codec has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression type {0}")]
pub struct UnknownCompressionType(pub String);

/// A codec with its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not compressed.
    #[default]
    None,
    /// 1 (fast) to 9 (small), -1 for zlib's own default (`compression.gzip.level`).
    Gzip(i32),
    /// Has no levels.
    Snappy,
    /// 1 to 17 (`compression.lz4.level`).
    Lz4(i32),
    /// -131072 to 22 (`compression.zstd.level`).
    Zstd(i32),
}

impl Compression {
    /// The codec with Kafka's default level.
    pub fn with_default_level(compression: CompressionType) -> Self {
        match compression {
            CompressionType::None => Self::None,
            CompressionType::Gzip => Self::Gzip(-1),
            CompressionType::Snappy => Self::Snappy,
            CompressionType::Lz4 => Self::Lz4(9),
            CompressionType::Zstd => Self::Zstd(3),
        }
    }

    /// The codec without its level.
    pub fn compression_type(self) -> CompressionType {
        match self {
            Self::None => CompressionType::None,
            Self::Gzip(_) => CompressionType::Gzip,
            Self::Snappy => CompressionType::Snappy,
            Self::Lz4(_) => CompressionType::Lz4,
            Self::Zstd(_) => CompressionType::Zstd,
        }
    }
}

#[cfg(test)]
mod tests;
