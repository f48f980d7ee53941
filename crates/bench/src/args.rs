//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::broker::Contender;
use crate::load::{EndToEnd, Extent, Fetch, Load, Produce};

/// Measures brokers against each other and against the machine.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Batches of 1 KiB records into a running broker, acks=1.
    Produce(ProduceArguments),
    /// Data that was just written out of a running broker, 1 partition, 1 connection.
    Fetch(FetchArguments),
    /// Send to arrival at a steady rate, through a running broker.
    EndToEnd(EndToEndArguments),
    /// From the start of an empty node to the ack of its first produce.
    Start(StartArguments),
    /// Starts, clean and after kill -9, of a broker that holds much, and the table of goals.
    Starts(StartsArguments),
    /// Memory and CPU of a process that has nothing to do.
    Idle(IdleArguments),
    /// Two brokers and the machine's limit by turns, and the table of goals.
    Compare(CompareArguments),
    /// The bare loop of system calls; ends when its standard input does.
    Limit(LimitArguments),
}

/// A broker that runs already.
#[derive(Debug, Args)]
pub struct Target {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9092", value_parser = address)]
    pub address: SocketAddr,
    /// Its process id: its CPU time is shown too.
    #[arg(long)]
    pub pid: Option<u32>,
    /// How often the load runs; each run has a new topic.
    #[arg(long, default_value_t = 3)]
    pub passes: u32,
    /// How long each run lasts.
    #[arg(long, default_value = "3", value_parser = seconds, value_name = "SECONDS")]
    pub seconds: Duration,
}

/// `bench produce`
#[derive(Debug, Args)]
pub struct ProduceArguments {
    /// The broker.
    #[command(flatten)]
    pub target: Target,
    /// Records in a batch, one batch in a request.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub records: u32,
    /// Connections.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub connections: u32,
    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub in_flight: u32,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub partitions: u32,
    /// On disk before the ack: the topic has flush.messages=1.
    #[arg(long)]
    pub durable: bool,
}

/// `bench fetch`
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// The broker.
    #[command(flatten)]
    pub target: Target,
    /// Records in a batch of the log.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub records: u32,
    /// Megabytes in the log.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    pub log_mb: u64,
}

/// `bench end-to-end`
#[derive(Debug, Args)]
pub struct EndToEndArguments {
    /// The broker.
    #[command(flatten)]
    pub target: Target,
    /// Records a second.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
}

/// `bench start`
#[derive(Debug, Args)]
pub struct StartArguments {
    /// NAME=COMMAND with {dir}, {port}, {properties}, or NAME=oracle:SCRIPT.
    pub contender: Contender,
    /// How often.
    #[arg(long, default_value_t = 5)]
    pub passes: u32,
    /// Where the directories are made.
    #[arg(long, default_value = "target/bench-data")]
    pub dir: PathBuf,
}

/// `bench starts`
#[derive(Debug, Args)]
pub struct StartsArguments {
    /// The one that is judged, in the forms of `bench compare`.
    #[arg(long)]
    pub a: Contender,
    /// The one it is compared with, in the same forms.
    #[arg(long)]
    pub b: Option<Contender>,
    /// Starts of each kind.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Partitions, 1,000 to a topic.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(i32).range(1..=200_000))]
    pub partitions: i32,
    /// Nothing is written to the partitions before the starts; else each gets a batch.
    #[arg(long)]
    pub empty: bool,
    /// Megabytes in ten partitions when the process is killed under load; 0 leaves this out.
    #[arg(long, default_value_t = 4000)]
    pub load_mb: u64,
    /// Without the starts of many partitions.
    #[arg(long)]
    pub only_load: bool,
    /// Where data directories are made.
    #[arg(long, default_value = "target/bench-data")]
    pub dir: PathBuf,
}

/// `bench idle`
#[derive(Debug, Args)]
pub struct IdleArguments {
    /// The process.
    #[arg(long)]
    pub pid: u32,
    /// How long to look.
    #[arg(long, default_value = "5", value_parser = seconds, value_name = "SECONDS")]
    pub seconds: Duration,
}

/// `bench limit`
#[derive(Debug, Args)]
pub struct LimitArguments {
    /// Where to listen.
    #[arg(value_parser = address)]
    pub address: SocketAddr,
    /// Where the files go; must exist.
    pub dir: PathBuf,
}

