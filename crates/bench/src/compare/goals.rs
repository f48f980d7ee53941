//! What is measured in a comparison, and what is asked of the judged broker.
//!
//! These are the tables "Speed and memory" of the node and of the log: one [`Goal`] a line of the report.

use std::time::Duration;

use super::pass::Pass;
use crate::load::{ColdBeside, Compaction, EndToEnd, Extent, Fetch, Load, Produce, Retention};

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
    /// What stands for the machine.
    pub limit: Limit,
    /// Broker configs without which it cannot be measured, the same for all.
    pub settings: &'static [(&'static str, &'static str)],
}

/// What a load is compared with to see the machine's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The bare loop of system calls, under the same load.
    BareLoop,
    /// A sequential read of the judged broker's files of the topic, off the disk.
    RawRead,
    /// Nothing.
    None,
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
    /// The same of the first part of a run.
    P99First,
    /// The same of the last part.
    P99Last,
    /// How many times the first part's is the last part's.
    P99Growth,
    /// The same of 999 of 1,000 latencies.
    P999Growth,
    /// Resident memory at the end of the first part, in MiB.
    ResidentFirst,
    /// How many times that is it at the end of the last part.
    ResidentGrowth,
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
    /// From 1 by no more than this.
    NearOne(f64),
    /// Whatever it is: the line is there to be read.
    Any,
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
            Self::P99First => Some(pass.parts?.p99[0].as_secs_f64() * 1e3),
            Self::P99Last => Some(pass.parts?.p99[1].as_secs_f64() * 1e3),
            Self::P99Growth => growth(pass.parts?.p99.map(|it| it.as_secs_f64())),
            Self::P999Growth => growth(pass.parts?.p999.map(|it| it.as_secs_f64())),
            Self::ResidentFirst => Some(pass.parts?.resident?[0] as f64 / f64::from(1 << 20)),
            Self::ResidentGrowth => growth(pass.parts?.resident?.map(|it| it as f64)),
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
            Self::P99First => "p99 ms, first part",
            Self::P99Last => "p99 ms, last part",
            Self::P99Growth => "p99, last : first",
            Self::P999Growth => "p99.9, last : first",
            Self::ResidentFirst => "resident MiB, first part",
            Self::ResidentGrowth => "resident, last : first",
        }
    }
}

