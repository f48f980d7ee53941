//! Compression as a stream: bytes go in piece by piece, compressed bytes are appended to a `Vec`.
//!
//! Contexts and tables are kept in a [`Compressors`] that its owner reuses from batch to batch, because making them
//! anew costs more than compressing a small batch.

use super::{Compression, gzip, lz4, snappy, zstd};

/// The reusable state of all codecs; each is made when first used.
#[derive(Default)]
pub struct Compressors {
    gzip: Option<gzip::Encoder>,
    snappy: Option<snappy::Encoder>,
    lz4: Option<lz4::Encoder>,
    zstd: Option<zstd::Encoder>,
}

/// One stream being compressed. Dropped without [`Compressor::finish`], its output is incomplete.
pub struct Compressor<'c>(Codec<'c>);

enum Codec<'c> {
    None,
    Gzip(&'c mut gzip::Encoder),
    Snappy(&'c mut snappy::Encoder),
    Lz4(&'c mut lz4::Encoder),
    Zstd(&'c mut zstd::Encoder),
}

impl Compressors {
    /// None made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a stream whose output is appended to `out`. `size` is how many bytes will be written in all, when that
    /// is known: it makes zstd smaller and faster.
    pub fn start(
        &mut self,
        compression: Compression,
        size: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Compressor<'_> {
        Compressor(match compression {
            Compression::None => Codec::None,
            Compression::Gzip(level) => {
                let encoder = self.gzip.get_or_insert_with(|| gzip::Encoder::new(level));
                encoder.start(level, out);
                Codec::Gzip(encoder)
            }
            Compression::Snappy => {
                let encoder = self.snappy.get_or_insert_with(snappy::Encoder::new);
                encoder.start(out);
                Codec::Snappy(encoder)
            }
            Compression::Lz4(_) => {
                let encoder = self.lz4.get_or_insert_with(lz4::Encoder::new);
                encoder.start(out);
                Codec::Lz4(encoder)
            }
            Compression::Zstd(level) => {
                let encoder = self.zstd.get_or_insert_with(zstd::Encoder::new);
                encoder.start(level, size);
                Codec::Zstd(encoder)
            }
        })
    }

    /// Compresses `input` as a whole and appends it to `out`.
    pub fn compress(&mut self, compression: Compression, input: &[u8], out: &mut Vec<u8>) {
        let mut compressor = self.start(compression, Some(input.len()), out);
        compressor.write(input, out);
        compressor.finish(out);
    }
}

impl Compressor<'_> {
    /// Takes more input; output may follow now or later.
    pub fn write(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Codec::None => out.extend_from_slice(input),
            Codec::Gzip(encoder) => encoder.write(input, out),
            Codec::Snappy(encoder) => encoder.write(input, out),
            Codec::Lz4(encoder) => encoder.write(input, out),
            Codec::Zstd(encoder) => encoder.write(input, out),
        }
    }

    /// Appends all that is left.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.0 {
            Codec::None => {}
            Codec::Gzip(encoder) => encoder.finish(out),
            Codec::Snappy(encoder) => encoder.finish(out),
            Codec::Lz4(encoder) => encoder.finish(out),
            Codec::Zstd(encoder) => encoder.finish(out),
        }
    }
}
