//! `kafka-producer-perf-test`: how fast records are acknowledged, and how long each takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Producer, ProducerOptions, Record};
use indicatif::ProgressBar;

use super::Tool;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, apply, block_on, properties};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, deprecated, required, several, switch, value};
use crate::progress;
use crate::statistics::Latencies;

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-producer-perf-test",
    about: "Measures a producer's throughput and the latency of its records.",
    flags: Flags::of(&[
        BOOTSTRAP,
        required(value("topic", "TOPIC", "The topic that the records go to.")),
        required(value("num-records", "NUM-RECORDS", "How many records are sent.")),
        value(
            "record-size",
            "BYTES",
            "Bytes of each record; one of --record-size, --payload-file, --payload-monotonic.",
        ),
        value("payload-file", "FILE", "A text file whose parts are sent, chosen at random."),
        value("payload-delimiter", "TEXT", "What stands between the parts of that file. (default: \\n)"),
        switch("payload-monotonic", "Send the numbers from 0 on."),
        required(value("throughput", "RECORDS", "About so many records a second; -1 for as many as go.")),
        COMMAND_CONFIG,
        several("command-property", "NAME=VALUE", "Producer configs; they go before --command-config."),
        deprecated(value("producer.config", "FILE", "A properties file."), "command-config"),
        deprecated(several("producer-props", "NAME=VALUE", "Producer configs."), "command-property"),
        switch("print-metrics", "Taken for compatibility; this client keeps no metrics."),
        value("transactional-id", "ID", "Not built yet."),
        value("transaction-duration-ms", "MS", "Not built yet."),
        value(
            "warmup-records",
            "RECORDS",
            "So many records at the begin are left out of a second summary. (default: 0)",
        ),
        value("reporting-interval", "MS", "How often a line is printed. (default: 5000)"),
    ]),
    run,
};

struct Work {
    topic: String,
    records: u64,
    payloads: Payloads,
    throughput: f64,
    warmup: u64,
    interval: Duration,
}

/// What is sent.
enum Payloads {
    /// The same random letters every time.
    Random(Bytes),
    /// Parts of a file.
    Parts(Vec<Bytes>),
    /// 0, 1, 2 …
    Monotonic,
}

impl Payloads {
    fn get(&self, number: u64, state: &mut u64) -> Bytes {
        match self {
            Self::Random(bytes) => bytes.clone(),
            Self::Parts(parts) => parts[(next_random(state) % parts.len() as u64) as usize].clone(),
            Self::Monotonic => Bytes::from(number.to_string()),
        }
    }
}

/// A few random bits; the same ones in every run, so that runs can be compared.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let work = work(arguments)?;
    let options = options(arguments, console)?;
    if arguments.has("print-metrics") {
        console.error(format_args!("There are no metrics to print: this client keeps none."));
    }
    if work.warmup > 0 {
        console.line(format_args!(
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            work.warmup
        ));
    }
    block_on(async { measure(options, work, console).await })
}

fn work(arguments: &Arguments) -> Result<Work> {
    if arguments.has("transactional-id") || arguments.has("transaction-duration-ms") {
        return failed("Transactions are not supported yet.");
    }
    let sources = ["record-size", "payload-file", "payload-monotonic"];
    match sources.iter().filter(|source| arguments.has(source)).count() {
        1 => {}
        0 => {
            return usage(
                "one of the arguments --record-size --payload-file --payload-monotonic is required",
            );
        }
        _ => return usage("only one of --record-size --payload-file --payload-monotonic may be there"),
    }
    let records = arguments.parsed("num-records")?.unwrap_or(0);
    let warmup = arguments.parsed("warmup-records")?.unwrap_or(0);
    if warmup >= records && warmup > 0 {
        return usage(
            "The value for --warmup-records must be strictly fewer than the number of records in the test.",
        );
    }
    let interval: u64 = arguments.parsed("reporting-interval")?.unwrap_or(5000);
    if interval == 0 {
        return usage("--reporting-interval should be greater than zero.");
    }
    Ok(Work {
        topic: arguments.get("topic").unwrap_or_default().to_owned(),
        records,
        payloads: payloads(arguments)?,
        throughput: arguments.parsed("throughput")?.unwrap_or(-1.0),
        warmup,
        interval: Duration::from_millis(interval),
    })
}

fn payloads(arguments: &Arguments) -> Result<Payloads> {
    if arguments.has("payload-monotonic") {
        return Ok(Payloads::Monotonic);
    }
    if let Some(size) = arguments.parsed::<usize>("record-size")? {
        if size == 0 {
            return usage("--record-size should be greater than zero.");
        }
        let mut state = 42;
        let letter = |_| b'A' + (next_random(&mut state) % 26) as u8;
        return Ok(Payloads::Random((0..size).map(letter).collect()));
    }
    let file = arguments.get("payload-file").unwrap_or_default();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Error(format!("{file} cannot be read: {error}")))?;
    if text.is_empty() {
        return failed(format!("File does not exist or empty file provided: {file}"));
    }
    let delimiter = arguments.get("payload-delimiter").unwrap_or("\n").replace("\\n", "\n");
    let text = text.strip_suffix(delimiter.as_str()).unwrap_or(&text);
    Ok(Payloads::Parts(
        text.split(delimiter.as_str()).map(|part| Bytes::copy_from_slice(part.as_bytes())).collect(),
    ))
}

