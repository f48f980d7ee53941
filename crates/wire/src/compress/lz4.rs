//! The LZ4 frame format, as far as Kafka speaks it.
//!
//! ```text
//! magic 04 22 4d 18 | FLG | BD | [content size 8] | HC | block … | end mark 00 00 00 00 | [content checksum 4]
//! FLG: version 01 in bits 7–6, independent blocks 5, block checksums 4, content size 3, content checksum 2
//! BD:  greatest block size in bits 6–4: 4 = 64 KiB … 7 = 4 MiB
//! HC:  second byte of the xxHash32 over FLG, BD and content size
//! block: length u32 (top bit: stored, not compressed) | bytes | [checksum 4]        all little endian
//! ```

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

use super::window::{HISTORY, InvalidOffset, Window};
use super::xxhash::xxh32;
use super::{CompressionType, DecompressError};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const VERSION: u8 = 0b0100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
/// The top bit of a block's length: its bytes are stored as they are.
const STORED: u32 = 1 << 31;
/// Uncompressed bytes of a block, as Java's writer makes them.
const BLOCK: usize = 64 * 1024;
/// The BD byte for them.
const BLOCK_SIZE_ID: u8 = 4 << 4;

/// A hash table and a block being filled, reused.
pub(super) struct Encoder {
    table: CompressTable,
    block: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { table: CompressTable::large(), block: Vec::new() }
    }

    pub(super) fn start(&mut self, out: &mut Vec<u8>) {
        self.block.clear();
        let descriptor = [VERSION | INDEPENDENT, BLOCK_SIZE_ID];
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&descriptor);
        out.push((xxh32(&descriptor) >> 8) as u8);
    }

    pub(super) fn write(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        while !input.is_empty() {
            if self.block.is_empty() && input.len() >= BLOCK {
                put_block(&mut self.table, &input[..BLOCK], out);
                input = &input[BLOCK..];
                continue;
            }
            let (now, later) = input.split_at(input.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            input = later;
            if self.block.len() == BLOCK {
                self.flush(out);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.block.is_empty() {
            self.flush(out);
        }
        out.extend_from_slice(&[0; 4]);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        put_block(&mut self.table, &self.block, out);
        self.block.clear();
    }
}

fn put_block(table: &mut CompressTable, block: &[u8], out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + 4 + get_maximum_output_size(block.len()), 0);
    let length = compress_into_with_table(block, &mut out[at + 4..], table).expect("room for the worst case");
    let field = if length < block.len() {
        out.truncate(at + 4 + length);
        length as u32
    } else {
        out.truncate(at + 4);
        out.extend_from_slice(block);
        block.len() as u32 | STORED
    };
    out[at..at + 4].copy_from_slice(&field.to_le_bytes());
}

const CORRUPT: fn(&'static str) -> DecompressError =
    |what| DecompressError::Corrupt(CompressionType::Lz4, what);
const TRUNCATED: DecompressError = DecompressError::Truncated(CompressionType::Lz4);
const BLOCK_CHECKSUMS: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const RESERVED: u8 = 0b0000_0011;

/// Where a frame is. Takes what Kafka's reader takes: one frame of independent blocks without a dictionary; content
/// size and content checksum are passed over, and so is whatever follows the frame.
#[derive(Default)]
pub(super) struct Decoder {
    place: Place,
    ignore_header_checksum: bool,
    flags: u8,
    /// The greatest size of a block, before and after decompression.
    block_limit: usize,
    /// Where the current block's bytes end in the input.
    block_end: usize,
    stored: bool,
    /// Uncompressed bytes that the block may still become.
    block_left: usize,
    literals: usize,
    /// The length of the copy that follows the literals, minus the least, as its token says.
    token_copy: usize,
    copy: usize,
    offset: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Header,
    BetweenBlocks,
    Token,
    /// Literals, and after them the offset of a copy.
    Literals,
    Copy,
    End,
}

impl Decoder {
    pub(super) fn start(&mut self) {
        *self = Self::default();
    }

    /// For wrappers of magic 0, whose writers computed the checksum over the wrong bytes.
    pub(super) fn start_ignoring_header_checksum(&mut self) {
        *self = Self { ignore_header_checksum: true, ..Self::default() };
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
            match self.place {
                Place::Header => self.header(input, at)?,
                Place::BetweenBlocks => self.start_block(input, at, window)?,
                Place::Token | Place::Literals | Place::Copy => {
                    self.fill(&input[..self.block_end], at, window)?;
                }
                Place::End => return Ok(0),
            }
        }
    }

    fn header(&mut self, input: &[u8], at: &mut usize) -> Result<(), DecompressError> {
        let [m0, m1, m2, m3, flags, sizes] = *input.first_chunk::<6>().ok_or(TRUNCATED)?;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(CORRUPT("no frame"));
        }
        if flags & 0b1100_0000 != VERSION || flags & RESERVED != 0 {
            return Err(CORRUPT("unknown version or flags"));
        }
        if flags & INDEPENDENT == 0 {
            return Err(CORRUPT("dependent blocks"));
        }
        self.block_limit = match sizes {
            0x40 => 64 * 1024,
            0x50 => 256 * 1024,
            0x60 => 1024 * 1024,
            0x70 => 4 * 1024 * 1024,
            _ => return Err(CORRUPT("unknown block size")),
        };
        self.flags = flags;
        let end = 6 + if flags & CONTENT_SIZE != 0 { 8 } else { 0 };
        let checksum = *input.get(end).ok_or(TRUNCATED)?;
        if !self.ignore_header_checksum && checksum != (xxh32(&input[4..end]) >> 8) as u8 {
            return Err(CORRUPT("wrong header checksum"));
        }
        *at = end + 1;
        self.place = Place::BetweenBlocks;
        Ok(())
    }

    fn start_block(
        &mut self,
        input: &[u8],
        at: &mut usize,
        window: &mut Window,
    ) -> Result<(), DecompressError> {
        let field = u32::from_le_bytes(*input[*at..].first_chunk().ok_or(TRUNCATED)?);
        *at += 4;
        if field == 0 {
            if self.flags & CONTENT_CHECKSUM != 0 && input.len() - *at < 4 {
                return Err(TRUNCATED);
            }
            self.place = Place::End;
            return Ok(());
        }
        self.stored = field & STORED != 0;
        let length = (field & !STORED) as usize;
        if length > self.block_limit {
            return Err(CORRUPT("block above its greatest size"));
        }
        let block = input[*at..].get(..length).ok_or(TRUNCATED)?;
        self.block_end = *at + length;
        if self.flags & BLOCK_CHECKSUMS != 0 {
            let checksum = input[self.block_end..].first_chunk().ok_or(TRUNCATED)?;
            if u32::from_le_bytes(*checksum) != xxh32(block) {
                return Err(CORRUPT("wrong block checksum"));
            }
        }
        if !self.stored && self.block_limit <= HISTORY {
            // The usual size: the library decodes the whole block at once, and faster than can be done in steps.
            let decoded = window.whole_block(self.block_limit, |out| decompress_into(block, out));
            decoded.map_err(|_| CORRUPT("invalid block"))?;
            *at = self.block_end + self.checksum_length();
            return Ok(());
        }
        window.start_block();
        self.block_left = self.block_limit;
        (self.literals, self.token_copy) = (if self.stored { length } else { 0 }, 0);
        self.place = if self.stored { Place::Literals } else { Place::Token };
        Ok(())
    }

    /// Decodes until the block ends or the window is full.
    fn fill(&mut self, block: &[u8], at: &mut usize, window: &mut Window) -> Result<(), DecompressError> {
        while !window.is_full() {
            match self.place {
                Place::Token => self.token(block, at)?,
                Place::Literals if self.literals > 0 => {
                    let count = window.literals(&block[*at..], self.literals);
                    *at += count;
                    self.literals -= count;
                }
                // A block ends with literals, not with a copy.
                Place::Literals if *at == block.len() => {
                    *at += self.checksum_length();
                    self.place = Place::BetweenBlocks;
                    break;
                }
                Place::Literals => self.start_copy(block, at)?,
                Place::Copy if self.copy > 0 => {
                    let count = window.repeat(self.offset, self.copy);
                    self.copy -= count.map_err(|InvalidOffset| CORRUPT("copy from before the block"))?;
                }
                Place::Copy => self.place = Place::Token,
                Place::Header | Place::BetweenBlocks | Place::End => unreachable!("only inside a block"),
            }
        }
        Ok(())
    }

    #[inline]
    fn token(&mut self, block: &[u8], at: &mut usize) -> Result<(), DecompressError> {
        let token = next(block, at)?;
        self.literals = length(usize::from(token >> 4), block, at)?;
        self.token_copy = usize::from(token & 15);
        if self.literals > block.len() - *at {
            return Err(TRUNCATED);
        }
        self.place = Place::Literals;
        self.spend(self.literals)
    }

    #[inline]
    fn start_copy(&mut self, block: &[u8], at: &mut usize) -> Result<(), DecompressError> {
        self.offset = usize::from(u16::from_le_bytes([next(block, at)?, next(block, at)?]));
        self.copy = 4 + length(self.token_copy, block, at)?;
        self.place = Place::Copy;
        self.spend(self.copy)
    }

    fn checksum_length(&self) -> usize {
        if self.flags & BLOCK_CHECKSUMS != 0 { 4 } else { 0 }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), DecompressError> {
        self.block_left =
            self.block_left.checked_sub(bytes).ok_or(CORRUPT("block above its greatest size"))?;
        Ok(())
    }
}

/// A length whose nibble 15 is continued by bytes, each of which 255 is continued too.
#[inline]
fn length(nibble: usize, block: &[u8], at: &mut usize) -> Result<usize, DecompressError> {
    let mut length = nibble;
    if nibble == 15 {
        loop {
            let byte = next(block, at)?;
            length += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
    }
    Ok(length)
}

#[inline]
fn next(block: &[u8], at: &mut usize) -> Result<u8, DecompressError> {
    let byte = block.get(*at).ok_or(TRUNCATED)?;
    *at += 1;
    Ok(*byte)
}
