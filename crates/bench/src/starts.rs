//! How long a broker that holds much is away: its stop, and its starts after a stop and after `kill -9`.
//!
//! ```text
//! many partitions   create ─► write ─► stop ─► start ─► … ─► idle ─► write ─► kill -9 ─► start ─► …
//! much data         load ─► kill -9 while it is written ─► start
//! ```
//! Contenders come one after the other, each on its own directory. A start is timed from the call to the ack of a produce to
//! a partition that was there before: the last one of the last topic, or one that was being written.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base::uuid::Uuid;

use crate::args::StartsArguments;
use crate::batch;
use crate::broker::{Broker, Contender};
use crate::compare::goals::{self, Bound};
use crate::compare::report::{Line, Report, Series};
use crate::control::Control;
use crate::error::Result;
use crate::load::{Load, Produce, VALUE_SIZE};

/// Partitions of each topic.
const PARTITIONS_PER_TOPIC: i32 = 1000;
/// Partitions under load, and connections that load them.
const LOADED_PARTITIONS: u32 = 10;
/// How long a broker has been idle when its memory is looked at.
const IDLE: Duration = Duration::from_secs(2);
/// Between two looks at how much is written.
const LOOK: Duration = Duration::from_millis(5);
const MIB: f64 = (1 << 20) as f64;

/// What is found of one contender, a series for each line of the report.
#[derive(Debug, Default)]
struct Found {
    creation: Series,
    stop: Series,
    clean_start: Series,
    memory: Series,
    descriptors: Series,
    killed_start: Series,
    loaded_start: Series,
}

/// Measures all that is asked for.
///
/// # Errors
/// When the judged broker does not start, or answers with an error. What the other one does not do stays empty.
pub fn starts(arguments: &StartsArguments) -> Result<Report> {
    let mut a = Found::default();
    measure(&arguments.a, arguments, &mut a)?;
    let mut b = Found::default();
    if let Some(contender) = &arguments.b
        && let Err(error) = measure(contender, arguments, &mut b)
    {
        eprintln!("{}: {error}", contender.name);
    }
    let name = arguments.b.as_ref().map_or("–".to_owned(), |b| b.name.clone());
    Ok(Report { a: arguments.a.name.clone(), b: name, lines: lines(arguments, a, b), conditions: Vec::new() })
}

