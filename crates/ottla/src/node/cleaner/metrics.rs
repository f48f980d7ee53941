//! How compaction gets on, under Kafka's names (`kafka.log:type=LogCleaner` and `LogCleanerManager`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::time::{MonoTime, Now};
use storage::clean::{CleanStats, Cleanable};

/// What the metrics page tells of compaction.
#[derive(Default)]
pub struct CleanerMetrics(Mutex<Told>);

#[derive(Default)]
struct Told {
    max_dirty_ratio: f64,
    max_compaction_delay_ms: i64,
    last_look: Option<MonoTime>,
    /// The last round of each thread.
    rounds: BTreeMap<usize, Round>,
    uncleanable: BTreeMap<PathBuf, i64>,
    cleaned_logs: u64,
}

/// A compaction that came to its end.
#[derive(Clone, Copy)]
pub(super) struct Round {
    pub(super) stats: CleanStats,
    pub(super) time: Duration,
}

impl CleanerMetrics {
    /// `max-dirty-percent`: the dirty part of the dirtiest log at the last look.
    pub fn max_dirty_percent(&self) -> i64 {
        (self.told().max_dirty_ratio * 100.0) as i64
    }

    /// `cleaner-recopy-percent`: bytes written ÷ bytes read of the last rounds.
    pub fn recopy_percent(&self) -> i64 {
        let told = self.told();
        let sum = |bytes: fn(&CleanStats) -> u64| -> u64 {
            told.rounds.values().map(|round| bytes(&round.stats)).sum()
        };
        (100.0 * sum(|stats| stats.bytes_written) as f64 / sum(|stats| stats.bytes_read).max(1) as f64) as i64
    }

    /// `max-clean-time-secs`: how long the longest of the last rounds took.
    pub fn max_clean_time_secs(&self) -> i64 {
        self.told().rounds.values().map(|round| round.time.as_secs() as i64).max().unwrap_or(0)
    }

    /// `max-buffer-utilization-percent`: how full the map of keys was, at most.
    pub fn max_buffer_utilization_percent(&self) -> i64 {
        let told = self.told();
        let fullest = told.rounds.values().map(|round| round.stats.map_utilization).fold(0.0, f64::max);
        (fullest * 100.0) as i64
    }

    /// `max-compaction-delay-secs`: by how much a log has exceeded `max.compaction.lag.ms`, at most.
    pub fn max_compaction_delay_secs(&self) -> i64 {
        self.told().max_compaction_delay_ms / 1000
    }

    /// `time-since-last-run-ms`: since the last look for a log to compact.
    pub fn time_since_last_run_ms(&self, now: Now) -> i64 {
        let last = self.told().last_look;
        last.map_or(0, |last| i64::try_from(now.mono.since(last).as_millis()).unwrap_or(i64::MAX))
    }

    /// `uncleanable-partitions-count` by log directory.
    pub fn uncleanable_partitions(&self) -> BTreeMap<PathBuf, i64> {
        self.told().uncleanable.clone()
    }

    /// Rounds that came to their end.
    pub fn cleaned_logs(&self) -> u64 {
        self.told().cleaned_logs
    }

    pub(super) fn looked<'a>(&self, logs: impl Iterator<Item = &'a Cleanable>, now: Now) {
        let (mut ratio, mut delay_ms) = (0.0f64, 0);
        for log in logs {
            ratio = ratio.max(log.dirty_ratio());
            delay_ms = delay_ms.max(log.delay_ms);
        }
        let mut told = self.told();
        (told.max_dirty_ratio, told.max_compaction_delay_ms) = (ratio, delay_ms);
        told.last_look = Some(now.mono);
    }

    pub(super) fn cleaned(&self, thread: usize, round: Round) {
        let mut told = self.told();
        told.rounds.insert(thread, round);
        told.cleaned_logs += 1;
    }

    pub(super) fn set_uncleanable<'a>(&self, dirs: impl Iterator<Item = &'a PathBuf>) {
        let mut told = self.told();
        told.uncleanable.values_mut().for_each(|count| *count = 0);
        for dir in dirs {
            *told.uncleanable.entry(dir.clone()).or_default() += 1;
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
