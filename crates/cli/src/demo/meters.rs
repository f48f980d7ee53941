//! Smart meters: readings are produced, each house's load is summed, and who draws more than 2 kW gets an SMS.
//!
//! ```text
//! population (seeded) ──► producer, key = house ──► topic ──► consumer: last reading per meter, sum per house ──► SMS
//!        └────────── the alerts that must come, computed from the seed alone ──────────► compared at the end
//! ```
//! All readings of a house have its number as key, so they stand in one partition in the order in which they were sent; so
//! what the consumer finds is exact, not approximate.

mod population;
mod watch;

use std::time::{Duration, Instant};

use base::error_code::ErrorCode;
use client::admin::NewTopic;
use client::{Admin, AutoOffsetReset, ClientOptions, Consumer, Error, Producer, Record};

use crate::configuration::block_on;
use crate::console::Console;
use crate::failure::{Failure, Result, usage};
use crate::flags::{Arguments, Flags, switch, value};
use crate::{progress, time};
use population::{Alert, Population};
use watch::{Reading, Watch};

/// What a run is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the cluster is.
    pub bootstrap_server: String,
    /// How many meters there are.
    pub meters: u32,
    /// How often each of them reads.
    pub readings: u32,
    /// Readings a second, of all meters together; as fast as it goes when absent.
    pub rate: Option<u32>,
    /// The same seed, the same readings.
    pub seed: u64,
    /// Above this a house gets its SMS.
    pub limit_watts: u32,
    /// The topic; made when it does not exist.
    pub topic: String,
    /// Its partitions when it is made.
    pub partitions: i32,
}

impl Options {
    /// 50,000 meters that read four times in eight seconds.
    pub fn new(bootstrap_server: impl Into<String>) -> Self {
        Self {
            bootstrap_server: bootstrap_server.into(),
            meters: 50_000,
            readings: 4,
            rate: Some(25_000),
            seed: 2000,
            limit_watts: 2000,
            topic: "meter-readings".to_owned(),
            partitions: 4,
        }
    }
}

const FLAGS: Flags = Flags::of(&[
    value("bootstrap-server", "host:port", "A cluster; without one the demo brings its own node."),
    value("meters", "NUMBER", "How many meters. (default: 50000)"),
    value("readings", "NUMBER", "How often each of them reads. (default: 4)"),
    value("rate", "NUMBER", "Readings a second in all; 0 for as fast as it goes. (default: 25000)"),
    value("seed", "NUMBER", "The same seed, the same readings. (default: 2000)"),
    value("limit-watts", "WATTS", "Above this a house gets an SMS. (default: 2000)"),
    value("topic", "NAME", "The topic; made when it does not exist. (default: meter-readings)"),
    value("partitions", "NUMBER", "Its partitions when it is made. (default: 4)"),
    switch("quiet", "Print the summary only."),
]);

/// Time without a single reading after which the demo gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// `demo meters …`: gives the exit code, 0 when what was found is what had to be found.
pub fn main(arguments: &[String]) -> u8 {
    let mut console = Console::standard();
    let code = match read_arguments(arguments) {
        Ok((options, quiet)) => run(&options, quiet, &mut console),
        Err(Failure::Usage(text)) => {
            console.error(format_args!("{text}"));
            console.error(format_args!("{}", FLAGS.help().trim_end()));
            1
        }
        Err(Failure::Error(text)) => {
            console.error(format_args!("{text}"));
            1
        }
        Err(Failure::Said) => 1,
    };
    console.flush();
    code
}

fn read_arguments(arguments: &[String]) -> Result<(Options, bool)> {
    let parsed: Arguments = FLAGS.parse("demo meters", arguments)?;
    if parsed.has("help") {
        return usage("Smart meters produce readings; houses that draw more than 2 kW get an SMS.");
    }
    let Some(server) = parsed.get("bootstrap-server") else {
        return usage("Missing required argument \"[bootstrap-server]\"");
    };
    let mut options = Options::new(server);
    options.meters = parsed.parsed("meters")?.unwrap_or(options.meters);
    options.readings = parsed.parsed("readings")?.unwrap_or(options.readings);
    options.rate = parsed.parsed("rate")?.or(options.rate).filter(|rate| *rate > 0);
    options.seed = parsed.parsed("seed")?.unwrap_or(options.seed);
    options.limit_watts = parsed.parsed("limit-watts")?.unwrap_or(options.limit_watts);
    options.topic = parsed.get("topic").map_or(options.topic, str::to_owned);
    options.partitions = parsed.parsed("partitions")?.unwrap_or(options.partitions);
    if options.meters == 0 || options.readings == 0 {
        return usage("There must be meters, and they must read.");
    }
    Ok((options, parsed.has("quiet")))
}

