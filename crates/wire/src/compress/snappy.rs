//! Snappy, in the framing that xerial's Java library invented and Kafka uses.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 = 1 | compatible version i32 = 1 | chunk …
//! chunk: length i32 | one raw snappy block
//! raw block: uncompressed length, uvarint | literals and copies
//! ```
//! Some clients send one raw block without any framing; Java's reader takes that too, so it is read here as well.

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
