//! From a key to the offset of its newest record, in memory that is bounded before the first key.
//!
//! ```text
//! slot   | 128 bits of the key's SHA-256 | offset + 1 |     0: free
//! ```
//! Keys themselves are not kept, as in Kafka, which takes MD5: whoever finds two keys of one digest could make compaction
//! drop one's record for the other's, so the digest is one for which nobody can. Open addressing, no removal.
//! Invariant: at most `limit` slots are taken, so that every search ends at a free one.

use std::hint::black_box;

use base::ids::Offset;
use sha2::{Digest as _, Sha256};

/// Bytes of a slot.
pub(crate) const SLOT_SIZE: usize = 24;

type Slot = [u64; 3];

/// The table.
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    taken: usize,
    limit: usize,
}

impl OffsetMap {
    /// A table for `keys` keys, unless that is more than `memory_bytes` allow when it is filled to `load_factor`.
    pub(crate) fn new(memory_bytes: usize, load_factor: f64, keys: u64) -> Self {
        let affordable = memory_bytes / SLOT_SIZE;
        let wanted = keys as f64 / load_factor.clamp(0.01, 1.0);
        let count = if wanted < affordable as f64 { wanted as usize + 2 } else { affordable };
        let limit = (count as f64 * load_factor.clamp(0.0, 1.0)) as usize;
        // One slot stays free whatever the factor.
        Self { slots: vec![[0; 3]; count], taken: 0, limit: limit.min(count.saturating_sub(1)) }
    }

    /// Notes of each key that its newest record so far is at the offset; false when there is no room for another key.
    pub(crate) fn put_all(&mut self, records: &[(Digest, Offset)]) -> bool {
        if self.slots.is_empty() {
            return records.is_empty();
        }
        // Hardly any of these slots is in a cache: the processor waits for many of them at a time here, for each alone below.
        black_box(records.iter().fold(0, |sum, (digest, _)| sum ^ self.slots[self.home(*digest)][2]));
        records.iter().all(|(digest, offset)| self.put(*digest, *offset))
    }

    fn put(&mut self, digest: Digest, offset: Offset) -> bool {
        let at = self.find(digest);
        if self.slots[at][2] == 0 {
            if self.taken == self.limit {
                return false;
            }
            self.taken += 1;
        }
        self.slots[at] = [digest.0, digest.1, offset.0 as u64 + 1];
        true
    }

    /// The offset of the newest record of `key`, if it has one here.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        if self.slots.is_empty() {
            return None;
        }
        let [_, _, offset] = self.slots[self.find(Digest::of(key))];
        (offset > 0).then(|| Offset(offset as i64 - 1))
    }

    /// The offsets below `end` of those that it holds, from `start` on; none of an offset that is `bits` or more behind it.
    pub(crate) fn newest(&self, start: Offset, end: Offset, bits: usize) -> NewestOffsets {
        let span = usize::try_from(end.0 - start.0).unwrap_or(0).min(bits);
        let mut newest = NewestOffsets { start, span, bits: vec![0; span.div_ceil(64)] };
        for [_, _, offset] in &self.slots {
            if let Some(at) = newest.place(Offset(*offset as i64 - 1)) {
                newest.bits[at / 64] |= 1 << (at % 64);
            }
        }
        newest
    }

    /// How full it is, from 0 to 1.
    pub(crate) fn utilization(&self) -> f64 {
        if self.slots.is_empty() { 0.0 } else { self.taken as f64 / self.slots.len() as f64 }
    }

    /// The slot of the digest, or the free one where it belongs.
    fn find(&self, digest: Digest) -> usize {
        let mut at = self.home(digest);
        while self.slots[at][2] != 0 && (self.slots[at][0], self.slots[at][1]) != (digest.0, digest.1) {
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
        at
    }

    /// Where the search for the digest begins.
    #[inline]
    fn home(&self, digest: Digest) -> usize {
        ((u128::from(digest.0) * self.slots.len() as u128) >> 64) as usize
    }
}

/// What stands for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(u64, u64);

/// Which offsets of a range are the newest of their keys: asked without the key.
pub(crate) struct NewestOffsets {
    start: Offset,
    /// So many offsets are in the range.
    span: usize,
    bits: Vec<u64>,
}

impl NewestOffsets {
    /// `None` if the offset is not in the range.
    #[inline]
    pub(crate) fn contains(&self, offset: Offset) -> Option<bool> {
        self.place(offset).map(|at| self.bits[at / 64] >> (at % 64) & 1 == 1)
    }

    #[inline]
    fn place(&self, offset: Offset) -> Option<usize> {
        let at = usize::try_from(offset.0.wrapping_sub(self.start.0)).ok()?;
        (at < self.span).then_some(at)
    }
}

impl Digest {
    pub(crate) fn of(key: &[u8]) -> Self {
        let bytes = Sha256::digest(key);
        let word = |at: usize| u64::from_be_bytes(*bytes[at..].first_chunk().expect("a digest has 32 bytes"));
        Self(word(0), word(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(map: &mut OffsetMap, key: i64, offset: i64) -> bool {
        map.put_all(&[(Digest::of(&key.to_be_bytes()), Offset(offset))])
    }

    #[test]
    fn the_newest_offset_of_each_key_is_known() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 1000);
        for round in 0..3 {
            for key in 0..1000i64 {
                assert!(put(&mut map, key, round * 1000 + key));
            }
        }
        for key in 0..1000i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(2000 + key)));
        }
        assert_eq!(map.get(b"another"), None);
        assert!((0.85..=0.9).contains(&map.utilization()), "{}", map.utilization());
    }

    #[test]
    fn the_newest_offsets_of_a_range_are_known_without_their_keys() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 1000);
        for offset in 0..300i64 {
            assert!(put(&mut map, offset % 170, offset));
        }
        let check = |start: i64, end: i64, bits: usize, is_in: std::ops::Range<i64>| {
            let newest = map.newest(Offset(start), Offset(end), bits);
            for offset in -1..400 {
                let expect = is_in.contains(&offset).then_some((130..300).contains(&offset));
                assert_eq!(newest.contains(Offset(offset)), expect, "{start} {end} {bits} {offset}");
            }
        };
        check(0, 300, 1000, 0..300);
        check(100, 200, 1000, 100..200);
        check(100, 400, 150, 100..250);
        check(200, 100, 1000, 0..0);
        check(64, 128, 64, 64..128);
    }

    #[test]
    fn memory_bounds_the_keys_and_known_keys_always_fit() {
        let check = |memory, load_factor, expect: i64| {
            let mut map = OffsetMap::new(memory, load_factor, 1_000_000);
            let fitting = (0..).take_while(|key: &i64| put(&mut map, *key, *key)).count() as i64;
            assert_eq!(fitting, expect, "{memory} {load_factor}");
            for key in 0..fitting {
                assert!(put(&mut map, key, key + 7));
                assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(key + 7)));
            }
            assert_eq!(map.get(b"another"), None);
        };
        check(0, 0.9, 0);
        check(23, 0.9, 0);
        check(240, 0.9, 9);
        check(240, 1.0, 9);
        check(240, 0.5, 5);
        check(2400, 0.9, 90);
    }
}