/// Runs the demo to its end; gives the exit code. `quiet` leaves out the SMS lines.
pub fn run(options: &Options, quiet: bool, console: &mut Console) -> u8 {
    match block_on(async { meters(options, quiet, console).await }) {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(failure) => {
            if let Failure::Error(text) | Failure::Usage(text) = failure {
                console.error(format_args!("{text}"));
            }
            1
        }
    }
}

/// What one run shares: clocks and numbers.
#[derive(Clone)]
struct Run {
    id: u64,
    start: Instant,
    population: std::sync::Arc<Population>,
    options: Options,
}

async fn meters(options: &Options, quiet: bool, console: &mut Console) -> Result<bool> {
    make_topic(options).await?;
    let mut consumer = Consumer::builder(&options.bootstrap_server)
        .auto_offset_reset(AutoOffsetReset::Latest)
        .max_poll_records(5000);
    consumer.client.client_id = "demo-meters".to_owned();
    let mut consumer = consumer.build().await?;
    let partitions = consumer.partitions_of(&options.topic).await?;
    consumer.assign(partitions.clone())?;
    // Only what is sent from here on counts, so it must be known where "here" is before the first reading.
    for partition in &partitions {
        consumer.position(partition).await?;
    }
    let producer = Producer::builder(&options.bootstrap_server).linger(Duration::from_millis(2));
    let producer = producer.client_id("demo-meters").build().await?;
    let run = Run {
        id: u64::try_from(time::now_ms()).unwrap_or(0),
        start: Instant::now(),
        population: std::sync::Arc::new(Population::new(options.seed, options.meters)),
        options: options.clone(),
    };
    let sending = tokio::spawn(send(producer, run.clone()));
    let (watch, mut latencies) = receive(&mut consumer, &run, quiet, console).await?;
    let elapsed = run.start.elapsed();
    let sent = sending.await.map_err(|error| Failure::Error(error.to_string()))?;
    sent?;
    Ok(summarise(&run, &watch, &mut latencies, elapsed, console))
}