/// `bench compare`
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// The one that is judged: NAME=COMMAND with {dir}, {port}, {properties} (a program alone is called
    /// `PROGRAM server {properties}`), or NAME=oracle:SCRIPT.
    #[arg(long)]
    pub a: Contender,
    /// The one it is compared with, in the same forms.
    #[arg(long)]
    pub b: Option<Contender>,
    /// Rounds that warm up and are not counted.
    #[arg(long, default_value_t = 2)]
    pub warm: u32,
    /// Rounds that are counted.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long each load runs in a round.
    #[arg(long, default_value = "3", value_parser = seconds, value_name = "SECONDS")]
    pub seconds: Duration,
    /// How long to look at idle brokers.
    #[arg(long, default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub idle_seconds: Duration,
    /// How often the judged one is started on an empty directory.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub starts: u32,
    /// Only these loads, by name; those of the log (cold-fetch, cold-beside, compaction, retention) run only so.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Without the machine's limit.
    #[arg(long)]
    pub no_limit: bool,
    /// Where data directories are made, all on one disk.
    #[arg(long, default_value = "target/bench-data")]
    pub dir: PathBuf,
}

impl ProduceArguments {
    /// The load that is asked for.
    pub fn load(&self) -> Load {
        Load::Produce(Produce {
            records: self.records,
            connections: self.connections,
            in_flight: self.in_flight,
            partitions: self.partitions,
            durable: self.durable,
            duration: self.target.seconds,
            bytes_max: u64::MAX,
        })
    }
}

impl FetchArguments {
    /// The load that is asked for.
    pub fn load(&self) -> Load {
        let log_bytes = self.log_mb * 1_000_000;
        Load::Fetch(Fetch { log_bytes, records: self.records, extent: Extent::Again(self.target.seconds) })
    }
}

impl EndToEndArguments {
    /// The load that is asked for.
    pub fn load(&self) -> Load {
        Load::EndToEnd(EndToEnd { rate: self.rate, duration: self.target.seconds })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, above 0 and up to 3600".to_owned()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| "no such host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map(|arguments| arguments.command).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_becomes_a_load() {
        let check = |line: &str, expect: &str| {
            let load = match parse(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
                Command::Produce(arguments) => arguments.load(),
                Command::Fetch(arguments) => arguments.load(),
                Command::EndToEnd(arguments) => arguments.load(),
                other => panic!("{line}: {other:?}"),
            };
            let found = match load {
                Load::Produce(load) => format!(
                    "{}×{}×{} on {} {} {:?}",
                    load.records,
                    load.connections,
                    load.in_flight,
                    load.partitions,
                    load.durable,
                    load.duration
                ),
                Load::Fetch(load) => format!("{} of {} {:?}", load.log_bytes, load.records, load.extent),
                Load::EndToEnd(load) => format!("{}/s {:?}", load.rate, load.duration),
                other => panic!("{line}: {other:?}"),
            };
            assert_eq!(found, expect, "{line}");
        };
        check("produce", "128×1×5 on 1 false 3s");
        check(
            "produce --records 1 --connections 32 --partitions 4 --durable --seconds 0.5",
            "1×32×5 on 4 true 500ms",
        );
        check("fetch --log-mb 64", "64000000 of 128 Again(3s)");
        check("end-to-end --rate 500 --seconds 2", "500/s 2s");
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let check = |line: &str, expect: &str| {
            let error = parse(line).expect_err(line);
            assert!(error.contains(expect), "{line}: {error}");
        };
        check("", "Usage");
        check("produce --seconds 0", "expected seconds");
        check("produce --seconds soon", "expected seconds");
        check("produce --in-flight 0", "in-flight");
        check("produce --records 0", "records");
        check("produce --address nowhere", "address");
        check("compare", "--a");
        check("compare --a ottla", "NAME=COMMAND");
        check("compare --a o=x --rounds 0", "rounds");
    }

    #[test]
    fn a_comparison_names_its_contenders() {
        let line = "compare --a ottla=./ottla --b kafka=oracle:./apache-kafka --only fetch,produce-1k";
        let Ok(Command::Compare(compare)) = parse(line) else { panic!("{line}") };
        assert_eq!(compare.a.name, "ottla");
        assert_eq!(compare.b.map(|b| b.name).as_deref(), Some("kafka"));
        assert_eq!(compare.only, ["fetch", "produce-1k"]);
        assert_eq!((compare.warm, compare.rounds), (2, 3));
    }
}
