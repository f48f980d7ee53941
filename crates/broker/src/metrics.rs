//! What a broker counts: plain atomics, read by the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::api::ApiKey;

/// The highest api key that is counted on its own.
const KEYS: usize = 100;

/// Counters of one broker.
pub struct Metrics {
    requests: [AtomicU64; KEYS],
}

impl Default for Metrics {
    fn default() -> Self {
        Self { requests: [const { AtomicU64::new(0) }; KEYS] }
    }
}

impl Metrics {
    /// A request of this api was taken up.
    pub fn count_request(&self, key: ApiKey) {
        if let Some(count) = usize::try_from(key.0).ok().and_then(|key| self.requests.get(key)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests taken up so far, by api; those that never came are left out.
    pub fn requests(&self) -> impl Iterator<Item = (ApiKey, u64)> {
        let counted = self.requests.iter().enumerate();
        counted
            .map(|(key, count)| (ApiKey(key as i16), count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
    }
}