async fn make_topic(options: &Options) -> Result<()> {
    let admin = Admin::connect(ClientOptions::new(&options.bootstrap_server)).await?;
    let topic = NewTopic::new(&options.topic).partitions(options.partitions);
    match admin.create_topics(&[topic], false).await?.remove(0) {
        Ok(_) | Err(Error::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sends all readings, round by round, as fast as the rate allows.
async fn send(producer: Producer, run: Run) -> std::result::Result<(), Error> {
    let failure = std::sync::Arc::new(std::sync::Mutex::new(None));
    let topic: std::sync::Arc<str> = run.options.topic.as_str().into();
    let mut sent: u64 = 0;
    for round in 0..run.options.readings {
        for meter in 0..run.population.meters() {
            let watts = run.population.watts(meter, round, run.options.readings);
            let sent_us = run.start.elapsed().as_micros() as u64;
            let reading = Reading { run: run.id, meter, round, watts, sent_us };
            let house = run.population.house_of(meter).to_string();
            let record = Record::new(topic.clone()).key(house).value(reading.to_json());
            let failure = failure.clone();
            let delivered = move |result: client::error::Result<_>| {
                if let Err(error) = result {
                    *failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                }
            };
            producer.send_then(record, delivered).await?;
            sent += 1;
            pace(&run, sent).await;
        }
    }
    producer.close().await?;
    let failure = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    failure.map_or(Ok(()), Err)
}

/// Waits when more was sent than the rate allows, a few milliseconds' worth at a time.
async fn pace(run: &Run, sent: u64) {
    let Some(rate) = run.options.rate else { return };
    let due = Duration::from_micros(sent * 1_000_000 / u64::from(rate));
    let ahead = due.saturating_sub(run.start.elapsed());
    if ahead > Duration::from_millis(2) {
        tokio::time::sleep(ahead).await;
    }
}

/// Takes readings until all are there; gives what was found, and how long each was under way in microseconds.
async fn receive(
    consumer: &mut Consumer,
    run: &Run,
    quiet: bool,
    console: &mut Console,
) -> Result<(Watch, Vec<u32>)> {
    let all = u64::from(run.population.meters()) * u64::from(run.options.readings);
    let bar = progress::bar(all, "readings");
    let mut watch = Watch::new(run.options.limit_watts);
    let mut latencies = Vec::with_capacity(all as usize);
    while watch.readings() < all {
        let records = consumer.poll(PATIENCE).await?;
        if records.is_empty() {
            console.error(format_args!("No reading came for {} s.", PATIENCE.as_secs()));
            break;
        }
        let now_us = run.start.elapsed().as_micros() as u64;
        for record in records {
            let reading = record.value.as_deref().and_then(Reading::from_json);
            let Some(reading) = reading.filter(|reading| reading.run == run.id) else { continue };
            if reading.meter >= run.population.meters() {
                continue;
            }
            latencies.push(u32::try_from(now_us.saturating_sub(reading.sent_us)).unwrap_or(u32::MAX));
            let house = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()?.parse().ok());
            let alert = house.and_then(|house| watch.take(house, reading));
            if let Some(alert) = alert.filter(|_| !quiet) {
                bar.suspend(|| console.line(format_args!("{}", sms(&alert, run))));
            }
        }
        bar.set_position(watch.readings());
        console.flush();
    }
    bar.finish_and_clear();
    Ok((watch, latencies))
}

fn sms(alert: &Alert, run: &Run) -> String {
    let meters = run.population.meters_of(alert.house).len();
    let on = if meters == 1 { "1 meter".to_owned() } else { format!("{meters} meters") };
    let limit = f64::from(run.options.limit_watts) / 1000.0;
    format!(
        "SMS to house {}: you draw {:.2} kW on {on}, more than {limit} kW.",
        alert.house,
        f64::from(alert.watts) / 1000.0
    )
}

/// Prints what came, and whether it is what had to come.
fn summarise(
    run: &Run,
    watch: &Watch,
    latencies: &mut [u32],
    elapsed: Duration,
    console: &mut Console,
) -> bool {
    let all = u64::from(run.population.meters()) * u64::from(run.options.readings);
    let expected = run.population.expected(run.options.readings, run.options.limit_watts);
    let found = watch.alerts();
    latencies.sort_unstable();
    console.line(format_args!(
        "{} of {all} readings of {} meters in {} houses came in {:.1} s, {:.0} a second.",
        watch.readings(),
        run.population.meters(),
        run.population.houses(),
        elapsed.as_secs_f64(),
        watch.readings() as f64 / elapsed.as_secs_f64()
    ));
    console.line(format_args!(
        "End-to-end latency: {} ms 50th, {} ms 95th, {} ms 99th, {} ms 99.9th, {} ms max.",
        at(latencies, 500),
        at(latencies, 950),
        at(latencies, 990),
        at(latencies, 999),
        at(latencies, 1000)
    ));
    let right = watch.readings() == all && watch.disorder() == 0 && found == expected;
    if right {
        console.line(format_args!("{} houses got an SMS: exactly those that had to.", found.len()));
    } else {
        let missing = expected.iter().filter(|alert| !found.contains(alert)).count();
        let wrong = found.iter().filter(|alert| !expected.contains(alert)).count();
        console.error(format_args!(
            "WRONG: {} alerts expected, {} found, {missing} missing or different, {wrong} that should not be; {} readings \
             twice or out of order.",
            expected.len(),
            found.len(),
            watch.disorder()
        ));
    }
    right
}

/// A percentile in milliseconds, in thousandths of all.
fn at(sorted: &[u32], thousandths: usize) -> String {
    let place = (sorted.len() * thousandths / 1000).min(sorted.len().saturating_sub(1));
    format!("{:.1}", f64::from(sorted.get(place).copied().unwrap_or(0)) / 1000.0)
}
