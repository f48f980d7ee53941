//! How long to wait before the next attempt: doubling, bounded, spread by a fifth (KIP-580).

use std::time::Duration;

use crate::random::Random;

/// Waits of one series of attempts.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
    random: Random,
}

impl Backoff {
    /// Nothing failed yet.
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, failures: 0, random: Random::new() }
    }

    /// Counts a failure and says how long to wait after it.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.first.saturating_mul(1 << self.failures.min(20)).min(self.max);
        self.failures += 1;
        wait.mul_f64(self.random.jitter())
    }

    /// All is well again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for expect in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next().as_millis();
            assert!((expect * 8 / 10..=expect * 12 / 10).contains(&wait), "{wait} is not near {expect}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(120));
    }
}
