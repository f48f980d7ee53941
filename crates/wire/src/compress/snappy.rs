//! Snappy, in the framing that xerial's Java library invented and Kafka uses.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 = 1 | compatible version i32 = 1 | chunk …
//! chunk: length i32 | one raw snappy block
//! raw block: uncompressed length, uvarint | literals and copies
//! ```
//! Some clients send one raw block without any framing; Java's reader takes that too, so it is read here as well.

use super::window::{HISTORY, InvalidOffset, Window};
use super::{CompressionType, DecompressError};

/// The first bytes of the framing.
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Uncompressed bytes of a chunk, as Java's writer makes them.
const CHUNK: usize = 32 * 1024;

/// A hash table and a chunk being filled, reused.
pub(super) struct Encoder {
    snap: snap::raw::Encoder,
    chunk: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { snap: snap::raw::Encoder::new(), chunk: Vec::new() }
    }

    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        self.chunk.clear();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&1i32.to_be_bytes());
        out.extend_from_slice(&1i32.to_be_bytes());
    }

    pub(super) fn write(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            if self.chunk.is_empty() && input.len() >= CHUNK {
                self.snap.put_chunk(&input[..CHUNK], out);
                input = &input[CHUNK..];
                continue;
            }
            let (now, later) = input.split_at(input.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            input = later;
            if self.chunk.len() == CHUNK {
                self.flush(out);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.chunk.is_empty() {
            self.flush(out);
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        self.snap.put_chunk(&self.chunk, out);
        self.chunk.clear();
    }
}

trait PutChunk {
    fn put_chunk(&mut self, chunk: &[u8], out: &mut Vec<u8>);
}

impl PutChunk for snap::raw::Encoder {
    fn put_chunk(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let at = out.len();
        out.resize(at + 4 + snap::raw::max_compress_len(chunk.len()), 0);
        let length = self.compress(chunk, &mut out[at + 4..]).expect("there is room for the worst case");
        out[at..at + 4].copy_from_slice(&(length as i32).to_be_bytes());
        out.truncate(at + 4 + length);
    }
}

const CORRUPT: fn(&'static str) -> DecompressError =
    |what| DecompressError::Corrupt(CompressionType::Snappy, what);
const TRUNCATED: DecompressError = DecompressError::Truncated(CompressionType::Snappy);
/// A block that claims at most so many times its compressed bytes may take that much memory: few real ones claim more.
const RATIO: usize = 8;
/// Magic and two versions, which nobody checks.
const FRAMING: usize = 16;

/// Where a stream is. The library's own decoder would allocate what a block claims, up to 4 GiB; this one allows a block
/// [`RATIO`] times its compressed bytes, and beyond that goes through a fixed window. The format lets copies reach back
/// without limit; in the window, one from further back than its history is taken for corrupt.
#[derive(Default)]
pub(super) struct Decoder {
    framed: bool,
    started: bool,
    /// Where the current block's compressed bytes end.
    block_end: usize,
    /// Uncompressed bytes that the block still owes.
    owed: u64,
    literals: usize,
    copy: usize,
    offset: usize,
}

impl Decoder {
    pub(super) fn start(&mut self) {
        *self = Self::default();
    }

    pub(super) fn read(
        &mut self,
        input: &[u8],
        at: &mut usize,
        window: &mut Window,
        out: &mut [u8],
    ) -> Result<usize, DecompressError> {
        loop {
            let count = window.take(out);
            if count > 0 {
                return Ok(count);
            }
            if *at == self.block_end && self.literals == 0 && self.copy == 0 {
                if self.owed != 0 {
                    return Err(CORRUPT("block shorter than it says"));
                }
                if !self.start_block(input, at, window)? {
                    return Ok(0);
                }
            }
            self.fill(&input[..self.block_end], at, window)?;
        }
    }

    /// False at the end of the stream.
    fn start_block(
        &mut self,
        input: &[u8],
        at: &mut usize,
        window: &mut Window,
    ) -> Result<bool, DecompressError> {
        if !self.started {
            self.started = true;
            self.framed = input.len() >= FRAMING && input.starts_with(&MAGIC);
            if self.framed {
                *at = FRAMING;
            } else {
                return self.start_raw(input, at, input.len(), window).map(|()| true);
            }
        }
        // A stream may be followed by another one.
        while self.framed && input.len() - *at >= FRAMING && input[*at..].starts_with(&MAGIC) {
            *at += FRAMING;
        }
        // Java reads an incomplete length as the end, and so does this.
        let (true, Some(length)) = (self.framed, input[*at..].first_chunk::<4>()) else {
            return Ok(false);
        };
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| CORRUPT("negative chunk length"))?;
        *at += 4;
        if length > input.len() - *at {
            return Err(TRUNCATED);
        }
        self.start_raw(input, at, *at + length, window).map(|()| true)
    }

    fn start_raw(
        &mut self,
        input: &[u8],
        at: &mut usize,
        end: usize,
        window: &mut Window,
    ) -> Result<(), DecompressError> {
        self.block_end = end;
        self.owed = 0;
        let start = *at;
        for shift in [0, 7, 14, 21, 28] {
            let byte = next(&input[..end], at)?;
            self.owed |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return self.decode_or_start(&input[start..end], at, window);
            }
        }
        Err(CORRUPT("length of more than five bytes"))
    }

    /// The library decodes a block at once, and faster than can be done in steps; one that claims too much is started.
    fn decode_or_start(
        &mut self,
        block: &[u8],
        at: &mut usize,
        window: &mut Window,
    ) -> Result<(), DecompressError> {
        let length = self.owed as usize;
        if length > HISTORY.max(RATIO * block.len()) {
            window.start_block();
            return Ok(());
        }
        self.owed = 0;
        *at = self.block_end;
        let decoded = window.whole_block(length, |out| snap::raw::Decoder::new().decompress(block, out));
        decoded.map_err(|_| CORRUPT("invalid block"))
    }

    /// Decodes until the block ends or the window is full.
    fn fill(&mut self, block: &[u8], at: &mut usize, window: &mut Window) -> Result<(), DecompressError> {
        while !window.is_full() {
            if self.literals > 0 {
                let count = window.literals(&block[*at..], self.literals);
                *at += count;
                self.literals -= count;
            } else if self.copy > 0 {
                let count = window.repeat(self.offset, self.copy);
                self.copy -= count.map_err(|InvalidOffset| CORRUPT("copy from before the block"))?;
            } else if *at < block.len() {
                self.element(block, at)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Reads one tag: a run of literals or a copy.
    #[inline]
    fn element(&mut self, block: &[u8], at: &mut usize) -> Result<(), DecompressError> {
        let tag = next(block, at)?;
        let length = match tag & 3 {
            0 => {
                let length = match tag >> 2 {
                    short @ 0..60 => usize::from(short),
                    long => little_endian(block, at, usize::from(long) - 59)?,
                };
                self.literals = length + 1;
                if self.literals > block.len() - *at {
                    return Err(TRUNCATED);
                }
                self.literals
            }
            1 => {
                self.offset = usize::from(tag >> 5) << 8 | usize::from(next(block, at)?);
                self.copy = 4 + usize::from(tag >> 2 & 7);
                self.copy
            }
            width => {
                self.offset = little_endian(block, at, if width == 2 { 2 } else { 4 })?;
                self.copy = 1 + usize::from(tag >> 2);
                self.copy
            }
        };
        match self.owed.checked_sub(length as u64) {
            Some(owed) => self.owed = owed,
            None => return Err(CORRUPT("block longer than it says")),
        }
        Ok(())
    }
}

#[inline]
fn next(block: &[u8], at: &mut usize) -> Result<u8, DecompressError> {
    let byte = block.get(*at).ok_or(TRUNCATED)?;
    *at += 1;
    Ok(*byte)
}

fn little_endian(block: &[u8], at: &mut usize, bytes: usize) -> Result<usize, DecompressError> {
    let mut value = 0;
    for index in 0..bytes {
        value |= usize::from(next(block, at)?) << (8 * index);
    }
    Ok(value)
}