/// The second by the first.
fn growth([first, last]: [f64; 2]) -> Option<f64> {
    (first > 0.0).then(|| last / first)
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
            Self::NearOne(part) => Some((a - 1.0).abs() <= part),
            Self::Any => None,
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
            Self::NearOne(part) => format!("1 ± {part}"),
            Self::Any => "–".to_owned(),
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

const COLD_FETCH: &[Goal] = &[
    Goal { figure: Figure::MbPerSecond, least: Bound::AtLeastB(1.3), aim: Some(Bound::AtLeastLimit(0.95)) },
    Goal { figure: Figure::CpuPerGb, least: Bound::Any, aim: None },
];
const COLD_BESIDE: &[Goal] = &[
    Goal { figure: Figure::P99Growth, least: Bound::AtMost(2.0), aim: Some(Bound::AtMost(1.3)) },
    Goal { figure: Figure::P99First, least: Bound::Any, aim: None },
    Goal { figure: Figure::P99Last, least: Bound::Any, aim: None },
];
const COMPACTION: &[Goal] = &[
    Goal { figure: Figure::MbPerSecond, least: Bound::AtLeastB(3.0), aim: Some(Bound::AtLeastB(5.0)) },
    Goal { figure: Figure::CpuPerGb, least: Bound::AtMostBOver(3.0), aim: None },
];
const RETENTION: &[Goal] = &[
    Goal { figure: Figure::P999Growth, least: Bound::AtMost(1.3), aim: None },
    Goal { figure: Figure::ResidentGrowth, least: Bound::NearOne(0.05), aim: None },
    Goal { figure: Figure::ResidentFirst, least: Bound::Any, aim: None },
];

/// Bytes of values in the log of the loads that read from the disk.
const COLD_LOG_BYTES: u64 = 4_000_000_000;
/// Bytes of values a second of the producer beside a reader.
const BESIDE_RATE: u64 = 100_000_000;
/// Records of the log that is compacted: 1 GiB of values.
const COMPACTION_RECORDS: u64 = 1 << 20;

/// All loads: those of the node, which run when none is chosen, and those of the log.
pub fn workloads(duration: Duration) -> Vec<Workload> {
    of_node(duration).into_iter().chain(of_log(duration)).collect()
}

/// The loads of the log.
pub fn of_log(duration: Duration) -> Vec<Workload> {
    let cold_fetch = Load::Fetch(Fetch { log_bytes: COLD_LOG_BYTES, records: 128, extent: Extent::Once });
    let cold_beside =
        Load::ColdBeside(ColdBeside { log_bytes: COLD_LOG_BYTES, rate: BESIDE_RATE, alone: duration });
    let compaction = Load::Compaction(Compaction { records: COMPACTION_RECORDS });
    let retention = Load::Retention(Retention { duration });
    let workload =
        |name, title, load, goals| Workload { name, title, load, goals, limit: Limit::None, settings: &[] };
    vec![
        Workload {
            limit: Limit::RawRead,
            ..workload("cold-fetch", "fetch of 4 GB off the disk, 1 partition", cold_fetch, COLD_FETCH)
        },
        workload("cold-beside", "100 MB/s in, beside a fetch of 4 GB off the disk", cold_beside, COLD_BESIDE),
        Workload {
            settings: &[("log.cleaner.backoff.ms", "10")],
            ..workload(
                "compaction",
                "compaction of 1 GiB of 1 KiB records, half live",
                compaction,
                COMPACTION,
            )
        },
        Workload {
            settings: &[("log.retention.check.interval.ms", "1000"), ("log.initial.task.delay.ms", "1000")],
            ..workload("retention", "half of the maximum rate in, old segments deleted", retention, RETENTION)
        },
    ]
}

/// The loads of the node, in the order of the report.
pub fn of_node(duration: Duration) -> Vec<Workload> {
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
    let extent = Extent::Again(duration);
    let fetch = Load::Fetch(Fetch { log_bytes: 512 << 20, records: 128, extent });
    let end_to_end = Load::EndToEnd(EndToEnd { rate: 1000, duration });
    let limit = Limit::BareLoop;
    let workload = |name, title, load, goals| Workload { name, title, load, goals, limit, settings: &[] };
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
    use crate::compare::pass::Parts;

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
        check(Bound::NearOne(0.05), 0.96, None, None, Verdict::Kept);
        check(Bound::NearOne(0.05), 1.06, None, None, Verdict::Missed);
        check(Bound::NearOne(0.05), 0.94, None, None, Verdict::Missed);
        check(Bound::Any, 1.0, Some(1.0), Some(1.0), Verdict::Unknown);
    }

    #[test]
    fn a_load_is_compared_with_itself() {
        let ms = Duration::from_millis;
        let parts = |resident| Some(Parts { p99: [ms(4), ms(6)], p999: [ms(10), ms(20)], resident });
        let check = |figure: Figure, parts: Option<Parts>, expect: Option<f64>| {
            assert_eq!(figure.of(&Pass { parts, ..Pass::default() }), expect, "{figure:?}");
        };
        check(Figure::P99Growth, parts(None), Some(1.5));
        check(Figure::P99First, parts(None), Some(4.0));
        check(Figure::P99Last, parts(None), Some(6.0));
        check(Figure::P999Growth, parts(None), Some(2.0));
        check(Figure::ResidentGrowth, parts(Some([4 << 20, 5 << 20])), Some(1.25));
        check(Figure::ResidentFirst, parts(Some([4 << 20, 5 << 20])), Some(4.0));
        check(Figure::ResidentGrowth, parts(None), None);
        check(Figure::P99Growth, None, None);
        let nothing = Parts { p99: [Duration::ZERO; 2], p999: [Duration::ZERO; 2], resident: None };
        check(Figure::P99Growth, Some(nothing), None);
    }
}
