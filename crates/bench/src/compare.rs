//! Two brokers and the machine's limit by turns: A B L A B L …
//!
//! All three run from the beginning to the end on one disk, only one of them under load at a time. The first rounds warm up,
//! the others count. Before the clock starts the topic is made and the disk is quiet; where a load reads from the disk, nothing
//! of it is in memory. What the limit is, the load says.

pub mod goals;
pub mod pass;
pub mod report;

use std::thread;

use self::goals::{Figure, Limit, Workload, of_node, workloads};
use self::pass::Pass;
use self::report::{Condition, Line, Report, Series};
use crate::args::CompareArguments;
use crate::broker::{Broker, Contender};
use crate::error::{Error, Result};
use crate::load::{Site, Topic};

const MIB: f64 = (1 << 20) as f64;

/// The brokers, in the order of the turns: the judged one first, the limit last.
struct Field {
    brokers: Vec<Broker>,
    has_b: bool,
}

/// Measures all that is asked for.
///
/// # Errors
/// When a broker does not start, or answers a load with an error.
pub fn compare(arguments: &CompareArguments) -> Result<Report> {
    let chosen = chosen(arguments)?;
    let starts = starts(arguments)?;
    let field = Field::start(arguments, &chosen)?;
    let mut lines = Vec::new();
    let mut conditions = Vec::new();

    let idle = if arguments.only.is_empty() { field.idle_lines(arguments)? } else { Vec::new() };
    for workload in &chosen {
        let passes = field.rounds(workload, arguments)?;
        lines.extend(workload.goals.iter().map(|goal| Line {
            title: workload.title.to_owned(),
            unit: goal.figure.unit(),
            a: passes.series(Some(0), goal.figure),
            b: passes.series(field.b_place(), goal.figure),
            limit: passes.limit(field.limit_place(), goal.figure),
            least: goal.least,
            aim: goal.aim,
        }));
        let measured = field.brokers.iter().zip(passes.of).filter(|(_, passes)| !passes.is_empty());
        conditions.extend(measured.map(|(broker, passes)| Condition {
            workload: workload.name,
            broker: broker.name.clone(),
            passes,
        }));
    }
    if arguments.only.is_empty() {
        lines.push(field.line("start of an empty node to its first ack", "ms", goals::START, |broker| {
            Ok(broker.first_ack.as_secs_f64() * 1e3)
        })?);
        lines.last_mut().expect("just pushed").a.0.extend(starts);
        lines.extend(idle);
        lines.push(field.line("resident after the loads", "MiB", goals::LOADED_MEMORY, resident)?);
    }
    let b = arguments.b.as_ref().map_or("–".to_owned(), |b| b.name.clone());
    Ok(Report { a: arguments.a.name.clone(), b, lines, conditions })
}

impl Field {
    fn start(arguments: &CompareArguments, chosen: &[Workload]) -> Result<Self> {
        let has_limit = chosen.iter().any(|workload| workload.limit == Limit::BareLoop);
        let limit = (has_limit && !arguments.no_limit).then(Contender::limit);
        let settings = chosen.iter().flat_map(|workload| workload.settings);
        let settings: Vec<_> =
            settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut brokers = Vec::new();
        for contender in [Some(&arguments.a), arguments.b.as_ref(), limit.as_ref()].into_iter().flatten() {
            let contender = Contender { settings: settings.clone(), ..contender.clone() };
            let broker = contender.start(&arguments.dir.join(&contender.name))?;
            eprintln!(
                "{}: process {}, {}, first ack after {:?}",
                broker.name, broker.process.0, broker.address, broker.first_ack
            );
            brokers.push(broker);
        }
        Ok(Self { brokers, has_b: arguments.b.is_some() })
    }

    fn b_place(&self) -> Option<usize> {
        self.has_b.then_some(1)
    }

    fn limit_place(&self) -> Option<usize> {
        let place = 1 + usize::from(self.has_b);
        (place < self.brokers.len()).then_some(place)
    }

    /// Runs a load on all by turns; the counted passes of each.
    fn rounds(&self, workload: &Workload, arguments: &CompareArguments) -> Result<Passes> {
        let mut passes = Passes { of: vec![Vec::new(); self.brokers.len()], raw: Vec::new() };
        for round in 0..arguments.warm + arguments.rounds {
            let counted = round >= arguments.warm;
            for (place, broker) in self.brokers.iter().enumerate() {
                if self.limit_place() == Some(place) && workload.limit != Limit::BareLoop {
                    continue;
                }
                let topic = workload.load.prepare(broker.address, &format!("{}-{round}", workload.name))?;
                let pass = run(workload, broker, &topic)?;
                let warm = if counted { "counted" } else { "warm" };
                eprintln!("{} {} {warm}: {pass}", workload.name, broker.name);
                let raw = place == 0 && counted && workload.limit == Limit::RawRead && !arguments.no_limit;
                if raw {
                    passes.raw.push(raw_read(broker, &topic, &pass)?);
                }
                workload.load.clean(broker.address, &topic)?;
                broker.await_deletion(&topic.name);
                broker.quiet_disk()?;
                if counted {
                    passes.of[place].push(pass);
                }
            }
        }
        Ok(passes)
    }

