//! Random numbers from a seed: everything that a run leaves to chance is drawn here.
//!
//! SplitMix64. Invariant: the same seed gives the same numbers on every machine.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own, which does not change when this one is drawn from more or less often.
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    /// 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// 128 bits.
    pub fn bits(&mut self) -> u128 {
        (u128::from(self.draw()) << 64) | u128::from(self.draw())
    }

    /// A number below `bound`, which is positive.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// A number from `low` to `high`, both inclusive.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// True `times` times in `of`.
    pub fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// One of `items`, which are not none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// The index of one of `weights`, drawn by weight. Their sum is positive.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut drawn = self.below(sum);
        for (index, weight) in weights.iter().enumerate() {
            match drawn.checked_sub(u64::from(*weight)) {
                Some(left) => drawn = left,
                None => return index,
            }
        }
        unreachable!("what was drawn is below the sum")
    }
}

/// Spreads the bits of a number over all 64.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            std::array::from_fn::<u64, 4, _>(|_| random.draw())
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert_eq!(numbers(0)[0], 0xe220_a839_7b1d_cdaf, "SplitMix64's own first number for 0");
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            assert!((-3..=4).contains(&random.range(-3, 4)));
            assert_ne!(random.weighted(&[1, 0, 2]), 1);
        }
    }
}
