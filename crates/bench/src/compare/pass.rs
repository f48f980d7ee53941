//! One run of one load on one broker, in figures.

use std::fmt;
use std::time::Duration;

use crate::error::Result;
use crate::load::{Load, Part, Site, Topic};
use crate::process::{MachineTime, Process};

/// The figures of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pass {
    /// Million bytes of record values.
    pub mb: f64,
    /// Million bytes of record values a second.
    pub mb_per_second: f64,
    /// Requests a second; for end to end, records.
    pub requests_per_second: f64,
    /// Half of the requests took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1,000 took no longer.
    pub p999: Duration,
    /// CPU seconds of the broker for 10⁹ bytes of values; nothing where its process is not known.
    pub cpu_per_gb: Option<f64>,
    /// CPU seconds of the broker for 1,000 requests.
    pub cpu_per_thousand: Option<f64>,
    /// CPU seconds of the generator for each second of the run.
    pub generator: f64,
    /// How much of the machine was idle, 0 to 1.
    pub idle: f64,
    /// CPU seconds of everything else (the kernel's own threads included) for each second of the run; nothing where the
    /// broker's process is not known.
    pub others: Option<f64>,
    /// Of a load that is compared with itself.
    pub parts: Option<Parts>,
}

/// The first and the last part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// 99 of 100 requests of each part took no longer.
    pub p99: [Duration; 2],
    /// 999 of 1,000 took no longer.
    pub p999: [Duration; 2],
    /// Bytes of resident memory at the end of each part, where that was looked at.
    pub resident: Option<[u64; 2]>,
}

impl Pass {
    /// Runs the load with the clock on.
    pub fn measure(load: &Load, site: &Site, topic: &Topic) -> Result<Self> {
        let broker = site.process;
        let cpu = |process: Option<Process>| process.map(Process::cpu).transpose();
        let before = (cpu(broker)?, Process::own().cpu()?, MachineTime::now()?);
        let outcome = load.run(site.clone(), topic)?;
        let after = (cpu(broker)?, Process::own().cpu()?, MachineTime::now()?);

        let seconds = outcome.elapsed.as_secs_f64();
        let generator = after.1.saturating_sub(before.1).as_secs_f64();
        let broker_cpu =
            after.0.zip(before.0).map(|(after, before)| after.saturating_sub(before).as_secs_f64());
        let mb = outcome.bytes as f64 / 1e6;
        Ok(Self {
            mb,
            mb_per_second: mb / seconds,
            requests_per_second: outcome.requests as f64 / seconds,
            p50: outcome.latency.percentile(50.0),
            p99: outcome.latency.percentile(99.0),
            p999: outcome.latency.percentile(99.9),
            cpu_per_gb: broker_cpu.map(|cpu| cpu / (outcome.bytes as f64 / 1e9)),
            cpu_per_thousand: broker_cpu.map(|cpu| cpu / (outcome.requests as f64 / 1e3)),
            generator: generator / seconds,
            idle: after.2.idle_since(before.2),
            others: broker_cpu.map(|cpu| {
                let others = after.2.busy_since(before.2).as_secs_f64() - cpu - generator;
                others.max(0.0) / seconds
            }),
            parts: outcome.parts.as_deref().map(Parts::of),
        })
    }
}

impl Parts {
    fn of(parts: &[Part; 2]) -> Self {
        let percentile = |percent| parts.each_ref().map(|part| part.latency.percentile(percent));
        let resident = parts[0].resident.zip(parts[1].resident);
        Self {
            p99: percentile(99.0),
            p999: percentile(99.9),
            resident: resident.map(|(first, last)| [first, last]),
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
        write!(
            f,
            "{:.1} MB/s, {:.0} requests/s, p50 {:.3} p99 {:.3} p99.9 {:.3} ms",
            self.mb_per_second,
            self.requests_per_second,
            ms(self.p50),
            ms(self.p99),
            ms(self.p999)
        )?;
        if let (Some(gb), Some(thousand)) = (self.cpu_per_gb, self.cpu_per_thousand) {
            write!(f, ", broker {gb:.3} CPU-s/GB {thousand:.4} CPU-s/1000")?;
        }
        write!(f, ", generator {:.2} cores, machine {:.0} % idle", self.generator, 100.0 * self.idle)?;
        if let Some(others) = self.others {
            write!(f, ", others {others:.2} cores")?;
        }
        let Some(Parts { p99, p999, resident }) = self.parts else { return Ok(()) };
        write!(f, "; first and last part: p99 {:.3} {:.3} ms", ms(p99[0]), ms(p99[1]))?;
        write!(f, ", p99.9 {:.3} {:.3} ms", ms(p999[0]), ms(p999[1]))?;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        resident
            .map_or(Ok(()), |[first, last]| write!(f, ", resident {:.1} {:.1} MiB", mib(first), mib(last)))
    }
}
