//! The one place that reads the machine's clocks. Everything below the roof takes time as a value.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::time::{MonoTime, Now, WallTime};

/// The clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time counts from now.
    #[expect(clippy::disallowed_methods, reason = "this is the place the others are pointed to")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the place the others are pointed to")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Now { wall: WallTime(wall), mono: MonoTime(self.start.elapsed().as_nanos() as u64) }
    }

    /// The operating system's form of a monotonic moment, for timers.
    pub fn instant(&self, at: MonoTime) -> Instant {
        self.start + std::time::Duration::from_nanos(at.0)
    }
}
