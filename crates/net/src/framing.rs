//! Kafka's frames: four bytes of size, big endian, then so many bytes.
//!
//! ```text
//! | size: i32 | header and body: size bytes | size: i32 | …
//! ```
//! Invariant: no memory is reserved for a frame before its size was checked and its permit taken. A large frame is read
//! into a buffer of exactly its size plus the next frame's four bytes, so that its bytes are never moved.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// Below this, frames share one read buffer; from here on each gets its own.
pub const SHARED_BUFFER: usize = 64 * 1024;
/// Larger buffers go with the frame that they were made for.
const REUSED_MAX: usize = 1024 * 1024;

const SIZE: usize = 4;

thread_local! {
    /// A buffer that a connection gave back when it had no bytes in it: the next one that has some reads into it, unless
    /// frames in it are still in use.
    static SPARE: Cell<Buffer> = Cell::default();
}

/// A size that no frame can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The first four bytes are negative.
    #[error("invalid frame size {0}: negative")]
    Negative(i32),
    /// Larger than the listener allows.
    #[error("invalid frame size {size}: larger than socket.request.max.bytes={limit}")]
    TooLarge {
        /// The size claimed.
        size: usize,
        /// The largest allowed.
        limit: usize,
    },
}

/// What the buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Not even a size.
    Nothing,
    /// A frame of `size` bytes has begun; the rest is still to be read.
    Begun {
        /// The frame's size without the four bytes before it.
        size: usize,
    },
    /// A whole frame of `size` bytes is there.
    Complete {
        /// The frame's size without the four bytes before it.
        size: usize,
    },
}

/// The bytes read from a socket and not yet taken.
#[derive(Debug)]
pub struct Framing {
    buffer: Buffer,
    limit: usize,
}

/// Bytes at the end of an allocation whose begin may still be in use as frames.
#[derive(Debug, Default)]
struct Buffer {
    bytes: BytesMut,
    /// How large the allocation is.
    allocated: usize,
}

impl Framing {
    /// No bytes yet; frames larger than `limit` bytes are refused. Holds no memory.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Buffer::default(), limit }
    }

    /// What stands at the begin of the buffer.
    ///
    /// # Errors
    /// A size that is negative or above the limit.
    pub fn next(&self) -> Result<Next, FrameError> {
        let Some(size) = self.buffer.bytes.first_chunk::<SIZE>() else {
            return Ok(Next::Nothing);
        };
        let size = i32::from_be_bytes(*size);
        let size = usize::try_from(size).map_err(|_| FrameError::Negative(size))?;
        if size > self.limit {
            return Err(FrameError::TooLarge { size, limit: self.limit });
        }
        let there = self.buffer.bytes.len() >= SIZE + size;
        Ok(if there { Next::Complete { size } } else { Next::Begun { size } })
    }

    /// Takes the complete frame of `size` bytes that [`Framing::next`] reported.
    pub fn take(&mut self, size: usize) -> Bytes {
        let mut frame = self.buffer.bytes.split_to(SIZE + size);
        let _size = frame.split_to(SIZE);
        if self.buffer.allocated > REUSED_MAX {
            // The begin of the next frame does not keep a large one in memory.
            let mut small = Buffer::of(SHARED_BUFFER);
            small.bytes.extend_from_slice(&self.buffer.bytes);
            self.buffer = small;
        }
        self.give_back_empty();
        frame.freeze()
    }

    /// Calls `read` with room to read into and the number of bytes wanted: for a large frame to its end and the next
    /// frame's size, otherwise what the shared buffer still takes. A buffer that stays empty is given back.
    pub fn read<R>(&mut self, next: Next, read: impl FnOnce(&mut BytesMut, usize) -> R) -> R {
        let wanted = match next {
            Next::Begun { size } if size + SIZE > SHARED_BUFFER => {
                let whole = SIZE + size + SIZE;
                self.grow(whole);
                whole - self.buffer.bytes.len()
            }
            Next::Begun { size } => {
                self.grow(SIZE + size);
                self.buffer.room()
            }
            Next::Nothing | Next::Complete { .. } => {
                self.grow(self.buffer.bytes.len() + SIZE);
                self.buffer.room()
            }
        };
        let result = read(&mut self.buffer.bytes, wanted);
        self.give_back_empty();
        result
    }

    /// An idle connection holds no buffer.
    fn give_back_empty(&mut self) {
        if self.buffer.bytes.is_empty() {
            SPARE.set(std::mem::take(&mut self.buffer));
        }
    }

    /// Makes room for `whole` bytes: in this buffer, if no frame in it is in use any more, or in another.
    fn grow(&mut self, whole: usize) {
        if self.buffer.has_room(whole) {
            return;
        }
        let mut larger = SPARE.take();
        if !larger.has_room(whole.max(SHARED_BUFFER)) {
            larger = Buffer::of(whole.max(SHARED_BUFFER));
        }
        larger.bytes.extend_from_slice(&self.buffer.bytes);
        self.buffer = larger;
    }
}

impl Buffer {
    /// An empty one of its own.
    fn of(allocated: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(allocated), allocated }
    }

    /// Whether it holds `whole` bytes in all, perhaps after moving its bytes to the begin of the allocation.
    fn has_room(&mut self, whole: usize) -> bool {
        self.bytes.capacity() >= whole || self.bytes.try_reclaim(whole - self.bytes.len())
    }

    /// Bytes that can still be read into it.
    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    /// Feeds `bytes` in steps of `step` and returns the frames seen.
    fn frames(bytes: &[u8], step: usize, limit: usize) -> Result<Vec<Bytes>, FrameError> {
        let mut framing = Framing::new(limit);
        let mut frames = Vec::new();
        let mut fed = 0;
        loop {
            match framing.next()? {
                Next::Complete { size } => frames.push(framing.take(size)),
                next if fed < bytes.len() => {
                    fed += framing.read(next, |buffer, wanted| {
                        assert!(wanted > 0, "there is always room for a byte");
                        let count = step.min(wanted).min(bytes.len() - fed);
                        buffer.put_slice(&bytes[fed..fed + count]);
                        count
                    });
                }
                _ => return Ok(frames),
            }
        }
    }

    #[test]
    fn frames_come_out_whole_whatever_the_reads() {
        let sizes = [0, 1, 5, 4096, SHARED_BUFFER - 4, SHARED_BUFFER, 200_000, 3];
        let mut stream = Vec::new();
        for (index, size) in sizes.into_iter().enumerate() {
            stream.extend_from_slice(&(size as i32).to_be_bytes());
            stream.extend(std::iter::repeat_n(index as u8, size));
        }
        for step in [1, 3, 1000, 65_536, usize::MAX] {
            let frames = frames(&stream, step, 1 << 20).unwrap();
            assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), sizes, "step {step}");
            for (index, frame) in frames.iter().enumerate() {
                assert!(frame.iter().all(|byte| *byte == index as u8), "step {step}, frame {index}");
            }
        }
    }

    #[test]
    fn impossible_sizes_are_refused_before_memory_is_taken() {
        assert_eq!(frames(&[0xff; 4], 4, 100), Err(FrameError::Negative(-1)));
        assert_eq!(frames(&[0, 0, 0, 101], 4, 100), Err(FrameError::TooLarge { size: 101, limit: 100 }));
    }
}
