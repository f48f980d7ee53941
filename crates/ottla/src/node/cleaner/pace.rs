//! `log.cleaner.io.max.bytes.per.second`, for all threads together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::clean::Pace;

use super::CleanerBell;

/// A wait shorter than this is saved up.
const WAIT_MIN: Duration = Duration::from_millis(20);

/// When all bytes that were asked for so far will have had their time.
#[derive(Default)]
pub(super) struct Throttle(Mutex<Option<Instant>>);

/// The pace of one thread.
pub(super) struct Throttled {
    pub(super) throttle: Arc<Throttle>,
    /// Bytes a second.
    pub(super) rate: f64,
    pub(super) bell: CleanerBell,
}

impl Throttle {
    /// How long to wait before going on after `bytes`.
    fn take(&self, bytes: usize, rate: f64, now: Instant) -> Duration {
        let cost = Duration::try_from_secs_f64(bytes as f64 / rate).unwrap_or(Duration::MAX);
        let mut busy_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = busy_until.map_or(now, |until| until.max(now)).checked_add(cost);
        *busy_until = until;
        let wait = until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(now));
        if wait < WAIT_MIN { Duration::ZERO } else { wait }
    }
}

impl Pace for Throttled {
    fn go_on(&mut self, bytes: usize) -> bool {
        let wait = match self.rate > 0.0 {
            true => self.throttle.take(bytes, self.rate, Instant::now()),
            false => Duration::ZERO,
        };
        if wait.is_zero() { !self.bell.is_stopping() } else { self.bell.pause(wait) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let mut now = start;
        for _ in 0..100 {
            now += throttle.take(10_000, 1_000_000.0, now);
        }
        let taken = now - start;
        assert!((Duration::from_millis(970)..=Duration::from_secs(1)).contains(&taken), "{taken:?}");
        assert_eq!(throttle.take(usize::MAX, f64::MAX, now + Duration::from_secs(1)), Duration::ZERO);
    }
}