fn measure(contender: &Contender, arguments: &StartsArguments, found: &mut Found) -> Result<()> {
    let dir = arguments.dir.join(format!("{}-starts", contender.name));
    if !arguments.only_load {
        many_partitions(contender, arguments, &dir, found)?;
    }
    if arguments.load_mb > 0 {
        for _ in 0..arguments.rounds {
            found.loaded_start.note(
                contender,
                "kill -9 under load, start",
                under_load(contender, arguments, &dir)?,
            );
        }
    }
    // It is gigabytes, and nobody looks at it.
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

fn many_partitions(
    contender: &Contender,
    arguments: &StartsArguments,
    dir: &Path,
    found: &mut Found,
) -> Result<()> {
    let mut broker = contender.start(dir)?;
    let address = broker.address;
    let topics = create(&broker, arguments.partitions, contender, &mut found.creation)?;
    let (last, count) = *topics.last().expect("at least one partition");
    let probe = (last, count - 1);
    if !arguments.empty {
        write_to_each(&broker, &topics)?;
    }
    for _ in 0..arguments.rounds {
        broker.quiet_disk()?;
        found.stop.note(contender, "stop", broker.stop());
        broker = contender.start_again(dir, address, probe)?;
        found.clean_start.note(contender, "clean start", broker.first_ack);
    }
    thread::sleep(IDLE);
    found.memory.0.push(broker.process.memory()?.resident as f64 / MIB);
    found.descriptors.0.push(broker.process.descriptors()? as f64);
    for _ in 0..arguments.rounds {
        if !arguments.empty {
            write_to_each(&broker, &topics)?;
        }
        broker.kill()?;
        broker = contender.start_again(dir, address, probe)?;
        found.killed_start.note(contender, "kill -9, start", broker.first_ack);
    }
    Ok(())
}

/// Topics of 1,000 partitions, and one of the rest: id and partitions of each. Only the full ones are timed.
fn create(
    broker: &Broker,
    partitions: i32,
    contender: &Contender,
    creation: &mut Series,
) -> Result<Vec<(Uuid, i32)>> {
    let mut control = Control::connect(broker.address)?;
    let batch = batch::prebuilt(1, VALUE_SIZE);
    let mut topics = Vec::new();
    let mut left = partitions;
    while left > 0 {
        let count = left.min(PARTITIONS_PER_TOPIC);
        let begin = Instant::now();
        let topic = control.create_topic(&format!("many-{}", topics.len()), count, &[])?;
        control.produce(topic, count - 1, &batch)?;
        if count == PARTITIONS_PER_TOPIC {
            creation.note(contender, "1,000 partitions made", begin.elapsed());
        }
        topics.push((topic, count));
        left -= count;
    }
    Ok(topics)
}

fn write_to_each(broker: &Broker, topics: &[(Uuid, i32)]) -> Result<()> {
    let mut control = Control::connect(broker.address)?;
    let batch = batch::prebuilt(1, VALUE_SIZE);
    for (topic, count) in topics {
        for partition in 0..*count {
            control.produce(*topic, partition, &batch)?;
        }
    }
    Ok(())
}

/// The start after a kill in the middle of a load that has written so much.
fn under_load(contender: &Contender, arguments: &StartsArguments, dir: &Path) -> Result<Duration> {
    let broker = contender.start(dir)?;
    let address = broker.address;
    let load = Load::Produce(Produce {
        records: 128,
        connections: LOADED_PARTITIONS,
        in_flight: 5,
        partitions: LOADED_PARTITIONS,
        durable: false,
        duration: Duration::MAX,
        bytes_max: u64::MAX,
    });
    let topic = load.prepare(address, "loaded")?;
    let (id, name) = (topic.id, topic.name.clone());
    let running = thread::spawn(move || load.run(address, &topic).err());
    while broker.log_bytes(&name) < arguments.load_mb * 1_000_000 && !running.is_finished() {
        thread::sleep(LOOK);
    }
    let ended_early = running.is_finished();
    broker.kill()?;
    // It ends in an error because its connections do; an earlier end is the broker's fault.
    if let (true, Ok(Some(error))) = (ended_early, running.join()) {
        return Err(error);
    }
    Ok(contender.start_again(dir, address, (id, 0))?.first_ack)
}

impl Series {
    fn note(&mut self, contender: &Contender, what: &str, took: Duration) {
        let ms = took.as_secs_f64() * 1e3;
        eprintln!("{}: {what}: {ms:.1} ms", contender.name);
        self.0.push(ms);
    }
}

fn lines(arguments: &StartsArguments, a: Found, b: Found) -> Vec<Line> {
    let line = |title: String, unit, a, b, (least, aim): (Bound, Bound)| Line {
        title,
        unit,
        a,
        b,
        limit: Series::default(),
        least,
        aim: Some(aim),
    };
    let with = format!("with {} partitions", arguments.partitions);
    let mut lines = Vec::new();
    if !arguments.only_load {
        lines.extend([
            line("1,000 partitions made".to_owned(), "ms", a.creation, b.creation, goals::CREATION),
            line(format!("clean stop {with}"), "ms", a.stop, b.stop, goals::STOP),
            line(
                format!("clean start {with} to its first ack"),
                "ms",
                a.clean_start,
                b.clean_start,
                goals::CLEAN_START,
            ),
            line(format!("resident, idle {with}"), "MiB", a.memory, b.memory, goals::PARTITIONS_MEMORY),
            line(
                format!("open descriptors, idle {with}"),
                "",
                a.descriptors,
                b.descriptors,
                goals::PARTITIONS_DESCRIPTORS,
            ),
            line(
                format!("start after kill -9 {with} to its first ack"),
                "ms",
                a.killed_start,
                b.killed_start,
                goals::KILLED_START,
            ),
        ]);
    }
    if arguments.load_mb > 0 {
        let title = format!(
            "start after kill -9 under load, {} MB in {LOADED_PARTITIONS} partitions, to its first ack",
            arguments.load_mb
        );
        lines.push(line(title, "ms", a.loaded_start, b.loaded_start, goals::LOADED_START));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser;

    fn lines_of(line: &str) -> Vec<String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        let Ok(Command::Starts(arguments)) = Arguments::try_parse_from(words).map(|it| it.command) else {
            panic!("{line}");
        };
        let a =
            Found { clean_start: Series(vec![120.0]), loaded_start: Series(vec![60.0]), ..Found::default() };
        let lines = lines(&arguments, a, Found::default());
        lines.iter().map(|line| format!("{}: {}", line.title, line.verdict())).collect()
    }

    #[test]
    fn each_measurement_that_is_asked_for_has_a_line() {
        let all = lines_of("starts --a ottla=./ottla");
        assert_eq!(all.len(), 7);
        assert_eq!(all[2], "clean start with 10000 partitions to its first ack: PASS, aim");
        assert_eq!(all[3], "resident, idle with 10000 partitions: –");
        assert_eq!(
            all[6],
            "start after kill -9 under load, 4000 MB in 10 partitions, to its first ack: PASS"
        );
        assert_eq!(lines_of("starts --a o=./o --load-mb 0 --partitions 5").len(), 6);
        assert_eq!(lines_of("starts --a o=./o --only-load").len(), 1);
    }
}
