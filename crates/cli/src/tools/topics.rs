//! `kafka-topics`: topics made, listed, described, enlarged and deleted.

mod describe;

use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{NodeId, TopicId};
use client::admin::{NewTopic, TopicName};
use client::{Admin, Error};

use super::Tool;
use super::topic_filter::{TopicFilter, is_internal};
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, block_on, client_options};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, switch, value};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-topics",
    about: "Creates, lists, describes, alters and deletes topics.",
    flags: Flags::of(&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        switch("alter", "Give a topic more partitions."),
        switch("create", "Make a topic."),
        switch("delete", "Delete topics."),
        switch("describe", "Show topics with their partitions."),
        switch("list", "Show the names of topics."),
        value(
            "topic",
            "String: topic",
            "The topic; except with --create a regular expression for the whole name.",
        ),
        value("topic-id", "String: id", "The id of the topic to describe."),
        value(
            "partitions",
            "Integer: partitions",
            "How many partitions; with --create the cluster's default when left out.",
        ),
        value(
            "replication-factor",
            "Integer: factor",
            "How many replicas of each partition; the cluster's default when left out.",
        ),
        value(
            "replica-assignment",
            "String: 0:1,1:2",
            "The brokers of each partition, in the order of the partitions.",
        ),
        value("config", "String: name=value", "A config of the new topic; may be repeated."),
        value("delete-config", "String: name", "Not supported since 4.0: kafka-configs does this."),
        switch("if-exists", "With --alter, --delete and --describe: a topic that is missing is no failure."),
        switch("if-not-exists", "With --create: a topic that exists already is no failure."),
        switch(
            "exclude-internal",
            "With --list and --describe: leave out the topics that Kafka keeps for itself.",
        ),
        switch(
            "topics-with-overrides",
            "With --describe: only topics with configs of their own, without partitions.",
        ),
        switch("unavailable-partitions", "With --describe: only partitions without a leader."),
        switch(
            "under-replicated-partitions",
            "With --describe: only partitions with replicas that are not in sync.",
        ),
        switch(
            "under-min-isr-partitions",
            "With --describe: only partitions with fewer replicas in sync than they must have.",
        ),
        switch(
            "at-min-isr-partitions",
            "With --describe: only partitions with just as many replicas in sync as they must have.",
        ),
        value(
            "partition-size-limit-per-response",
            "Integer: partitions",
            "The most partitions in one answer; the server's own limit holds here.",
        ),
    ]),
    run,
};

const ACTIONS: [&str; 5] = ["create", "list", "alter", "describe", "delete"];

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    check(arguments)?;
    let options = client_options(arguments, console)?;
    let done = block_on(async {
        let admin = Admin::connect(options).await?;
        if arguments.has("create") {
            create(&admin, arguments, console).await
        } else if arguments.has("list") {
            list(&admin, arguments, console).await
        } else if arguments.has("describe") {
            describe::run(&admin, arguments, console).await
        } else if arguments.has("alter") {
            alter(&admin, arguments).await
        } else {
            delete(&admin, arguments).await
        }
    });
    done.map_err(|error| error.within("Error while executing topic command : "))
}

fn check(arguments: &Arguments) -> Result<()> {
    if !arguments.has("bootstrap-server") {
        return failed("--bootstrap-server must be specified");
    }
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() != 1 {
        return usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete",
        );
    }
    if arguments.has("create") || arguments.has("alter") {
        if !arguments.has("topic") {
            return usage("Missing required argument \"[topic]\"");
        }
    } else if arguments.has("delete") && !arguments.has("topic") {
        return usage("Missing required argument \"[topic]\"");
    }
    if arguments.has("alter") && !arguments.has("partitions") {
        return usage("Missing required argument \"[partitions]\"");
    }
    let only = |option: &str, actions: &[&str]| {
        if arguments.has(option) {
            ACTIONS
                .iter()
                .filter(|action| !actions.contains(action))
                .try_for_each(|action| arguments.exclude(option, &[action]))
        } else {
            Ok(())
        }
    };
    only("config", &["create"])?;
    only("partitions", &["create", "alter"])?;
    only("replication-factor", &["create"])?;
    only("replica-assignment", &["create", "alter"])?;
    arguments.exclude("replica-assignment", &["replication-factor"])?;
    if arguments.has("create") {
        arguments.exclude("replica-assignment", &["partitions"])?;
    }
    only("if-not-exists", &["create"])?;
    only("if-exists", &["alter", "delete", "describe"])?;
    only("exclude-internal", &["list", "describe"])?;
    only("topic-id", &["describe"])?;
    describe::FILTERS.iter().try_for_each(|filter| only(filter, &["describe"]))?;
    if arguments.has("delete-config") {
        return usage("delete-config is no longer supported: kafka-configs does this");
    }
    Ok(())
}

