//! Decompression as a stream over bytes in memory: what comes out goes into a buffer of the caller's size.
//!
//! Invariant: memory does not depend on what the input claims to be. The states of all codecs together take below 4 MiB,
//! most of it pages that are touched only by large blocks. A snappy block may take a few times its compressed bytes and a
//! zstd frame the window that it asks for, at most 128 MiB as in Kafka; both are given back at once.

use super::window::Window;
use super::{CompressionType, gzip, lz4, snappy, zstd};

/// Why compressed bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// They are not what the codec writes.
    #[error("corrupt {0}: {1}")]
    Corrupt(CompressionType, &'static str),
    /// They end too early.
    #[error("{0} ends early")]
    Truncated(CompressionType),
    /// There is more in them than the caller allows, in bytes.
    #[error("more than {0} bytes uncompressed")]
    TooLarge(usize),
}

/// The reusable state of all codecs; each is made when first used.
#[derive(Default)]
pub struct Decompressors {
    gzip: Option<gzip::Decoder>,
    snappy: snappy::Decoder,
    lz4: lz4::Decoder,
    window: Option<Window>,
    zstd: Option<zstd::Decoder>,
    /// What a cursor over records reads ahead into; see [`crate::record`].
    pub(crate) ahead: Vec<u8>,
}

/// One stream being decompressed.
pub struct Decompressor<'d> {
    codec: Codec<'d>,
    input: &'d [u8],
    /// How much of the input is consumed.
    at: usize,
    /// What every further read answers: the end, or the error that was met.
    ended: Option<Result<usize, DecompressError>>,
}

enum Codec<'d> {
    None,
    Gzip(&'d mut gzip::Decoder),
    Snappy(&'d mut snappy::Decoder, &'d mut Window),
    Lz4(&'d mut lz4::Decoder, &'d mut Window),
    Zstd(&'d mut Option<zstd::Decoder>),
}

impl Decompressors {
    /// None made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts reading `input`.
    pub fn start<'d>(&'d mut self, compression: CompressionType, input: &'d [u8]) -> Decompressor<'d> {
        self.start_with_buffer(compression, input).0
    }

    /// The same, and the read-ahead buffer beside it.
    pub(crate) fn start_with_buffer<'d>(
        &'d mut self,
        compression: CompressionType,
        input: &'d [u8],
    ) -> (Decompressor<'d>, &'d mut Vec<u8>) {
        let codec = match compression {
            CompressionType::None => Codec::None,
            CompressionType::Gzip => {
                let decoder = self.gzip.get_or_insert_with(gzip::Decoder::new);
                decoder.start();
                Codec::Gzip(decoder)
            }
            CompressionType::Snappy => {
                let window = self.window.get_or_insert_with(Window::new);
                window.reset();
                self.snappy.start();
                Codec::Snappy(&mut self.snappy, window)
            }
            CompressionType::Lz4 => {
                let window = self.window.get_or_insert_with(Window::new);
                window.reset();
                self.lz4.start();
                Codec::Lz4(&mut self.lz4, window)
            }
            CompressionType::Zstd => {
                self.zstd.get_or_insert_with(zstd::Decoder::new).start();
                Codec::Zstd(&mut self.zstd)
            }
        };
        (Decompressor { codec, input, at: 0, ended: None }, &mut self.ahead)
    }

    /// All of `input` at once, at most `limit` bytes. Memory grows with what is there, not with what is claimed.
    ///
    /// # Errors
    /// Those of [`Decompressor::read`], and `TooLarge`.
    pub fn decompress(
        &mut self,
        compression: CompressionType,
        input: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, DecompressError> {
        self.start(compression, input).read_to_end(limit)
    }

    /// Whether no context above what is kept is held.
    #[cfg(test)]
    pub(crate) fn is_small(&self) -> bool {
        let zstd = self.zstd.as_ref().is_some_and(zstd::Decoder::is_oversized);
        !zstd && !self.window.as_ref().is_some_and(Window::is_oversized)
    }

    /// Starts reading an LZ4 frame from a message of magic 0, whose header checksum is wrong and ignored.
    pub(crate) fn start_legacy_lz4<'d>(&'d mut self, input: &'d [u8]) -> Decompressor<'d> {
        let window = self.window.get_or_insert_with(Window::new);
        window.reset();
        self.lz4.start_ignoring_header_checksum();
        Decompressor { codec: Codec::Lz4(&mut self.lz4, window), input, at: 0, ended: None }
    }
}

impl Decompressor<'_> {
    /// All that is left, at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`Decompressor::read`], and `TooLarge`.
    pub fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, DecompressError> {
        const STEP: usize = 16 * 1024;
        let mut out = Vec::new();
        loop {
            let filled = out.len();
            // One byte above the limit is asked for, to see that it is exceeded.
            out.resize((filled + filled.max(STEP)).min(limit.saturating_add(1)), 0);
            let count = self.read(&mut out[filled..])?;
            out.truncate(filled + count);
            if out.len() > limit {
                return Err(DecompressError::TooLarge(limit));
            }
            if count == 0 {
                return Ok(out);
            }
        }
    }

    /// Fills the front of `out` and says how much of it; 0 is the end (or an empty `out`).
    ///
    /// # Errors
    /// When the input is not what the codec writes, or ends early. What was read before stays good.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, DecompressError> {
        if out.is_empty() {
            return Ok(0);
        }
        // Codecs need not stand being asked again after their end.
        if let Some(ended) = self.ended {
            return ended;
        }
        let result = self.decode(out);
        if !matches!(result, Ok(1..)) {
            self.ended = Some(result);
        }
        result
    }

    fn decode(&mut self, out: &mut [u8]) -> Result<usize, DecompressError> {
        match &mut self.codec {
            Codec::None => {
                let count = out.len().min(self.input.len() - self.at);
                out[..count].copy_from_slice(&self.input[self.at..self.at + count]);
                self.at += count;
                Ok(count)
            }
            Codec::Gzip(decoder) => decoder.read(self.input, &mut self.at, out),
            Codec::Snappy(decoder, window) => decoder.read(self.input, &mut self.at, window, out),
            Codec::Lz4(decoder, window) => decoder.read(self.input, &mut self.at, window, out),
            Codec::Zstd(decoder) => {
                let decoder = decoder.as_mut().expect("start has put it there");
                decoder.read(self.input, &mut self.at, out)
            }
        }
    }
}

impl Drop for Decompressor<'_> {
    fn drop(&mut self) {
        match &mut self.codec {
            Codec::Zstd(decoder) if decoder.as_ref().is_some_and(zstd::Decoder::is_oversized) => {
                **decoder = None
            }
            Codec::Snappy(_, window) => window.reset(),
            Codec::None | Codec::Gzip(_) | Codec::Lz4(..) | Codec::Zstd(_) => {}
        }
    }
}
