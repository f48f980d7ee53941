//! Latencies counted as Kafka's performance tools count them. Pure.

/// Latencies in ms of a run, of which at most [`SAMPLES`] are kept for percentiles.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    samples: Vec<u32>,
    /// Every so many records one is kept.
    every: u64,
    count: u64,
    bytes: u64,
    total_ms: u64,
    max_ms: u32,
}

/// The most latencies that are kept.
const SAMPLES: u64 = 500_000;

/// Percentiles that a summary shows, in thousandths.
const SHOWN: [(u32, &str); 4] = [(500, "50th"), (950, "95th"), (990, "99th"), (999, "99.9th")];

const MB: f64 = 1024.0 * 1024.0;

impl Latencies {
    /// For a run of about so many records.
    pub(crate) fn new(records: u64) -> Self {
        let every = records / SAMPLES.min(records.max(1));
        Self { samples: Vec::new(), every: every.max(1), count: 0, bytes: 0, total_ms: 0, max_ms: 0 }
    }

    /// Counts a record.
    pub(crate) fn record(&mut self, ms: u32, bytes: usize) {
        if self.count.is_multiple_of(self.every) {
            self.samples.push(ms);
        }
        self.count += 1;
        self.bytes += bytes as u64;
        self.total_ms += u64::from(ms);
        self.max_ms = self.max_ms.max(ms);
    }

    /// Records counted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Forgets everything: a new window begins.
    pub(crate) fn clear(&mut self) {
        self.samples.clear();
        (self.count, self.bytes, self.total_ms, self.max_ms) = (0, 0, 0, 0);
    }

    fn average(&self) -> f64 {
        self.total_ms as f64 / self.count.max(1) as f64
    }

    /// The line of a window that took so long.
    pub(crate) fn window_line(&self, elapsed_ms: u64) -> String {
        let seconds = elapsed_ms.max(1) as f64 / 1000.0;
        format!(
            "{} records sent, {:.1} records/sec ({:.2} MB/sec), {:.1} ms avg latency, {:.1} ms max latency.",
            self.count,
            self.count as f64 / seconds,
            self.bytes as f64 / seconds / MB,
            self.average(),
            f64::from(self.max_ms)
        )
    }

    /// The line of the whole run.
    pub(crate) fn total_line(&self, elapsed_ms: u64, what: &str) -> String {
        let seconds = elapsed_ms.max(1) as f64 / 1000.0;
        let percentiles: Vec<String> = self.percentiles();
        format!(
            "{} {what} sent, {:.6} records/sec ({:.2} MB/sec), {:.2} ms avg latency, {:.2} ms max latency, {}.",
            self.count,
            self.count as f64 / seconds,
            self.bytes as f64 / seconds / MB,
            self.average(),
            f64::from(self.max_ms),
            percentiles.join(", ")
        )
    }

    fn percentiles(&self) -> Vec<String> {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let at = |thousandths: u32| {
            let place = sorted.len() * thousandths as usize / 1000;
            sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
        };
        SHOWN.iter().map(|(thousandths, name)| format!("{} ms {name}", at(*thousandths))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_kafkas() {
        let mut latencies = Latencies::new(1000);
        for ms in 0..1000 {
            latencies.record(ms, 1024);
        }
        assert_eq!(
            latencies.total_line(2000, "records"),
            "1000 records sent, 500.000000 records/sec (0.49 MB/sec), 499.50 ms avg latency, 999.00 ms max latency, \
             500 ms 50th, 950 ms 95th, 990 ms 99th, 999 ms 99.9th."
        );
        assert_eq!(
            latencies.window_line(500),
            "1000 records sent, 2000.0 records/sec (1.95 MB/sec), 499.5 ms avg latency, 999.0 ms max latency."
        );
        latencies.clear();
        assert_eq!(latencies.count(), 0);
        assert!(latencies.total_line(0, "records").contains("0 ms 99.9th"));
    }

    #[test]
    fn samples_are_bounded() {
        let mut latencies = Latencies::new(2_000_000);
        for _ in 0..2_000_000 {
            latencies.record(1, 1);
        }
        assert_eq!(latencies.samples.len(), SAMPLES as usize);
    }
}
