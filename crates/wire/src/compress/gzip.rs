//! Gzip (RFC 1952) around raw deflate streams.
//!
//! ```text
//! 1f 8b | 08 | flags | mtime 4 | xfl | os | [extra] [name] [comment] [crc 2] | deflate … | crc32 4 | length 4 |
//!                                                                                         little endian
//! ```
//! The framing is done here and not by the library so that one deflate state serves all batches.

use crc_fast::{CrcAlgorithm, Digest};
use flate2::{Compress, FlushCompress};

/// What Java's own writer puts: deflate, no flags, no time, unknown operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Room offered to the deflater at a time.
const STEP: usize = 16 * 1024;

/// A deflate state that is reused.
pub(super) struct Encoder {
    level: i32,
    deflate: Compress,
    crc: Digest,
    length: u32,
}

impl Encoder {
    pub(super) fn new(level: i32) -> Self {
        Self { level, deflate: deflate(level), crc: Digest::new(CrcAlgorithm::Crc32IsoHdlc), length: 0 }
    }

    pub(super) fn start(&mut self, level: i32, out: &mut Vec<u8>) {
        if self.level == level {
            self.deflate.reset();
        } else {
            (self.level, self.deflate) = (level, deflate(level));
        }
        self.crc.reset();
        self.length = 0;
        out.extend_from_slice(&HEADER);
    }

    pub(super) fn write(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        self.crc.update(input);
        self.length = self.length.wrapping_add(input.len() as u32);
        while !input.is_empty() {
            let consumed = self.step(input, out, FlushCompress::None);
            input = &input[consumed..];
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        loop {
            out.reserve(STEP);
            let status = self.deflate.compress_vec(&[], out, FlushCompress::Finish);
            if status.expect("deflate accepts an end at any time") == flate2::Status::StreamEnd {
                break;
            }
        }
        out.extend_from_slice(&(self.crc.finalize() as u32).to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
    }

    fn step(&mut self, input: &[u8], out: &mut Vec<u8>, flush: FlushCompress) -> usize {
        out.reserve(STEP);
        let before = self.deflate.total_in();
        self.deflate.compress_vec(input, out, flush).expect("deflate accepts any bytes");
        (self.deflate.total_in() - before) as usize
    }
}

/// Levels outside zlib's range, and -1, mean its default.
fn deflate(level: i32) -> Compress {
    let level = match level {
        0..=9 => flate2::Compression::new(level as u32),
        _ => flate2::Compression::default(),
    };
    Compress::new(level, false)
}
