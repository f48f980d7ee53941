//! `kafka-log-dirs`: the log directories of brokers and what lies in them, as JSON.

use std::collections::BTreeSet;

use base::ids::NodeId;
use client::Admin;
use client::admin::{LogDirDescription, LogDirPartition};
use serde_json::{Value, json};

use super::Tool;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, block_on, client_options};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, required, switch, value};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-log-dirs",
    about: "Shows how much of which partition lies in which log directory.",
    flags: Flags::of(&[
        required(BOOTSTRAP),
        COMMAND_CONFIG,
        switch("describe", "Describe the log directories of brokers."),
        value("topic-list", "String: topics", "Only these topics, separated by commas."),
        value("broker-list", "String: ids", "Only these brokers, separated by commas."),
    ]),
    run,
};

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    if !arguments.has("describe") {
        return usage("Missing required argument \"[describe]\"");
    }
    let wanted = brokers(arguments.get("broker-list").unwrap_or_default())?;
    let topics: BTreeSet<&str> = entries(arguments.get("topic-list").unwrap_or_default()).collect();
    let options = client_options(arguments, console)?;
    block_on(async {
        let admin = Admin::connect(options).await?;
        let cluster: BTreeSet<NodeId> =
            admin.describe_cluster().await?.brokers.iter().map(|broker| broker.id).collect();
        let missing: Vec<_> = wanted.difference(&cluster).copied().collect();
        if !missing.is_empty() {
            return failed(format!(
                "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                ids(missing),
                ids(cluster)
            ));
        }
        let asked = if wanted.is_empty() { cluster } else { wanted };
        console.line(format_args!("Querying brokers for log directories information"));
        let mut brokers = Vec::new();
        for node in &asked {
            let dirs = admin.describe_log_dirs(*node).await?;
            brokers.push((*node, dirs));
        }
        console.line(format_args!("Received log directory information from brokers {}", ids(asked)));
        console.line(format_args!("{}", page(&brokers, &topics)));
        Ok(())
    })
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn brokers(list: &str) -> Result<BTreeSet<NodeId>> {
    let id =
        |id: &str| id.parse().map(NodeId).map_err(|_| Failure::Error(format!("For input string: \"{id}\"")));
    entries(list).map(id).collect()
}

fn ids(nodes: impl IntoIterator<Item = NodeId>) -> String {
    nodes.into_iter().map(|node| node.to_string()).collect::<Vec<_>>().join(",")
}

fn page(brokers: &[(NodeId, Vec<LogDirDescription>)], topics: &BTreeSet<&str>) -> Value {
    let broker = |(node, dirs): &(NodeId, Vec<LogDirDescription>)| {
        let dirs: Vec<Value> = dirs.iter().map(|described| dir(described, topics)).collect();
        json!({ "broker": node.0, "logDirs": dirs })
    };
    json!({ "brokers": brokers.iter().map(broker).collect::<Vec<_>>(), "version": 1 })
}

fn dir(described: &LogDirDescription, topics: &BTreeSet<&str>) -> Value {
    let wanted = |row: &&LogDirPartition| topics.is_empty() || topics.contains(row.partition.topic.as_ref());
    let row = |row: &LogDirPartition| {
        json!({
            "partition": row.partition.to_string(),
            "size": row.size,
            "offsetLag": row.offset_lag,
            "isFuture": row.is_future,
        })
    };
    let error = (!described.error.is_none()).then(|| described.error.message());
    let partitions: Vec<Value> = described.partitions.iter().filter(wanted).map(row).collect();
    json!({ "partitions": partitions, "error": error, "logDir": described.path })
}
