//! `kafka-console-producer`: lines of standard input become records.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client::{Producer, ProducerOptions};

use super::Tool;
use super::line_reader::LineReader;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, apply, block_on, properties, split_property};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flag, Flags, Takes, deprecated, required, switch, value};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-console-producer",
    about: "Reads lines from standard input and writes each as a record to a topic.",
    flags: Flags::of(&[
        BOOTSTRAP,
        deprecated(value("broker-list", "String: host:port,…", "Brokers to ask."), "bootstrap-server"),
        required(value("topic", "String: topic", "The topic that the records go to.")),
        COMMAND_CONFIG,
        value("command-property", "String: name=value", "A producer config; goes before --command-config."),
        deprecated(value("producer.config", "String: file", "A properties file."), "command-config"),
        deprecated(
            value("producer-property", "String: name=value", "A producer config."),
            "command-property",
        ),
        switch("sync", "Wait for each record's acknowledgement before the next is sent."),
        Flag {
            takes: Takes::Optional("String: codec"),
            ..switch("compression-codec", "none, gzip, snappy, lz4 or zstd; gzip when no codec follows.")
        },
        value("batch-size", "Integer: bytes", "Bytes of a batch. (default: 16384)"),
        value("message-send-max-retries", "Integer", "How often a batch is sent again. (default: 3)"),
        value("retry-backoff-ms", "Long: ms", "The wait before that. (default: 100)"),
        value("timeout", "Long: ms", "How long a batch waits for more records. (default: 1000)"),
        value("request-required-acks", "String: acks", "0, 1, or -1 for all replicas in sync. (default: -1)"),
        value("request-timeout-ms", "Integer: ms", "How long the leader may take. (default: 1500)"),
        value("metadata-expiry-ms", "Long: ms", "How old metadata may become. (default: 300000)"),
        value(
            "max-block-ms",
            "Long: ms",
            "How long a record waits for memory and metadata. (default: 60000)",
        ),
        value("max-memory-bytes", "Long: bytes", "Memory for records that wait. (default: 33554432)"),
        deprecated(value("max-partition-memory-bytes", "Integer: bytes", "Bytes of a batch."), "batch-size"),
        value(
            "socket-buffer-size",
            "Integer: bytes",
            "Taken for compatibility; the system's own size is used.",
        ),
        value("line-reader", "String: class", "Only org.apache.kafka.tools.LineMessageReader."),
        value(
            "reader-property",
            "String: name=value",
            "How lines are read: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, \
             headers.key.separator, null.marker, ignore.error.",
        ),
        value("reader-config", "String: file", "A properties file with these."),
        deprecated(value("property", "String: name=value", "How lines are read."), "reader-property"),
    ]),
    run,
};

/// Kafka's name of the only line reader there is.
const LINE_READER: &str = "LineMessageReader";

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let topic = arguments.get("topic").unwrap_or_default();
    if !arguments.has("bootstrap-server") && !arguments.has("broker-list") {
        return usage("Error while validating the bootstrap address\n");
    }
    if let Some(class) = arguments.get("line-reader").filter(|class| !class.ends_with(LINE_READER)) {
        return failed(format!("The line reader {class} is not supported; there is only {LINE_READER}."));
    }
    let mut reading = properties(arguments, &["reader-config"], &[])?;
    for flag in ["property", "reader-property"] {
        reading.extend(arguments.each(flag).map(split_property).collect::<Result<Vec<_>>>()?);
    }
    let mut reader = LineReader::new(topic, &reading)?;
    let options = options(arguments, console)?;
    block_on(async {
        let producer = options.build().await?;
        let sent = send_lines(&producer, &mut reader, arguments.has("sync"), console).await;
        producer.close().await?;
        sent
    })
}

fn options(arguments: &Arguments, console: &mut Console) -> Result<ProducerOptions> {
    let mut options = ProducerOptions::new("");
    options.retries = 3;
    options.linger = Duration::from_millis(1000);
    options.client.client_id = "console-producer".to_owned();
    let mut all = properties(
        arguments,
        &["producer.config", "command-config"],
        &["producer-property", "command-property"],
    )?;
    let flags = [
        ("broker-list", "bootstrap.servers"),
        ("bootstrap-server", "bootstrap.servers"),
        ("batch-size", "batch.size"),
        ("max-partition-memory-bytes", "batch.size"),
        ("message-send-max-retries", "retries"),
        ("retry-backoff-ms", "retry.backoff.ms"),
        ("timeout", "linger.ms"),
        ("request-required-acks", "acks"),
        ("request-timeout-ms", "request.timeout.ms"),
        ("metadata-expiry-ms", "metadata.max.age.ms"),
        ("max-block-ms", "max.block.ms"),
        ("max-memory-bytes", "buffer.memory"),
    ];
    for (flag, name) in flags {
        all.extend(arguments.get(flag).map(|value| (name.to_owned(), value.to_owned())));
    }
    if arguments.has("compression-codec") {
        let codec = arguments.get("compression-codec").unwrap_or("gzip");
        all.push(("compression.type".to_owned(), codec.to_owned()));
    }
    apply(&all, console, |name, value| options.set(name, value))?;
    Ok(options)
}

async fn send_lines(
    producer: &Producer,
    reader: &mut LineReader,
    sync: bool,
    console: &mut Console,
) -> Result<()> {
    let failures = Failures::default();
    let mut failed = false;
    loop {
        failed |= failures.print(console);
        console.prompt(">");
        let line = console.read_line().map_err(|error| Failure::Error(format!("standard input: {error}")))?;
        let Some(line) = line else { break };
        let record = reader.record(line)?;
        if sync {
            producer.send(record).await?.await?;
            continue;
        }
        let (failures, topic) = (failures.clone(), record.topic.clone());
        let lengths =
            (record.key.as_ref().map(|key| key.len()), record.value.as_ref().map_or(0, |value| value.len()));
        let delivered = move |result: client::error::Result<_>| {
            if let Err(error) = result {
                let key = lengths.0.map_or("null".to_owned(), |length| format!("{length} bytes"));
                failures.add(format!(
                    "Error when sending message to topic {topic} with key: {key}, value: {} bytes with error: {error}",
                    lengths.1
                ));
            }
        };
        producer.send_then(record, delivered).await?;
    }
    producer.flush().await;
    failed |= failures.print(console);
    if failed { Err(Failure::Said) } else { Ok(()) }
}

/// What went wrong with records, until it is printed.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<String>>>);

impl Failures {
    fn add(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Prints what there is; whether there was any.
    fn print(&self, console: &mut Console) -> bool {
        let texts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        texts.iter().for_each(|text| console.error(format_args!("{text}")));
        !texts.is_empty()
    }
}
