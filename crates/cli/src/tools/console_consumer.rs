//! `kafka-console-consumer`: records of topics to standard output.
//!
//! Kafka's tool joins a group of a random name; this one reads all partitions of the topics by assignment, which gives the
//! same records to a single reader.

use std::time::Duration;

use base::ids::Offset;
use client::{AutoOffsetReset, Consumer, ConsumerOptions, ConsumerRecord, TopicPartition};
use protocol::api::ApiKey;
use tokio::time::Instant;

use super::Tool;
use super::formatter::Formatter;
use super::topic_filter::TopicFilter;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, apply, block_on, properties, split_property};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, deprecated, required, switch, value};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-console-consumer",
    about: "Reads records of topics and writes them to standard output.",
    flags: Flags::of(&[
        required(BOOTSTRAP),
        value("topic", "String: topic", "The topic to read."),
        value(
            "include",
            "String: regex",
            "Read all topics whose whole name matches this regular expression.",
        ),
        value(
            "partition",
            "Integer: partition",
            "Read this partition alone; from its end unless --offset says otherwise.",
        ),
        value(
            "offset",
            "String: offset",
            "Where to begin in the partition: a number, earliest or latest. (default: latest)",
        ),
        switch(
            "from-beginning",
            "Begin with the first record that is there instead of the next that is written.",
        ),
        value("max-messages", "Integer: records", "End after so many records."),
        value("timeout-ms", "Long: ms", "End when no record came for so long."),
        value("group", "String: group", "The consumer group to read in; needs a server with groups."),
        value("isolation-level", "String", "read_committed or read_uncommitted. (default: read_uncommitted)"),
        COMMAND_CONFIG,
        value("command-property", "String: name=value", "A consumer config; goes before --command-config."),
        deprecated(value("consumer.config", "String: file", "A properties file."), "command-config"),
        deprecated(
            value("consumer-property", "String: name=value", "A consumer config."),
            "command-property",
        ),
        value(
            "formatter",
            "String: class",
            "DefaultMessageFormatter, LoggingMessageFormatter or NoOpMessageFormatter.",
        ),
        value(
            "formatter-property",
            "String: name=value",
            "How records are printed: print.timestamp, print.key, print.offset, print.epoch, print.partition, \
             print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, \
             key.deserializer, value.deserializer, header.deserializer.",
        ),
        value("formatter-config", "String: file", "A properties file with these."),
        deprecated(value("property", "String: name=value", "How records are printed."), "formatter-property"),
        value(
            "key-deserializer",
            "String: class",
            "How keys become text: StringDeserializer, LongDeserializer …",
        ),
        value("value-deserializer", "String: class", "The same for values."),
        switch("skip-message-on-error", "Go on after a record that cannot be printed."),
        switch("enable-systest-events", "Taken for compatibility; there are no such events here."),
    ]),
    run,
};

/// What is read, and for how long.
struct Work {
    topic: Option<String>,
    include: Option<TopicFilter>,
    partition: Option<i32>,
    begin: Begin,
    max_messages: Option<u64>,
    timeout: Option<Duration>,
    skip_errors: bool,
    formatter: Formatter,
}

/// Where a partition is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Earliest,
    Latest,
    At(i64),
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let work = work(arguments)?;
    let options = options(arguments, console)?;
    block_on(async {
        let mut consumer = options.build().await?;
        if arguments.has("group") {
            return refuse_group(&consumer).await;
        }
        begin(&mut consumer, &work).await?;
        let mut count = 0;
        let done = tokio::select! {
            done = print(&mut consumer, &work, &mut count, console) => done,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        console.flush();
        console.error(format_args!("Processed a total of {count} messages"));
        done
    })
}

fn work(arguments: &Arguments) -> Result<Work> {
    if arguments.has("topic") == arguments.has("include") {
        return usage("Exactly one of the following arguments is required: [topic], [include]");
    }
    let partition: Option<i32> = arguments.parsed("partition")?;
    if partition.is_some() && !arguments.has("topic") {
        return usage("The topic is required when partition is specified.");
    }
    if partition.is_none() && arguments.has("offset") {
        return usage("The partition is required when offset is specified.");
    }
    if arguments.has("from-beginning") && arguments.has("offset") {
        return usage("Options from-beginning and offset cannot be specified together.");
    }
    if arguments.has("group") && partition.is_some() {
        return usage("Options group and partition cannot be specified together.");
    }
    let timeout_ms: Option<u64> = arguments.parsed("timeout-ms")?;
    Ok(Work {
        topic: arguments.get("topic").map(str::to_owned),
        include: arguments.get("include").map(TopicFilter::new).transpose()?,
        partition,
        begin: begin_of(arguments)?,
        max_messages: arguments.parsed::<i64>("max-messages")?.and_then(|count| u64::try_from(count).ok()),
        timeout: timeout_ms.map(Duration::from_millis),
        skip_errors: arguments.has("skip-message-on-error"),
        formatter: formatter(arguments)?,
    })
}

