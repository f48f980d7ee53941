//! Simulated time: the wall clock jumps, the monotonic clock only goes on.

use base::time::{MonoTime, Now, WallTime};

/// Where the wall clock stands at the begin of a run: 2026-01-01.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// Both clocks of the simulated machine, which the clients share.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    mono_ns: u64,
    /// What jumps have added to the wall clock.
    skew_ms: i64,
}

impl Clock {
    /// The begin of a run.
    pub fn new() -> Self {
        Self { mono_ns: 1_000_000_000, skew_ms: 0 }
    }

    /// The present.
    pub fn now(&self) -> Now {
        let passed_ms = (self.mono_ns / 1_000_000) as i64;
        Now { wall: WallTime(BEGIN_MS + passed_ms + self.skew_ms), mono: MonoTime(self.mono_ns) }
    }

    /// Time passes.
    pub fn pass_ns(&mut self, ns: u64) {
        self.mono_ns += ns;
    }

    /// Time passes until `at`, if that is to come.
    pub fn pass_until(&mut self, at: MonoTime) {
        self.mono_ns = self.mono_ns.max(at.0);
    }

    /// Somebody sets the wall clock; it is never further than ten minutes from the true time.
    pub fn jump_ms(&mut self, by_ms: i64) {
        const FURTHEST_MS: i64 = 600_000;
        self.skew_ms = (self.skew_ms + by_ms).clamp(-FURTHEST_MS, FURTHEST_MS);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
