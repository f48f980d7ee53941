//! Latencies, counted.
//!
//! Buckets grow with the value, 128 to each power of two: a percentile is true to 0.8 %, from a nanosecond to an hour, in
//! 40 KiB that never grow. Invariant: noting a value allocates nothing.

use std::time::Duration;

/// Sub-buckets of each power of two, as a power of two.
const PRECISION_BITS: u32 = 7;
const SUB_BUCKETS: usize = 1 << PRECISION_BITS;
/// 2^42 ns is 73 minutes; what is longer counts as that.
const BITS_MAX: u32 = 42;

/// How often which latency was seen.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = (BITS_MAX - PRECISION_BITS + 1) as usize * SUB_BUCKETS;
        Self { counts: vec![0; buckets], total: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Notes one latency.
    pub fn note(&mut self, latency: Duration) {
        self.counts[bucket(latency.as_nanos() as u64)] += 1;
        self.total += 1;
        self.longest = self.longest.max(latency);
    }

    /// How many were noted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The longest, exactly.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The latency that `percent` (0 to 100) of the noted ones do not exceed; zero when none was noted.
    pub fn percentile(&self, percent: f64) -> Duration {
        assert!((0.0..=100.0).contains(&percent));
        let rank = ((self.total as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_end(index)).min(self.longest);
            }
        }
        self.longest
    }
}

/// Values below 128 have a bucket each; above, the highest bit picks the group and the seven below it the bucket.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << BITS_MAX) - 1);
    if nanos < SUB_BUCKETS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - PRECISION_BITS;
    (shift as usize + 1) * SUB_BUCKETS + (nanos >> shift) as usize - SUB_BUCKETS
}

/// The highest value of a bucket.
fn upper_end(bucket: usize) -> u64 {
    if bucket < SUB_BUCKETS {
        return bucket as u64;
    }
    let shift = bucket / SUB_BUCKETS - 1;
    (((bucket % SUB_BUCKETS + SUB_BUCKETS + 1) as u64) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_the_bucket_that_ends_next_above_it() {
        let mut values: Vec<u64> = (0..1000).collect();
        values.extend((7..BITS_MAX).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]));
        for value in values {
            let index = bucket(value);
            assert!(value <= upper_end(index), "{value}");
            assert!(index == 0 || value > upper_end(index - 1), "{value}");
            assert!(upper_end(index) - value <= value / 128, "{value}");
        }
        assert_eq!(bucket(u64::MAX), Histogram::default().counts.len() - 1);
    }

    #[test]
    fn percentiles_are_ranks() {
        let check = |micros: &[u64], percent: f64, expect: u64| {
            let mut histogram = Histogram::default();
            micros.iter().for_each(|micros| histogram.note(Duration::from_micros(*micros)));
            let found = histogram.percentile(percent).as_nanos() as f64 / 1000.0;
            assert!((found - expect as f64).abs() <= expect as f64 / 100.0, "{micros:?} {percent}: {found}");
        };
        let hundred: Vec<u64> = (1..=100).collect();
        check(&[], 50.0, 0);
        check(&[7], 0.0, 7);
        check(&[7], 99.9, 7);
        check(&hundred, 50.0, 50);
        check(&hundred, 99.0, 99);
        check(&hundred, 99.9, 100);
        check(&[1, 1, 1, 900_000_000], 75.0, 1);
        check(&[1, 1, 1, 900_000_000], 76.0, 900_000_000);
    }
}
