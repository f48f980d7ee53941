//! `kafka-consumer-perf-test`: how fast records are read.
//!
//! Kafka's tool joins a group, and counts the time until it has its partitions as `rebalance.time.ms`. This one assigns all
//! partitions to itself; its figure is the time until their positions are known.

use std::time::{Duration, Instant};

use base::ids::Offset;
use client::{AutoOffsetReset, Consumer, ConsumerOptions};

use super::Tool;
use super::topic_filter::TopicFilter;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, apply, block_on, properties};
use crate::console::Console;
use crate::failure::{Result, usage};
use crate::flags::{Arguments, Flags, deprecated, required, switch, value};
use crate::{progress, time};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-consumer-perf-test",
    about: "Measures how fast a consumer reads.",
    flags: Flags::of(&[
        required(BOOTSTRAP),
        value("topic", "String: topic", "The topic to read."),
        value("include", "String: regex", "Read all topics whose whole name matches."),
        value("num-records", "Long: records", "How many records are read."),
        deprecated(value("messages", "Long: records", "How many records are read."), "num-records"),
        value("group", "String: group", "Taken for compatibility; partitions are assigned without a group."),
        value(
            "fetch-size",
            "Integer: bytes",
            "The most bytes of a partition in one answer. (default: 1048576)",
        ),
        value(
            "socket-buffer-size",
            "Integer: bytes",
            "Taken for compatibility; the system's own size is used.",
        ),
        switch(
            "from-latest",
            "Begin with the next record that is written instead of the first that is there.",
        ),
        value("reporting-interval", "Integer: ms", "How often --show-detailed-stats prints. (default: 5000)"),
        switch("show-detailed-stats", "Print a line per interval instead of one in the end."),
        switch("hide-header", "Do not print the names of the columns."),
        value("timeout", "Long: ms", "End when no record came for so long. (default: 10000)"),
        value("date-format", "String: format", "How times are printed. (default: yyyy-MM-dd HH:mm:ss:SSS)"),
        switch("print-metrics", "Taken for compatibility; this client keeps no metrics."),
        COMMAND_CONFIG,
        value("command-property", "String: name=value", "A consumer config; goes before --command-config."),
        deprecated(value("consumer.config", "String: file", "A properties file."), "command-config"),
    ]),
    run,
};

const MB: f64 = 1024.0 * 1024.0;

struct Work {
    topic: Option<String>,
    include: Option<TopicFilter>,
    records: u64,
    timeout: Duration,
    interval: Option<Duration>,
    header: bool,
    date_format: String,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let work = work(arguments)?;
    let options = options(arguments, console)?;
    block_on(async { measure(options, work, console).await })
}

fn work(arguments: &Arguments) -> Result<Work> {
    if arguments.has("topic") == arguments.has("include") {
        return usage("Exactly one of the following arguments is required: [topic], [include]");
    }
    let Some(records) = arguments.parsed("num-records")?.or(arguments.parsed("messages")?) else {
        return usage("Exactly one of the following arguments is required: [num-records], [messages]");
    };
    let interval: u64 = arguments.parsed("reporting-interval")?.unwrap_or(5000);
    if interval == 0 {
        return usage("Reporting interval must be greater than 0.");
    }
    let timeout: u64 = arguments.parsed("timeout")?.unwrap_or(10_000);
    Ok(Work {
        topic: arguments.get("topic").map(str::to_owned),
        include: arguments.get("include").map(TopicFilter::new).transpose()?,
        records,
        timeout: Duration::from_millis(timeout),
        interval: arguments.has("show-detailed-stats").then(|| Duration::from_millis(interval)),
        header: !arguments.has("hide-header"),
        date_format: arguments.get("date-format").unwrap_or("yyyy-MM-dd HH:mm:ss:SSS").to_owned(),
    })
}

fn options(arguments: &Arguments, console: &mut Console) -> Result<ConsumerOptions> {
    let mut options = ConsumerOptions::new("").auto_offset_reset(AutoOffsetReset::Earliest);
    options.client.client_id = "perf-consumer-client".to_owned();
    let mut all = properties(arguments, &["consumer.config", "command-config"], &["command-property"])?;
    all.retain(|(name, _)| name != "group.id");
    for (flag, name) in
        [("bootstrap-server", "bootstrap.servers"), ("fetch-size", "max.partition.fetch.bytes")]
    {
        all.extend(arguments.get(flag).map(|value| (name.to_owned(), value.to_owned())));
    }
    apply(&all, console, |name, value| options.set(name, value))?;
    if arguments.has("from-latest") {
        options.auto_offset_reset = AutoOffsetReset::Latest;
    }
    Ok(options)
}

