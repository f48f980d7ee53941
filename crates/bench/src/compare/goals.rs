//! What is measured in a comparison, and what is asked of the judged broker.
//!
//! This is the table "Speed and memory": one [`Goal`] a line of the report.

use std::time::Duration;

use super::pass::Pass;
use crate::load::{EndToEnd, Fetch, Load, Produce};

/// A load with the name by which `--only` picks it.
pub struct Workload {
    /// The name.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// The load.
    pub load: Load,
    /// The lines of the report that come from it.
    pub goals: &'static [Goal],
}

/// A line of the report.
pub struct Goal {
    /// Which figure.
    pub figure: Figure,
    /// What it must reach.
    pub least: Bound,
    /// What it should reach.
    pub aim: Option<Bound>,
}

/// A figure of a pass, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Million bytes of values a second.
    MbPerSecond,
    /// Thousand requests a second.
    ThousandsPerSecond,
    /// CPU milliseconds of the broker for 10⁹ bytes of values.
    CpuPerGb,
    /// CPU milliseconds of the broker for 1,000 requests.
    CpuPerThousand,
    /// 99 of 100 latencies, in milliseconds.
    P99,
}

/// How a figure is judged. B is the broker compared with, L the machine's limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Not below so many times B's.
    AtLeastB(f64),
    /// Not above B's divided by so much.
    AtMostBOver(f64),
    /// Not below this part of L's.
    AtLeastLimit(f64),
    /// Not above so many times L's.
    AtMostLimit(f64),
    /// Not above this.
    AtMost(f64),
}

/// One of the three verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kept.
    Kept,
    /// Not kept.
    Missed,
    /// What it is compared with was not measured.
    Unknown,
}

impl Figure {
    /// The figure of a pass, where it is known.
    pub fn of(self, pass: &Pass) -> Option<f64> {
        match self {
            Self::MbPerSecond => Some(pass.mb_per_second),
            Self::ThousandsPerSecond => Some(pass.requests_per_second / 1e3),
            Self::CpuPerGb => pass.cpu_per_gb.map(|cpu| cpu * 1e3),
            Self::CpuPerThousand => pass.cpu_per_thousand.map(|cpu| cpu * 1e3),
            Self::P99 => Some(pass.p99.as_secs_f64() * 1e3),
        }
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::MbPerSecond => "MB/s",
            Self::ThousandsPerSecond => "1000 req/s",
            Self::CpuPerGb => "CPU ms/GB",
            Self::CpuPerThousand => "CPU ms/1000 req",
            Self::P99 => "p99 ms",
        }
    }
}

impl Bound {
    /// Whether `a` keeps it.
    pub fn judge(self, a: f64, b: Option<f64>, limit: Option<f64>) -> Verdict {
        let kept = match self {
            Self::AtLeastB(times) => b.map(|b| a >= b * times),
            Self::AtMostBOver(divisor) => b.map(|b| a <= b / divisor),
            Self::AtLeastLimit(part) => limit.map(|limit| a >= limit * part),
            Self::AtMostLimit(times) => limit.map(|limit| a <= limit * times),
            Self::AtMost(most) => Some(a <= most),
        };
        kept.map_or(Verdict::Unknown, |kept| if kept { Verdict::Kept } else { Verdict::Missed })
    }

    /// For the report; `b` is the name of the broker compared with.
    pub fn text(self, b: &str) -> String {
        match self {
            Self::AtLeastB(times) => format!("≥ {times} × {b}"),
            Self::AtMostBOver(divisor) => format!("≤ {b} / {divisor}"),
            Self::AtLeastLimit(part) => format!("≥ {part} × limit"),
            Self::AtMostLimit(times) => format!("≤ {times} × limit"),
            Self::AtMost(most) => format!("≤ {most}"),
        }
    }
}

/// Start of an empty node to the ack of its first produce, in milliseconds.
pub const START: (Bound, Bound) = (Bound::AtMost(50.0), Bound::AtMost(20.0));
/// Start of a node with 10,000 partitions that was stopped cleanly, to the ack of its first produce, in milliseconds.
pub const CLEAN_START: (Bound, Bound) = (Bound::AtMost(500.0), Bound::AtMost(150.0));
/// The same after `kill -9`.
pub const KILLED_START: (Bound, Bound) = (Bound::AtMost(1000.0), Bound::AtMost(300.0));
/// The same after `kill -9` under load, with 4 GB in 10 partitions.
pub const LOADED_START: (Bound, Bound) = (Bound::AtMost(700.0), Bound::AtMost(50.0));
/// Resident memory of an idle node with 10,000 partitions, in MiB.
pub const PARTITIONS_MEMORY: (Bound, Bound) = (Bound::AtMost(80.0), Bound::AtMost(40.0));
/// Its open descriptors.
pub const PARTITIONS_DESCRIPTORS: (Bound, Bound) = (Bound::AtMost(2000.0), Bound::AtMost(200.0));
/// Its clean stop, in milliseconds.
pub const STOP: (Bound, Bound) = (Bound::AtMost(10_000.0), Bound::AtMost(2000.0));
/// 1,000 partitions made, until the last of them takes a batch, in milliseconds.
pub const CREATION: (Bound, Bound) = (Bound::AtMost(2000.0), Bound::AtMost(500.0));
/// Resident memory of an idle node, in MiB.
pub const IDLE_MEMORY: (Bound, Bound) = (Bound::AtMost(20.0), Bound::AtMost(15.0));
/// Resident memory after all loads, in MiB.
pub const LOADED_MEMORY: (Bound, Bound) = (Bound::AtMost(100.0), Bound::AtMost(64.0));
/// CPU of an idle node, in percent of a core.
pub const IDLE_CPU: Bound = Bound::AtMost(0.1);