    /// Memory and CPU of brokers that were started and have nothing to do. All are looked at at the same time.
    fn idle_lines(&self, arguments: &CompareArguments) -> Result<Vec<Line>> {
        let cpu = |broker: &Broker| broker.process.cpu_of_living_threads();
        let before = self.brokers.iter().map(cpu).collect::<Result<Vec<_>>>()?;
        thread::sleep(arguments.idle_seconds);
        let memory = self.line("resident, idle", "MiB", goals::IDLE_MEMORY, resident)?;
        let mut before = before.into_iter();
        let bounds = (goals::IDLE_CPU, goals::IDLE_CPU);
        let mut used = self.line("CPU, idle", "% of a core", bounds, |broker| {
            let used = cpu(broker)?.saturating_sub(before.next().expect("one for each broker"));
            Ok(100.0 * used.as_secs_f64() / arguments.idle_seconds.as_secs_f64())
        })?;
        used.aim = None;
        Ok(vec![memory, used])
    }

    /// A line with one value of each broker. The bare loop is no node: it has none.
    fn line(
        &self,
        title: &str,
        unit: &'static str,
        (least, aim): (goals::Bound, goals::Bound),
        mut value: impl FnMut(&Broker) -> Result<f64>,
    ) -> Result<Line> {
        let a = Series(vec![value(&self.brokers[0])?]);
        let b = self.b_place().map(|b| value(&self.brokers[b])).transpose()?;
        let (title, limit, aim) = (title.to_owned(), Series::default(), Some(aim));
        Ok(Line { title, unit, a, b: Series(b.into_iter().collect()), limit, least, aim })
    }
}

/// The counted passes of a load.
struct Passes {
    /// Of each broker.
    of: Vec<Vec<Pass>>,
    /// MB of values a second when the judged broker's files are read without it.
    raw: Vec<f64>,
}

impl Passes {
    fn series(&self, place: Option<usize>, figure: Figure) -> Series {
        let passes = place.map_or(&[][..], |place| &self.of[place]);
        Series(passes.iter().filter_map(|pass| figure.of(pass)).collect())
    }

    /// What stands for the machine: the raw reads, which have a speed alone, or the bare loop.
    fn limit(&self, place: Option<usize>, figure: Figure) -> Series {
        if self.raw.is_empty() || figure != Figure::MbPerSecond {
            return self.series(place, figure);
        }
        Series(self.raw.clone())
    }
}

/// One run of a load on one broker.
fn run(workload: &Workload, broker: &Broker, topic: &Topic) -> Result<Pass> {
    broker.quiet_disk()?;
    if workload.load.is_cold() {
        broker.drop_pages()?;
    }
    Pass::measure(&workload.load, &Site::from(broker), topic)
}

/// The speed at which the bytes of a pass come off the disk, in MB of values a second.
fn raw_read(broker: &Broker, topic: &Topic, pass: &Pass) -> Result<f64> {
    broker.quiet_disk()?;
    broker.drop_pages()?;
    let seconds = broker.read_raw(&topic.name)?.as_secs_f64();
    let found = pass.mb / seconds;
    eprintln!("a raw read of the same: {found:.1} MB/s");
    Ok(found)
}

/// The judged broker's starts on an empty directory, but for the one that then stays: milliseconds to the first ack.
fn starts(arguments: &CompareArguments) -> Result<Vec<f64>> {
    let count = if arguments.only.is_empty() { arguments.starts - 1 } else { 0 };
    let mut found = Vec::new();
    for _ in 0..count {
        let broker = arguments.a.start(&arguments.dir.join(format!("{}-start", arguments.a.name)))?;
        found.push(broker.first_ack.as_secs_f64() * 1e3);
    }
    Ok(found)
}

fn chosen(arguments: &CompareArguments) -> Result<Vec<Workload>> {
    if arguments.only.is_empty() {
        return Ok(of_node(arguments.seconds));
    }
    let all = workloads(arguments.seconds);
    let names: Vec<&str> = all.iter().map(|workload| workload.name).collect();
    if let Some(unknown) = arguments.only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(Error::Usage(format!("no load is called {unknown}; there are {}", names.join(", "))));
    }
    let only = |name: &str| arguments.only.iter().any(|chosen| chosen == name);
    Ok(all.into_iter().filter(|workload| only(workload.name)).collect())
}

fn resident(broker: &Broker) -> Result<f64> {
    Ok(broker.process.memory()?.resident as f64 / MIB)
}