/// What was read up to a moment.
#[derive(Clone, Copy, Default)]
struct Read {
    records: u64,
    bytes: u64,
}

async fn measure(options: ConsumerOptions, work: Work, console: &mut Console) -> Result<()> {
    if work.header {
        let first = if work.interval.is_some() { "time, threadId" } else { "start.time, end.time" };
        console.line(format_args!(
            "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
             fetch.MB.sec, fetch.nMsg.sec"
        ));
    }
    let mut consumer = options.build().await?;
    let (start, start_ms) = (Instant::now(), time::now_ms());
    assign(&mut consumer, &work).await?;
    let assigned = start.elapsed();
    let read = read(&mut consumer, &work, (start, assigned), console).await?;
    if work.interval.is_none() {
        let elapsed = start.elapsed();
        let dates = [start_ms, time::now_ms()].map(|ms| time::format(ms, &work.date_format));
        console.line(format_args!("{}, {}", dates.join(", "), columns(read, read, elapsed, assigned)));
    }
    Ok(())
}

async fn assign(consumer: &mut Consumer, work: &Work) -> Result<()> {
    let mut partitions = Vec::new();
    if let Some(topic) = &work.topic {
        partitions = consumer.partitions_of(topic).await?;
    } else if let Some(include) = &work.include {
        let answer = consumer.cluster().ask_metadata(None, false).await?;
        for name in
            answer.topics.into_iter().filter_map(|topic| topic.name).filter(|name| include.allows(name))
        {
            partitions.extend(consumer.partitions_of(&name).await?);
        }
    }
    consumer.assign(partitions.clone())?;
    for partition in &partitions {
        let _: Offset = consumer.position(partition).await?;
    }
    Ok(())
}

async fn read(
    consumer: &mut Consumer,
    work: &Work,
    (start, assigned): (Instant, Duration),
    console: &mut Console,
) -> Result<Read> {
    let bar = progress::bar(work.records, "records");
    let mut total = Read::default();
    let mut window = Read::default();
    let mut window_start = start;
    let mut waited_since = Instant::now();
    while total.records < work.records {
        let wait = work.interval.unwrap_or(work.timeout).min(work.timeout);
        let records = consumer.poll(wait).await?;
        if records.is_empty() && waited_since.elapsed() >= work.timeout {
            console.line(format_args!(
                "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use \
                 the --timeout option to increase the timeout.",
                work.timeout.as_millis()
            ));
            break;
        }
        if !records.is_empty() {
            waited_since = Instant::now();
        }
        for record in &records {
            let length = |field: &Option<bytes::Bytes>| field.as_ref().map_or(0, |bytes| bytes.len() as u64);
            total.bytes += length(&record.key) + length(&record.value);
        }
        total.records += records.len() as u64;
        bar.set_position(total.records);
        if let Some(interval) = work.interval.filter(|interval| window_start.elapsed() >= *interval) {
            let new = Read { records: total.records - window.records, bytes: total.bytes - window.bytes };
            let joined = if window_start == start { assigned.min(interval) } else { Duration::ZERO };
            let line = columns(total, new, window_start.elapsed(), joined);
            bar.suspend(|| {
                console.line(format_args!("{}, 0, {line}", time::format(time::now_ms(), &work.date_format)));
                console.flush();
            });
            (window, window_start) = (total, Instant::now());
        }
    }
    bar.finish_and_clear();
    Ok(total)
}

/// The columns after the times: what was read in all, and the rates of a window.
fn columns(total: Read, new: Read, elapsed: Duration, assigned: Duration) -> String {
    let elapsed_ms = elapsed.as_millis() as f64;
    let fetch_ms = (elapsed.as_millis() - assigned.as_millis().min(elapsed.as_millis())) as f64;
    let rate = |amount: f64, ms: f64| if ms > 0.0 { amount / (ms / 1000.0) } else { 0.0 };
    let (mb, records) = (new.bytes as f64 / MB, new.records as f64);
    format!(
        "{:.4}, {:.4}, {}, {:.4}, {}, {fetch_ms}, {:.4}, {:.4}",
        total.bytes as f64 / MB,
        rate(mb, elapsed_ms),
        total.records,
        rate(records, elapsed_ms),
        assigned.as_millis(),
        rate(mb, fetch_ms),
        rate(records, fetch_ms)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_kafkas() {
        let read = Read { records: 1000, bytes: 1024 * 1024 };
        let line = columns(read, read, Duration::from_millis(2000), Duration::from_millis(1000));
        assert_eq!(line, "1.0000, 0.5000, 1000, 500.0000, 1000, 1000, 1.0000, 1000.0000");
    }
}