fn options(arguments: &Arguments, console: &mut Console) -> Result<ProducerOptions> {
    let mut options = ProducerOptions::new("");
    options.client.client_id = "perf-producer-client".to_owned();
    let mut all = properties(
        arguments,
        &["producer.config", "command-config"],
        &["producer-props", "command-property"],
    )?;
    all.extend(
        arguments.get("bootstrap-server").map(|servers| ("bootstrap.servers".to_owned(), servers.to_owned())),
    );
    apply(&all, console, |name, value| options.set(name, value))?;
    if options.client.bootstrap_servers.is_empty() {
        return usage("--bootstrap-server (or bootstrap.servers as a property) must be specified.");
    }
    Ok(options)
}

/// What callbacks count.
struct Counted {
    total: Latencies,
    steady: Option<Latencies>,
    steady_since: Option<Instant>,
    window: Latencies,
    window_since: Instant,
    warmup: u64,
    interval: Duration,
    /// Lines of windows that are full, not printed yet.
    lines: Vec<String>,
    failures: Vec<String>,
}

impl Counted {
    fn record(&mut self, sent: Instant, bytes: usize) {
        let now = Instant::now();
        let ms = u32::try_from((now - sent).as_millis()).unwrap_or(u32::MAX);
        if self.total.count() >= self.warmup && self.warmup > 0 {
            self.steady_since.get_or_insert(sent);
            if let Some(steady) = &mut self.steady {
                steady.record(ms, bytes);
            }
        }
        self.total.record(ms, bytes);
        self.window.record(ms, bytes);
        let elapsed = now - self.window_since;
        if elapsed >= self.interval {
            self.lines.push(self.window.window_line(elapsed.as_millis() as u64));
            self.window.clear();
            self.window_since = now;
        }
    }
}

async fn measure(options: ProducerOptions, work: Work, console: &mut Console) -> Result<()> {
    let producer = options.build().await?;
    let start = Instant::now();
    let counted = Arc::new(Mutex::new(Counted {
        total: Latencies::new(work.records),
        steady: (work.warmup > 0).then(|| Latencies::new(work.records - work.warmup)),
        steady_since: None,
        window: Latencies::new(work.records),
        window_since: start,
        warmup: work.warmup,
        interval: work.interval,
        lines: Vec::new(),
        failures: Vec::new(),
    }));
    let bar = progress::bar(work.records, "records");
    send_all(&producer, &work, start, &counted, &bar, console).await?;
    producer.flush().await;
    let elapsed = start.elapsed();
    bar.finish_and_clear();
    print_lines(&counted, &bar, console);
    print_totals(&counted, elapsed, console);
    producer.close().await?;
    Ok(())
}

fn print_totals(counted: &Mutex<Counted>, elapsed: Duration, console: &mut Console) {
    let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
    console.line(format_args!("{}", counted.total.total_line(elapsed.as_millis() as u64, "records")));
    if let (Some(steady), Some(since)) = (&counted.steady, counted.steady_since) {
        let line = steady.total_line(since.elapsed().as_millis() as u64, "steady state records");
        console.line(format_args!("{line}"));
    }
}

async fn send_all(
    producer: &Producer,
    work: &Work,
    start: Instant,
    counted: &Arc<Mutex<Counted>>,
    bar: &ProgressBar,
    console: &mut Console,
) -> Result<()> {
    let topic: Arc<str> = work.topic.as_str().into();
    let mut random = 42;
    for number in 0..work.records {
        let payload = work.payloads.get(number, &mut random);
        let size = payload.len();
        let record = Record::new(topic.clone()).value(payload);
        let (counted, sent) = (counted.clone(), Instant::now());
        let on_delivery = {
            let counted = counted.clone();
            move |delivered: client::error::Result<_>| {
                let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
                match delivered {
                    Ok(_) => counted.record(sent, size),
                    Err(error) => counted.failures.push(error.to_string()),
                }
            }
        };
        producer.send_then(record, on_delivery).await?;
        if number % 1024 == 0 {
            print_lines(&counted, bar, console);
            bar.set_position(number);
        }
        throttle(work.throughput, number + 1, start).await;
    }
    Ok(())
}

/// Waits when more was sent than the throughput allows.
async fn throttle(throughput: f64, sent: u64, start: Instant) {
    if throughput <= 0.0 {
        return;
    }
    let due = Duration::from_secs_f64(sent as f64 / throughput);
    let ahead = due.saturating_sub(start.elapsed());
    // Shorter waits than the timer's step would only cost switches.
    if ahead > Duration::from_millis(2) {
        tokio::time::sleep(ahead).await;
    }
}

fn print_lines(counted: &Mutex<Counted>, bar: &ProgressBar, console: &mut Console) {
    let (lines, failures) = {
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut counted.lines), std::mem::take(&mut counted.failures))
    };
    if lines.is_empty() && failures.is_empty() {
        return;
    }
    bar.suspend(|| {
        lines.iter().for_each(|line| console.line(format_args!("{line}")));
        failures.iter().for_each(|line| console.error(format_args!("{line}")));
        console.flush();
    });
}
