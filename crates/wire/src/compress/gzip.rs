//! Gzip (RFC 1952) around raw deflate streams.
//!
//! ```text
//! 1f 8b | 08 | flags | mtime 4 | xfl | os | [extra] [name] [comment] [crc 2] | deflate … | crc32 4 | length 4 |
//!                                                                                         little endian
//! ```
//! The framing is done here and not by the library so that one deflate state serves all batches.

use crc_fast::{CrcAlgorithm, Digest};
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CompressionType, DecompressError};

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

const CORRUPT: fn(&'static str) -> DecompressError =
    |what| DecompressError::Corrupt(CompressionType::Gzip, what);
const TRUNCATED: DecompressError = DecompressError::Truncated(CompressionType::Gzip);

/// An inflate state that is reused.
pub(super) struct Decoder {
    inflate: Decompress,
    crc: Digest,
    length: u32,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    FirstHeader,
    Body,
    End,
}

impl Decoder {
    pub(super) fn new() -> Self {
        let crc = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
        Self { inflate: Decompress::new(false), crc, length: 0, place: Place::FirstHeader }
    }

    pub(super) fn start(&mut self) {
        self.place = Place::FirstHeader;
    }

    pub(super) fn read(
        &mut self,
        input: &[u8],
        at: &mut usize,
        out: &mut [u8],
    ) -> Result<usize, DecompressError> {
        loop {
            match self.place {
                Place::FirstHeader => {
                    *at += header_length(input)?;
                    self.start_body();
                }
                Place::Body => {
                    let count = self.inflate(input, at, out)?;
                    if count > 0 {
                        return Ok(count);
                    }
                }
                Place::End => return Ok(0),
            }
        }
    }

    fn start_body(&mut self) {
        self.inflate.reset(false);
        self.crc.reset();
        self.length = 0;
        self.place = Place::Body;
    }

    fn inflate(&mut self, input: &[u8], at: &mut usize, out: &mut [u8]) -> Result<usize, DecompressError> {
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(&input[*at..], out, FlushDecompress::None);
        let status = status.map_err(|_| CORRUPT("invalid deflate data"))?;
        let consumed = (self.inflate.total_in() - before.0) as usize;
        let count = (self.inflate.total_out() - before.1) as usize;
        *at += consumed;
        self.crc.update(&out[..count]);
        self.length = self.length.wrapping_add(count as u32);
        if status == Status::StreamEnd {
            self.end_member(input, at)?;
        } else if consumed == 0 && count == 0 {
            return Err(TRUNCATED);
        }
        Ok(count)
    }

    /// Checks the trailer. Another member may follow; anything else that follows is ignored, as Java does.
    fn end_member(&mut self, input: &[u8], at: &mut usize) -> Result<(), DecompressError> {
        let Some((trailer, rest)) = input[*at..].split_first_chunk::<8>() else {
            return Err(TRUNCATED);
        };
        let [crc, length] =
            [0, 4].map(|from| u32::from_le_bytes(*trailer[from..].first_chunk().expect("8 bytes")));
        if crc != self.crc.finalize() as u32 || length != self.length {
            return Err(CORRUPT("wrong checksum or length"));
        }
        match header_length(rest) {
            Ok(header) => {
                *at += 8 + header;
                self.start_body();
            }
            Err(_) => self.place = Place::End,
        }
        Ok(())
    }
}

/// Bytes of the member header at the begin of `input`.
fn header_length(input: &[u8]) -> Result<usize, DecompressError> {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let Some(fixed) = input.first_chunk::<10>() else {
        return Err(TRUNCATED);
    };
    if fixed[..3] != HEADER[..3] {
        return Err(CORRUPT("no gzip header"));
    }
    let flags = fixed[3];
    let mut length = fixed.len();
    if flags & EXTRA != 0 {
        let extra = input[length..].first_chunk::<2>().ok_or(TRUNCATED)?;
        length += 2 + usize::from(u16::from_le_bytes(*extra));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let rest = input.get(length..).ok_or(TRUNCATED)?;
            length += rest.iter().position(|byte| *byte == 0).ok_or(TRUNCATED)? + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        let claimed = input.get(length..).and_then(|rest| rest.first_chunk::<2>()).ok_or(TRUNCATED)?;
        if u16::from_le_bytes(*claimed) != crc_fast::crc32_iso_hdlc(&input[..length]) as u16 {
            return Err(CORRUPT("wrong header checksum"));
        }
        length += 2;
    }
    if length > input.len() { Err(TRUNCATED) } else { Ok(length) }
}
