//! Runs seeds and says what they found.
//!
//! ```text
//! sim --seed 7 --trace                     one run, every line
//! sim --seed 7                             one run, the last lines if it found something
//! sim --seeds 0..2000 --mode durable       many, and a summary
//! ```

use std::ops::Range;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sim::plan::{Mode, Options};
use sim::run::{Outcome, run};
use tracing_subscriber::filter::LevelFilter;

/// Runs whole nodes from seeds.
#[derive(Debug, Parser)]
#[command(name = "sim", version)]
struct Arguments {
    /// The seed.
    #[arg(long, conflicts_with = "seeds", required_unless_present = "seeds")]
    seed: Option<u64>,
    /// Many seeds, the last one exclusive.
    #[arg(long, value_name = "A..B", value_parser = range)]
    seeds: Option<Range<u64>>,
    /// What topics promise; each seed says if it is left out.
    #[arg(long)]
    mode: Option<ModeArgument>,
    /// Steps before a run is brought to its end.
    #[arg(long, default_value_t = 1500)]
    steps: u64,
    /// Print every line as it comes.
    #[arg(long)]
    trace: bool,
    /// Go on after a seed that found something.
    #[arg(long)]
    keep_going: bool,
}

/// What topics promise.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArgument {
    /// `flush.messages=1`: what is acked survives every crash.
    Durable,
    /// Kafka's defaults.
    Default,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic is told with its seed; the place is what is missing then.
    std::panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            eprintln!("panic at {place}");
        }
    }));
    if arguments.trace {
        // What the node itself logs stands between the lines of the transcript.
        tracing_subscriber::fmt().without_time().with_ansi(false).with_max_level(LevelFilter::INFO).init();
    }
    let seeds = match (&arguments.seeds, arguments.seed) {
        (Some(seeds), _) => seeds.clone(),
        (None, seed) => seed.map_or(0..0, |seed| seed..seed + 1),
    };
    let mode = arguments.mode.map(|mode| match mode {
        ModeArgument::Durable => Mode::Durable,
        ModeArgument::Default => Mode::Default,
    });
    let mut total = Total::default();
    for seed in seeds {
        let outcome = run(&Options { seed, mode, steps: arguments.steps, trace: arguments.trace });
        total.add(&outcome);
        if let Some(violation) = &outcome.violation {
            if !arguments.trace {
                outcome.tail.iter().for_each(|(number, line)| println!("{number:6} {line}"));
            }
            println!("seed {seed}: {violation}");
            if !arguments.keep_going {
                break;
            }
        } else if arguments.seeds.is_none() {
            println!("seed {seed}: nothing found; transcript {:016x}", outcome.hash);
        }
    }
    total.print();
    if total.found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let bounds = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let (from, to) = bounds.ok_or_else(|| format!("'{text}' is not A..B"))?;
    Ok(from..to)
}

/// What all runs did.
#[derive(Default)]
struct Total {
    runs: u64,
    steps: u64,
    endings: u64,
    faults: u64,
    acked: u64,
    fetched: u64,
    forgotten: u64,
    found: Vec<u64>,
}

impl Total {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.steps += outcome.counts.steps;
        self.endings += outcome.counts.endings;
        self.faults += outcome.counts.faults;
        self.acked += outcome.counts.acked;
        self.fetched += outcome.counts.fetched;
        self.forgotten += outcome.counts.forgotten;
        self.found.extend(outcome.violation.as_ref().map(|_| outcome.options.seed));
    }

    fn print(&self) {
        let Self { runs, steps, endings, faults, acked, fetched, forgotten, found } = self;
        println!(
            "{runs} runs, {steps} steps, {endings} ends of a node, {faults} disk faults, {acked} records acked, \
             {fetched} fetched, {forgotten} batches not remembered after a restart; {} runs found something",
            found.len()
        );
        if !found.is_empty() {
            println!("seeds: {found:?}");
        }
    }
}
