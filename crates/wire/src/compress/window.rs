//! The bytes that an LZ77 decoder (LZ4, Snappy) made last: output not taken yet, and history that copies refer to.
//!
//! ```text
//! 0          floor        read          written      CAPACITY
//! | older    | this block, taken | to be taken | room |
//! ```
//! Invariants: `floor ≤ written`, `read ≤ written ≤ CAPACITY`; when output slides out, at least the last megabyte stays.
//! Memory is fixed, whatever the input claims; only for a block that is decoded whole is more taken, as much as its caller
//! allows, and given back after it.

/// How far back a copy may reach. LZ4 can say 64 KiB; of Snappy's encoders Go's makes one block of a whole batch and
/// reaches back as far as that goes. Pages that nothing was written to cost no memory.
pub(super) const HISTORY: usize = 1024 * 1024;
const CAPACITY: usize = 3 * HISTORY;
const SIZE: usize = CAPACITY + STEP;
/// Short copies are done in one step of this size, beyond their end if need be.
const STEP: usize = 16;

/// The window; reused from stream to stream.
pub(super) struct Window {
    /// `CAPACITY` bytes, and room for the last step to overshoot; more while a larger block is decoded whole.
    bytes: Vec<u8>,
    read: usize,
    written: usize,
    floor: usize,
}

/// A copy refers to bytes before the block, or too far back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidOffset;

impl Window {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; SIZE], read: 0, written: 0, floor: 0 }
    }

    /// Forgets everything, and gives back what a large block took.
    pub(super) fn reset(&mut self) {
        (self.read, self.written, self.floor) = (0, 0, 0);
        if self.is_oversized() {
            self.bytes = vec![0; SIZE];
        }
    }

    /// Whether it holds the memory of a large block.
    pub(super) fn is_oversized(&self) -> bool {
        self.bytes.len() > SIZE
    }

    /// Starts a block, whose copies must not reach back before here.
    pub(super) fn start_block(&mut self) {
        if self.read == self.written {
            self.reset();
        } else {
            self.floor = self.written;
        }
    }

    /// Lets `fill` write a whole block of at most `limit` bytes and say how long it is. All output must have been taken.
    pub(super) fn whole_block<E>(
        &mut self,
        limit: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        assert_eq!(self.read, self.written, "output would be lost");
        self.reset();
        if limit > SIZE {
            // Fresh zeroes cost pages only where something is written.
            self.bytes = vec![0; limit];
        }
        self.written = fill(&mut self.bytes[..limit])?;
        Ok(())
    }

    /// Moves output into `out`; 0 when there is none.
    pub(super) fn take(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.written - self.read);
        out[..count].copy_from_slice(&self.bytes[self.read..self.read + count]);
        self.read += count;
        count
    }

    /// Whether nothing can be written before output is taken. Makes room first, when all was taken.
    pub(super) fn is_full(&mut self) -> bool {
        if self.written == CAPACITY && self.read == CAPACITY {
            let from = CAPACITY - HISTORY;
            self.bytes.copy_within(from..CAPACITY, 0);
            (self.read, self.written) = (HISTORY, HISTORY);
            self.floor = self.floor.saturating_sub(from);
        }
        self.written == CAPACITY
    }

    /// Writes literals from the front of `input`, at most `length` and as many as there is room for; says how many.
    #[inline]
    pub(super) fn literals(&mut self, input: &[u8], length: usize) -> usize {
        let count = length.min(CAPACITY - self.written);
        let target = &mut self.bytes[self.written..];
        match (input.first_chunk::<STEP>(), target.first_chunk_mut::<STEP>()) {
            (Some(from), Some(to)) if count <= STEP => *to = *from,
            _ => target[..count].copy_from_slice(&input[..count]),
        }
        self.written += count;
        count
    }

    /// Repeats what stands `offset` bytes back, at most `length` bytes and as many as there is room for.
    #[inline]
    pub(super) fn repeat(&mut self, offset: usize, length: usize) -> Result<usize, InvalidOffset> {
        if offset == 0 || offset > self.written - self.floor || offset > HISTORY {
            return Err(InvalidOffset);
        }
        let count = length.min(CAPACITY - self.written);
        let (from, to) = (self.written - offset, self.written);
        if count <= STEP && offset >= STEP {
            let step = *self.bytes[from..].first_chunk::<STEP>().expect("room for a step beyond the end");
            self.bytes[to..to + STEP].copy_from_slice(&step);
        } else {
            // What was copied so far has the same period: each round can take more of it.
            let mut done = 0;
            while done < count {
                let part = (offset + done).min(count - done);
                self.bytes.copy_within(from..from + part, to + done);
                done += part;
            }
        }
        self.written += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(window: &mut Window) -> Vec<u8> {
        let mut out = vec![0; CAPACITY];
        let count = window.take(&mut out);
        out.truncate(count);
        out
    }

    #[test]
    fn copies_overlap_as_often_as_needed() {
        let check = |literals: &[u8], offset: usize, length: usize, expect: &[u8]| {
            let mut window = Window::new();
            window.literals(literals, literals.len());
            assert_eq!(window.repeat(offset, length), Ok(length));
            assert_eq!(taken(&mut window)[literals.len()..], *expect);
        };
        check(b"a", 1, 7, b"aaaaaaa");
        check(b"abc", 2, 5, b"bcbcb");
        check(b"abcdefghijklmnopqrstuvwxyz", 26, 4, b"abcd");
        check(b"abcdefghijklmnopqrstuvwxyz", 20, 25, b"ghijklmnopqrstuvwxyzghijk");
    }

    #[test]
    fn a_copy_stays_within_its_block_and_its_reach() {
        let mut window = Window::new();
        assert_eq!(window.repeat(1, 1), Err(InvalidOffset));
        window.literals(b"abc", 3);
        assert_eq!(window.repeat(0, 1), Err(InvalidOffset));
        assert_eq!(window.repeat(4, 1), Err(InvalidOffset));
        window.start_block();
        assert_eq!(window.repeat(1, 1), Err(InvalidOffset));
        window.literals(b"d", 1);
        assert_eq!(window.repeat(1, 1), Ok(1));
        assert_eq!(taken(&mut window), b"abcdd");
    }

    #[test]
    fn history_survives_the_slide() {
        let mut window = Window::new();
        window.literals(b"z", 1);
        assert_eq!(window.repeat(1, CAPACITY), Ok(CAPACITY - 1));
        assert!(window.is_full());
        assert_eq!(taken(&mut window).len(), CAPACITY);
        assert!(!window.is_full());
        assert_eq!(window.repeat(HISTORY, 3), Ok(3));
        assert_eq!(window.repeat(HISTORY + 1, 3), Err(InvalidOffset));
        assert_eq!(taken(&mut window), b"zzz");
    }
}