async fn create(admin: &Admin, arguments: &Arguments, console: &mut Console) -> Result<()> {
    let name = arguments.get("topic").unwrap_or_default();
    let mut topic = NewTopic::new(name);
    for config in arguments.each("config") {
        let Some((name, value)) = config.split_once('=') else {
            return failed(
                "requirement failed: Invalid topic config: all configs to be added must be in the format \
                           \"key=val\".",
            );
        };
        topic.configs.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    topic.partitions = arguments.parsed("partitions")?;
    topic.replication_factor = arguments.parsed("replication-factor")?;
    if topic.partitions.is_some_and(|partitions| partitions < 1) {
        return failed("The partitions must be greater than 0");
    }
    if topic.replication_factor.is_some_and(|factor| factor < 1) {
        return failed("The replication factor must be between 1 and 32767 inclusive");
    }
    if let Some(text) = arguments.get("replica-assignment") {
        topic.assignments = assignment(text)?;
    }
    if name.contains(['.', '_']) {
        console.line(format_args!(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. \
             To avoid issues it is best to use either, but not both."
        ));
    }
    let created = admin.create_topics(&[topic], false).await?.remove(0);
    match created {
        Ok(_) => {
            console.line(format_args!("Created topic {name}."));
            Ok(())
        }
        Err(Error::Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. })
            if arguments.has("if-not-exists") =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// `0:1,1:2`: the brokers of each partition, all with as many replicas.
fn assignment(text: &str) -> Result<Vec<Vec<NodeId>>> {
    let mut partitions: Vec<Vec<NodeId>> = Vec::new();
    for part in text.split(',') {
        let number = |id: &str| id.trim().parse().map(NodeId).map_err(|_| id.to_owned());
        let brokers: std::result::Result<Vec<NodeId>, String> = part.split(':').map(number).collect();
        let brokers = brokers.map_err(|id| Failure::Error(format!("For input string: \"{id}\"")))?;
        if let Some(twice) = (1..brokers.len()).find(|at| brokers[..*at].contains(&brokers[*at])) {
            return failed(format!(
                "Partition replica lists may not contain duplicate entries: {}",
                brokers[twice]
            ));
        }
        if partitions.first().is_some_and(|first| first.len() != brokers.len()) {
            let partition = partitions.len();
            return failed(format!("Partition {partition} has different replication factor: {part}"));
        }
        partitions.push(brokers);
    }
    Ok(partitions)
}

async fn list(admin: &Admin, arguments: &Arguments, console: &mut Console) -> Result<()> {
    for name in chosen(admin, arguments.get("topic"), arguments.has("exclude-internal")).await? {
        console.line(format_args!("{name}"));
    }
    Ok(())
}

async fn alter(admin: &Admin, arguments: &Arguments) -> Result<()> {
    let topics = existing(admin, arguments).await?;
    let count = arguments.parsed("partitions")?.unwrap_or(0);
    if count < 1 {
        return failed("The partitions must be greater than 0");
    }
    let assignments = arguments.get("replica-assignment").map(assignment).transpose()?.unwrap_or_default();
    for described in admin.describe_topics(&topics).await? {
        let topic = described?;
        // The flag names the brokers of all partitions, the request only those of the new ones.
        let new = assignments.get(topic.partitions.len()..).unwrap_or_default();
        admin.create_partitions(&topic.name, count, new).await.map_err(not_built)?;
    }
    Ok(())
}

/// Says what a server lacks in a sentence that names the server as the cause.
fn not_built(error: Error) -> Failure {
    match error {
        Error::Unsupported(_) => {
            Failure::Error("Adding partitions is not supported by this server.".to_owned())
        }
        error => error.into(),
    }
}

async fn delete(admin: &Admin, arguments: &Arguments) -> Result<()> {
    let topics = existing(admin, arguments).await?;
    let names: Vec<TopicName> = topics.into_iter().map(TopicName::Name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let results = admin.delete_topics(&names).await?;
    results.into_iter().collect::<std::result::Result<(), Error>>().map_err(Failure::from)
}

/// Topics whose names match, in order; all without a pattern.
async fn chosen(admin: &Admin, pattern: Option<&str>, no_internal: bool) -> Result<Vec<Arc<str>>> {
    let mut names = admin.list_topics(true).await?;
    if let Some(pattern) = pattern {
        let filter = TopicFilter::new(pattern)?;
        names.retain(|name| filter.allows(name));
    }
    names.retain(|name| !(no_internal && is_internal(name)));
    Ok(names)
}

/// Topics that `--topic` means; none is a failure unless `--if-exists` is there.
async fn existing(admin: &Admin, arguments: &Arguments) -> Result<Vec<Arc<str>>> {
    let pattern = arguments.get("topic");
    let names = chosen(admin, pattern, arguments.has("exclude-internal")).await?;
    match pattern {
        Some(pattern) if names.is_empty() && !arguments.has("if-exists") => {
            failed(format!("Topic '{pattern}' does not exist as expected"))
        }
        _ => Ok(names),
    }
}

/// The names of the topics with this id.
async fn with_id(admin: &Admin, id: TopicId, if_exists: bool) -> Result<Vec<Arc<str>>> {
    let answer = admin.cluster().ask_metadata(None, false).await?;
    let found = answer.topics.into_iter().find(|topic| topic.topic_id == id.0).and_then(|topic| topic.name);
    match found {
        Some(name) => Ok(vec![name.into()]),
        None if if_exists => Ok(Vec::new()),
        None => failed(format!("TopicId '{id}' does not exist as expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_name_the_brokers_of_each_partition() {
        let check = |text: &str, expect: std::result::Result<&[&[i32]], &str>| {
            let got = assignment(text);
            let expect = expect
                .map(|rows| {
                    rows.iter().map(|row| row.iter().map(|id| NodeId(*id)).collect()).collect::<Vec<_>>()
                })
                .map_err(|text| Failure::Error(text.to_owned()));
            assert_eq!(got, expect, "{text}");
        };
        check("1,2,3", Ok(&[&[1], &[2], &[3]]));
        check("0:1,1:2", Ok(&[&[0, 1], &[1, 2]]));
        check("0:0", Err("Partition replica lists may not contain duplicate entries: 0"));
        check("0:1,2", Err("Partition 1 has different replication factor: 2"));
        check("x", Err("For input string: \"x\""));
    }
}
