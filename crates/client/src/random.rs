//! A few random bits for jitter and for the choice of partitions; nothing secret.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A xorshift generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the system.
    pub(crate) fn new() -> Self {
        Self::from_seed(RandomState::new().build_hasher().finish())
    }

    /// The same numbers for the same seed.
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 to `bound` - 1. `bound` is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A factor from 0.8 to 1.2, as Kafka spreads its waits (KIP-580).
    pub(crate) fn jitter(&mut self) -> f64 {
        0.8 + 0.4 * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
