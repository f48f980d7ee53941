//! Zstandard frames, with contexts that are reused: making one costs more than compressing a small batch.

use zstd::stream::raw::{self, CParameter, InBuffer, Operation, OutBuffer};

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