const BATCHES_128: &[Goal] = &[
    Goal { figure: Figure::MbPerSecond, least: Bound::AtLeastB(2.5), aim: Some(Bound::AtLeastLimit(0.9)) },
    Goal { figure: Figure::CpuPerGb, least: Bound::AtMostBOver(3.0), aim: None },
];
const BATCHES_16: &[Goal] = &[
    Goal { figure: Figure::MbPerSecond, least: Bound::AtLeastB(5.0), aim: Some(Bound::AtLeastB(7.0)) },
    Goal { figure: Figure::CpuPerGb, least: Bound::AtMostBOver(8.0), aim: Some(Bound::AtMostBOver(11.0)) },
];
const SINGLE: &[Goal] = &[
    Goal { figure: Figure::ThousandsPerSecond, least: Bound::AtLeastB(5.0), aim: Some(Bound::AtLeastB(7.0)) },
    Goal {
        figure: Figure::CpuPerThousand,
        least: Bound::AtMostBOver(8.0),
        aim: Some(Bound::AtMostBOver(12.0)),
    },
];
const DURABLE: &[Goal] = &[
    Goal {
        figure: Figure::ThousandsPerSecond,
        least: Bound::AtLeastB(10.0),
        aim: Some(Bound::AtLeastB(15.0)),
    },
    Goal { figure: Figure::P99, least: Bound::AtMostBOver(10.0), aim: Some(Bound::AtMostBOver(20.0)) },
];
const FETCH: &[Goal] = &[
    Goal { figure: Figure::MbPerSecond, least: Bound::AtLeastB(2.0), aim: Some(Bound::AtLeastLimit(0.95)) },
    Goal { figure: Figure::CpuPerGb, least: Bound::AtMostBOver(2.0), aim: None },
];
const END_TO_END: &[Goal] =
    &[Goal { figure: Figure::P99, least: Bound::AtMostBOver(4.0), aim: Some(Bound::AtMostLimit(1.5)) }];

/// All loads, in the order of the report.
pub fn workloads(duration: Duration) -> Vec<Workload> {
    let produce = |records, connections, durable| {
        Load::Produce(Produce {
            records,
            connections,
            in_flight: 5,
            partitions: 1,
            durable,
            duration,
            bytes_max: u64::MAX,
        })
    };
    let fetch = Load::Fetch(Fetch { log_bytes: 512 << 20, records: 128, duration });
    let end_to_end = Load::EndToEnd(EndToEnd { rate: 1000, duration });
    let workload = |name, title, load, goals| Workload { name, title, load, goals };
    vec![
        workload(
            "produce-128k",
            "128 × 1 KiB batches, 1 connection × 5",
            produce(128, 1, false),
            BATCHES_128,
        ),
        workload("produce-16k", "16 KiB batches, 1 connection × 5", produce(16, 1, false), BATCHES_16),
        workload("produce-1k", "1 KiB a request, 1 connection × 5", produce(1, 1, false), SINGLE),
        workload("durable", "1 KiB a request, on disk, 32 connections × 5", produce(1, 32, true), DURABLE),
        workload("fetch", "fetch of hot data, 1 partition", fetch, FETCH),
        workload("end-to-end", "end to end, 1,000 × 1 KiB a second", end_to_end, END_TO_END),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_kept_missed_or_unknown() {
        let check = |bound: Bound, a: f64, b: Option<f64>, limit: Option<f64>, expect: Verdict| {
            assert_eq!(bound.judge(a, b, limit), expect, "{bound:?} of {a}, {b:?}, {limit:?}");
        };
        check(Bound::AtLeastB(2.5), 250.0, Some(100.0), None, Verdict::Kept);
        check(Bound::AtLeastB(2.5), 249.0, Some(100.0), None, Verdict::Missed);
        check(Bound::AtLeastB(2.5), 250.0, None, Some(1.0), Verdict::Unknown);
        check(Bound::AtMostBOver(8.0), 1.0, Some(8.0), None, Verdict::Kept);
        check(Bound::AtMostBOver(8.0), 1.1, Some(8.0), None, Verdict::Missed);
        check(Bound::AtLeastLimit(0.5), 4.9, Some(1.0), Some(10.0), Verdict::Missed);
        check(Bound::AtMostLimit(1.5), 1.5, None, Some(1.0), Verdict::Kept);
        check(Bound::AtMostLimit(1.5), 1.5, None, None, Verdict::Unknown);
        check(Bound::AtMost(20.0), 20.5, None, None, Verdict::Missed);
    }
}
