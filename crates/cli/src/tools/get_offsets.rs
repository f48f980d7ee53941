//! `kafka-get-offsets`: `topic:partition:offset` for many partitions.

use client::{Admin, OffsetSpec, TopicPartition};

use super::Tool;
use super::topic_filter::{PartitionFilter, is_internal, of_rules, of_topic};
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, block_on, client_options};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, deprecated, switch, value};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-get-offsets",
    about: "Shows offsets of topics and partitions.",
    flags: Flags::of(&[
        BOOTSTRAP,
        deprecated(value("broker-list", "String: host:port,…", "Brokers to ask."), "bootstrap-server"),
        COMMAND_CONFIG,
        switch("exclude-internal-topics", "Leave out the topics that Kafka keeps for itself."),
        value("partitions", "String: ids", "Only these partitions, separated by commas. All when left out."),
        value(
            "time",
            "String: timestamp or name",
            "Which offset: that of the first record at this time in ms or later, or -1 or latest, -2 or earliest, -3 or \
             max-timestamp, -4 or earliest-local, -5 or latest-tiered, -6 or earliest-pending-upload. (default: latest)",
        ),
        value("topic", "String: topic", "Only topics whose whole name matches this regular expression."),
        value(
            "topic-partitions",
            "String: topic1:1,topic2:0-3,topic3",
            "Rules separated by commas, each a regular expression for the topic and perhaps a partition or a range of \
             partitions after a colon: N, N-M (M exclusive), N- or -M.",
        ),
    ]),
    run,
};

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    if !arguments.has("bootstrap-server") && !arguments.has("broker-list") {
        return usage("Missing required argument \"[bootstrap-server]\"");
    }
    offsets(arguments, console).map_err(|error| error.within("Error occurred: "))
}

fn offsets(arguments: &Arguments, console: &mut Console) -> Result<()> {
    if arguments.has("topic-partitions") && (arguments.has("topic") || arguments.has("partitions")) {
        return failed("--topic-partitions cannot be used with --topic or --partitions");
    }
    let spec = spec(arguments.get("time").unwrap_or("latest"))?;
    let filters = match arguments.get("topic-partitions") {
        Some(rules) => of_rules(rules)?,
        None => of_topic(arguments.get("topic"), arguments.get("partitions"))?,
    };
    let internal = !arguments.has("exclude-internal-topics");
    let mut options = client_options(arguments, console)?;
    if let Some(servers) = arguments.get("broker-list") {
        options.set("bootstrap.servers", servers)?;
    }
    block_on(async {
        let admin = Admin::connect(options).await?;
        let partitions = partitions(&admin, &filters, internal).await?;
        if partitions.is_empty() {
            return failed("Could not match any topic-partitions with the specified filters");
        }
        let asked: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        let mut listed = admin.list_offsets(&asked).await?;
        for partition in partitions {
            match listed.remove(&partition) {
                // No record is meant.
                Some(Ok(found)) if found.offset.0 < 0 => {}
                Some(Ok(found)) => {
                    console
                        .line(format_args!("{}:{}:{}", partition.topic, partition.partition, found.offset));
                }
                Some(Err(error)) => console.error(format_args!(
                    "Skip getting offsets for topic-partition {partition} due to: {error}"
                )),
                None => {}
            }
        }
        Ok(())
    })
}

/// What the filters allow, by topic and partition.
async fn partitions(
    admin: &Admin,
    filters: &[PartitionFilter],
    internal: bool,
) -> Result<Vec<TopicPartition>> {
    let answer = admin.cluster().ask_metadata(None, false).await?;
    let mut partitions = Vec::new();
    for topic in answer.topics {
        let name = topic.name.unwrap_or_default();
        if !internal && (topic.is_internal || is_internal(&name)) {
            continue;
        }
        for row in topic.partitions {
            let partition = TopicPartition::new(name.as_str(), row.partition_index);
            if filters.iter().any(|filter| filter.allows(&name, partition.partition)) {
                partitions.push(partition);
            }
        }
    }
    partitions.sort();
    Ok(partitions)
}

fn spec(text: &str) -> Result<OffsetSpec> {
    Ok(match text {
        "earliest" => OffsetSpec::Earliest,
        "latest" => OffsetSpec::Latest,
        "max-timestamp" => OffsetSpec::MaxTimestamp,
        "earliest-local" => OffsetSpec::EarliestLocal,
        "latest-tiered" => OffsetSpec::LatestTiered,
        "earliest-pending-upload" => OffsetSpec::EarliestPendingUpload,
        number => match number.parse::<i64>() {
            Ok(-1) => OffsetSpec::Latest,
            Ok(-2) => OffsetSpec::Earliest,
            Ok(-3) => OffsetSpec::MaxTimestamp,
            Ok(-4) => OffsetSpec::EarliestLocal,
            Ok(-5) => OffsetSpec::LatestTiered,
            Ok(-6) => OffsetSpec::EarliestPendingUpload,
            Ok(timestamp) => OffsetSpec::Timestamp(timestamp),
            Err(_) => {
                return Err(Failure::Error(format!(
                    "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / \
                     -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long \
                     format timestamp"
                )));
            }
        },
    })
}
