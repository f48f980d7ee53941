//! Zstandard frames, with contexts that are reused: making one costs more than compressing a small batch.

use zstd::stream::raw::{self, CParameter, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::{DCtx, ResetDirective};

use super::{CompressionType, DecompressError};

/// The least room offered to the compressor at a time.
const STEP: usize = 4 * 1024;
/// Memory is the only thing that a compressor with sane parameters can run out of.
const INFALLIBLE: &str = "zstd compresses any bytes";

/// A compression context that is reused.
pub(super) struct Encoder {
    level: i32,
    raw: raw::Encoder<'static>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { level: 3, raw: raw::Encoder::new(3).expect(INFALLIBLE) }
    }

    pub(super) fn start(&mut self, level: i32, size: Option<usize>) {
        self.raw.reinit().expect(INFALLIBLE);
        if self.level != level {
            // zstd clamps levels outside its range.
            self.raw.set_parameter(CParameter::CompressionLevel(level)).expect(INFALLIBLE);
            self.level = level;
        }
        self.raw.set_pledged_src_size(size.map(|size| size as u64)).expect(INFALLIBLE);
    }

    pub(super) fn write(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut input = InBuffer::around(input);
        while input.pos() < input.src.len() {
            room(out, input.src.len() / 4);
            let at = out.len();
            self.raw.run(&mut input, &mut OutBuffer::around_pos(out, at)).expect(INFALLIBLE);
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        loop {
            room(out, 0);
            let at = out.len();
            let left = self.raw.finish(&mut OutBuffer::around_pos(out, at), true).expect(INFALLIBLE);
            if left == 0 {
                break;
            }
        }
    }
}

fn room(out: &mut Vec<u8>, wish: usize) {
    if out.capacity() - out.len() < STEP {
        out.reserve(wish.max(STEP));
    }
}

/// A context above this size is not kept: levels up to 19 stay below it.
const KEPT: usize = 9 * 1024 * 1024;

/// A decompression context that is reused. Takes windows up to 128 MiB, the library's limit and so Kafka's.
pub(super) struct Decoder {
    context: DCtx<'static>,
    /// Whether the input read so far ends in the middle of a frame.
    inside: bool,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { context: DCtx::try_create().expect("memory for a zstd context"), inside: false }
    }

    pub(super) fn start(&mut self) {
        self.context.reset(ResetDirective::SessionOnly).expect("a session can always be reset");
        self.inside = false;
    }

    pub(super) fn is_oversized(&self) -> bool {
        self.context.sizeof() > KEPT
    }

    pub(super) fn read(
        &mut self,
        input: &[u8],
        at: &mut usize,
        out: &mut [u8],
    ) -> Result<usize, DecompressError> {
        let mut source = InBuffer::around(&input[*at..]);
        loop {
            // Without input left there may still be output left, but only inside a frame.
            if source.pos() == source.src.len() && !self.inside {
                *at = input.len();
                return Ok(0);
            }
            let (consumed, mut target) = (source.pos(), OutBuffer::around(&mut *out));
            let hint = self.context.decompress_stream(&mut target, &mut source);
            let hint = hint.map_err(|_| DecompressError::Corrupt(CompressionType::Zstd, "invalid frame"))?;
            let count = target.pos();
            self.inside = hint != 0;
            if count > 0 {
                *at += source.pos();
                return Ok(count);
            }
            if source.pos() == consumed && self.inside {
                return Err(DecompressError::Truncated(CompressionType::Zstd));
            }
        }
    }
}