fn begin_of(arguments: &Arguments) -> Result<Begin> {
    let Some(text) = arguments.get("offset") else {
        return Ok(if arguments.has("from-beginning") { Begin::Earliest } else { Begin::Latest });
    };
    match text.to_lowercase().as_str() {
        "earliest" => Ok(Begin::Earliest),
        "latest" => Ok(Begin::Latest),
        number => match number.parse::<i64>() {
            Ok(offset) if offset >= 0 => Ok(Begin::At(offset)),
            _ => usage(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            )),
        },
    }
}

fn formatter(arguments: &Arguments) -> Result<Formatter> {
    let mut formatting = properties(arguments, &["formatter-config"], &[])?;
    for flag in ["property", "formatter-property"] {
        formatting.extend(arguments.each(flag).map(split_property).collect::<Result<Vec<_>>>()?);
    }
    for flag in ["key", "value"] {
        let class = arguments.get(&format!("{flag}-deserializer"));
        formatting.extend(class.map(|class| (format!("{flag}.deserializer"), class.to_owned())));
    }
    Formatter::new(arguments.get("formatter").unwrap_or("DefaultMessageFormatter"), &formatting)
}

fn options(arguments: &Arguments, console: &mut Console) -> Result<ConsumerOptions> {
    let mut options = ConsumerOptions::new("");
    options.client.client_id = "console-consumer".to_owned();
    let mut all = properties(
        arguments,
        &["consumer.config", "command-config"],
        &["consumer-property", "command-property"],
    )?;
    // Kafka's tool makes up a group where there is none, and so overrides what the file says.
    all.retain(|(name, _)| name != "group.id");
    for (flag, name) in [("bootstrap-server", "bootstrap.servers"), ("isolation-level", "isolation.level")] {
        all.extend(arguments.get(flag).map(|value| (name.to_owned(), value.to_owned())));
    }
    apply(&all, console, |name, value| options.set(name, value))?;
    if arguments.has("from-beginning") {
        options.auto_offset_reset = AutoOffsetReset::Earliest;
    }
    Ok(options)
}

async fn refuse_group(consumer: &Consumer) -> Result<()> {
    let connection = consumer.cluster().any_connection().await?;
    if connection.versions(ApiKey::FIND_COORDINATOR).is_none() {
        return failed("Groups are not supported by this server. Without --group all partitions are read.");
    }
    failed("Groups are not supported by this tool yet. Without --group all partitions are read.")
}

/// Assigns the partitions and says where each begins.
async fn begin(consumer: &mut Consumer, work: &Work) -> Result<()> {
    let mut partitions = Vec::new();
    if let Some(topic) = &work.topic {
        let deadline = Instant::now() + consumer.cluster().options().api_timeout;
        let found = consumer.cluster().topic(topic, true, deadline).await?;
        let wanted = found.partitions.iter().map(|row| row.index);
        let wanted = wanted.filter(|index| work.partition.is_none_or(|only| only == index.0));
        partitions.extend(wanted.map(|index| TopicPartition { topic: found.name.clone(), partition: index }));
        if let (Some(partition), true) = (work.partition, partitions.is_empty()) {
            return failed(format!(
                "Partition {partition} of topic {topic} does not exist: it has {} partitions.",
                found.partitions.len()
            ));
        }
    } else if let Some(include) = &work.include {
        let answer = consumer.cluster().ask_metadata(None, false).await?;
        let names =
            answer.topics.into_iter().filter(|topic| !topic.is_internal).filter_map(|topic| topic.name);
        for name in names.filter(|name| include.allows(name)) {
            partitions.extend(consumer.partitions_of(&name).await?);
        }
    }
    consumer.assign(partitions.clone())?;
    match work.begin {
        Begin::Earliest => consumer.seek_to_beginning(&[])?,
        Begin::Latest => consumer.seek_to_end(&[])?,
        Begin::At(offset) => {
            partitions.iter().try_for_each(|partition| consumer.seek(partition, Offset(offset)))?;
        }
    }
    Ok(())
}

async fn print(consumer: &mut Consumer, work: &Work, count: &mut u64, console: &mut Console) -> Result<()> {
    let left = |count: u64| work.max_messages.is_none_or(|most| count < most);
    while left(*count) && !console.is_closed() {
        let records = consumer.poll(work.timeout.unwrap_or(Duration::MAX)).await?;
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            if !left(*count) {
                break;
            }
            *count += 1;
            print_record(&record, work, console)?;
        }
        console.flush();
    }
    Ok(())
}

fn print_record(record: &ConsumerRecord, work: &Work, console: &mut Console) -> Result<()> {
    let mut text = Vec::new();
    match work.formatter.append(record, &mut text) {
        Ok(()) => console.data(&text),
        Err(Failure::Error(error)) if work.skip_errors => {
            console.error(format_args!("Error processing message, skipping this message: {error}"));
        }
        Err(error) => return Err(error.within("Error processing message, terminating consumer process: ")),
    }
    Ok(())
}
