//! Time as a value: the wall clock and the monotonic clock are different types, and both come in as arguments.
//!
//! No crate below the roof reads a clock; the simulator therefore owns time.

use std::fmt;
use std::time::Duration;

/// Milliseconds since the Unix epoch, as record timestamps count. May jump; never measure a duration with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub i64);

/// Nanoseconds since an arbitrary start. Never goes back; means nothing outside this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MonoTime(pub u64);

/// Both clocks, read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For timestamps that leave the process or survive it.
    pub wall: WallTime,
    /// For deadlines and durations.
    pub mono: MonoTime,
}

impl WallTime {
    /// The moment `ms` milliseconds later (or earlier, when negative), saturating.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MonoTime {
    /// The moment `ms` milliseconds later, saturating; a negative `ms` counts as 0.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add((ms.max(0) as u64).saturating_mul(1_000_000)))
    }

    /// The time that passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
