//! From a key to the offset of its newest record, in memory that is bounded before the first key.
//!
//! ```text
//! slot   | 128 bits of the key's SHA-256 | offset + 1 |     0: free
//! ```
//! Keys themselves are not kept, as in Kafka, which takes MD5: whoever finds two keys of one digest could make compaction
//! drop one's record for the other's, so the digest is one for which nobody can. Open addressing, no removal.
//! Invariant: at most `limit` slots are taken, so that every search ends at a free one.

use base::ids::Offset;
use sha2::{Digest, Sha256};

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

    /// Notes that the newest record of `key` so far is at `offset`; false when there is no room for another key.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.slots.is_empty() {
            return false;
        }
        let digest = digest(key);
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
        let [_, _, offset] = self.slots[self.find(digest(key))];
        (offset > 0).then(|| Offset(offset as i64 - 1))
    }

    /// How full it is, from 0 to 1.
    pub(crate) fn utilization(&self) -> f64 {
        if self.slots.is_empty() { 0.0 } else { self.taken as f64 / self.slots.len() as f64 }
    }

    /// The slot of the digest, or the free one where it belongs.
    fn find(&self, (high, low): (u64, u64)) -> usize {
        let mut at = ((u128::from(high) * self.slots.len() as u128) >> 64) as usize;
        while self.slots[at][2] != 0 && (self.slots[at][0], self.slots[at][1]) != (high, low) {
            at += 1;
            if at == self.slots.len() {
                at = 0;
            }
        }
        at
    }
}

fn digest(key: &[u8]) -> (u64, u64) {
    let bytes = Sha256::digest(key);
    let word = |at: usize| u64::from_be_bytes(*bytes[at..].first_chunk().expect("a digest has 32 bytes"));
    (word(0), word(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_of_each_key_is_known() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 1000);
        for round in 0..3 {
            for key in 0..1000i64 {
                assert!(map.put(&key.to_be_bytes(), Offset(round * 1000 + key)));
            }
        }
        for key in 0..1000i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(2000 + key)));
        }
        assert_eq!(map.get(b"another"), None);
        assert!((0.85..=0.9).contains(&map.utilization()), "{}", map.utilization());
    }

    #[test]
    fn memory_bounds_the_keys_and_known_keys_always_fit() {
        let check = |memory, load_factor, expect: i64| {
            let mut map = OffsetMap::new(memory, load_factor, 1_000_000);
            let fitting =
                (0..).take_while(|key: &i64| map.put(&key.to_be_bytes(), Offset(*key))).count() as i64;
            assert_eq!(fitting, expect, "{memory} {load_factor}");
            for key in 0..fitting {
                assert!(map.put(&key.to_be_bytes(), Offset(key + 7)));
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
