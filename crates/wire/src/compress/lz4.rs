//! The LZ4 frame format, as far as Kafka speaks it.
//!
//! ```text
//! magic 04 22 4d 18 | FLG | BD | [content size 8] | HC | block … | end mark 00 00 00 00 | [content checksum 4]
//! FLG: version 01 in bits 7–6, independent blocks 5, block checksums 4, content size 3, content checksum 2
//! BD:  greatest block size in bits 6–4: 4 = 64 KiB … 7 = 4 MiB
//! HC:  second byte of the xxHash32 over FLG, BD and content size
//! block: length u32 (top bit: stored, not compressed) | bytes | [checksum 4]        all little endian
//! ```

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::xxhash::xxh32;

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
