//! `kafka-configs`: configs of topics, brokers, loggers, client metrics subscriptions and groups, shown and altered.
//!
//! Users, clients and IP addresses have quotas and credentials instead of configs; those are not built here yet, and asking
//! for them fails with a sentence that says so.

mod changes;
mod entity;

use client::Admin;
use client::admin::{ConfigChange, ConfigEntry, ConfigSource, ResourceType};

use super::Tool;
use super::exceptions::printed;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, block_on, client_options};
use crate::console::Console;
use crate::failure::{Failure, Result, failed, usage};
use crate::flags::{Arguments, Flags, switch, value};
use entity::{Entity, plural, singular};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-configs",
    about: "Shows and alters configs of topics, brokers, broker loggers, client metrics and groups.",
    flags: Flags::of(&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        switch("alter", "Alter the configs of an entity."),
        switch("describe", "Show the configs of an entity."),
        switch("all", "With --describe: all configs, not only those set while running."),
        value(
            "entity-type",
            "String: type",
            "What is meant: topics, brokers, broker-loggers, client-metrics or groups.",
        ),
        value("entity-name", "String: name", "Which one: the name of a topic, the id of a broker, …"),
        switch("entity-default", "All brokers together."),
        value("topic", "String: topic", "This topic."),
        value("broker", "String: id", "This broker."),
        switch("broker-defaults", "All brokers together."),
        value("broker-logger", "String: id", "The loggers of this broker."),
        value("client-metrics", "String: name", "This client metrics subscription."),
        value("group", "String: id", "This group."),
        value(
            "add-config",
            "String: k1=v1,k2=[v1,v2]",
            "Configs to set, separated by commas; a value with commas stands in brackets.",
        ),
        value("add-config-file", "String: file", "A properties file with configs to set."),
        value("delete-config", "String: k1,k2", "Configs to take back, separated by commas."),
    ]),
    run,
};

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let entity = check(arguments)?;
    let changes = changes::of(arguments)?;
    let options = client_options(arguments, console)?;
    block_on(async {
        let admin = Admin::connect(options).await?;
        if arguments.has("describe") {
            describe(&admin, &entity, arguments.has("all"), console).await
        } else {
            let within = format!("Error while executing config command with args '{}'\n", arguments.line);
            alter(&admin, &entity, &changes, &within, console).await
        }
    })
}

fn check(arguments: &Arguments) -> Result<Entity> {
    if arguments.has("alter") == arguments.has("describe") {
        return usage("Command must include exactly one action: --describe, --alter");
    }
    arguments.exclude("describe", &["add-config", "delete-config"])?;
    if !arguments.has("bootstrap-server") {
        return failed("Either --bootstrap-server or --bootstrap-controller must be specified.");
    }
    let entity = Entity::of(arguments)?;
    if arguments.has("describe") {
        if entity.kind == ResourceType::BrokerLogger && entity.has_no_name() {
            return failed(format!(
                "an entity name must be specified with --describe of {}",
                plural(entity.kind)
            ));
        }
        return Ok(entity);
    }
    if entity.kind == ResourceType::Broker && entity.name.is_none() {
        return failed(
            "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
        );
    }
    if entity.kind != ResourceType::Broker && entity.has_no_name() {
        return failed(format!("An entity name must be specified with --alter of {}", plural(entity.kind)));
    }
    if arguments.has("add-config") && arguments.has("add-config-file") {
        return failed("Only one of --add-config or --add-config-file must be specified");
    }
    if !["add-config", "add-config-file", "delete-config"].iter().any(|flag| arguments.has(flag)) {
        return failed(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        );
    }
    Ok(entity)
}

async fn describe(admin: &Admin, entity: &Entity, all: bool, console: &mut Console) -> Result<()> {
    if let Some(name) = missing(admin, entity).await? {
        let kind = singular(entity.kind);
        console.line(format_args!("The {kind} '{name}' doesn't exist and doesn't have dynamic config."));
        return Ok(());
    }
    for name in names(admin, entity).await? {
        let plural = plural(entity.kind);
        if name.is_empty() {
            console.line(format_args!("Default configs for {plural} in the cluster are:"));
        } else {
            let which = if all { "All" } else { "Dynamic" };
            console.line(format_args!("{which} configs for {} {name} are:", singular(entity.kind)));
        }
        for entry in configs(admin, entity.kind, &name, all, true).await? {
            console.line(format_args!("{}", line(&entry)));
        }
    }
    Ok(())
}

fn line(entry: &ConfigEntry) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|one| format!("{}:{}={}", one.source.name(), one.name, text(&one.value)))
        .collect();
    format!(
        "  {}={} sensitive={} synonyms={{{}}}",
        entry.name,
        text(&entry.value),
        entry.sensitive,
        synonyms.join(", ")
    )
}

/// The entity's name, if it is a topic or broker that is not there.
async fn missing<'a>(admin: &Admin, entity: &'a Entity) -> Result<Option<&'a str>> {
    let Some(name) = entity.name.as_deref().filter(|name| !name.is_empty()) else { return Ok(None) };
    let is_there = match entity.kind {
        ResourceType::Topic => admin.list_topics(true).await?.iter().any(|topic| topic.as_ref() == name),
        ResourceType::Broker | ResourceType::BrokerLogger => {
            admin.describe_cluster().await?.brokers.iter().any(|broker| broker.id.to_string() == name)
        }
        ResourceType::ClientMetrics | ResourceType::Group => true,
    };
    Ok((!is_there).then_some(name))
}

/// The entity's name, or those of all of its kind.
async fn names(admin: &Admin, entity: &Entity) -> Result<Vec<String>> {
    if let Some(name) = &entity.name {
        return Ok(vec![name.clone()]);
    }
    match entity.kind {
        ResourceType::Topic => {
            Ok(admin.list_topics(true).await?.iter().map(|name| name.to_string()).collect())
        }
        ResourceType::Broker | ResourceType::BrokerLogger => {
            let brokers = admin.describe_cluster().await?.brokers;
            let ids = brokers.iter().map(|broker| broker.id.to_string());
            Ok(ids.chain(std::iter::once(String::new())).collect())
        }
        ResourceType::ClientMetrics | ResourceType::Group => {
            failed(format!("An entity name must be specified with --describe of {}", plural(entity.kind)))
        }
    }
}

/// The configs of one entity by name; without `all` only those that were set for just this entity.
async fn configs(
    admin: &Admin,
    kind: ResourceType,
    name: &str,
    all: bool,
    synonyms: bool,
) -> Result<Vec<ConfigEntry>> {
    let described = admin.describe_config(kind, name, synonyms).await;
    let mut entries = described.map_err(|error| Failure::Error(printed(&error)))?;
    let own = match kind {
        ResourceType::Topic => Some(ConfigSource::DynamicTopic),
        ResourceType::Broker if name.is_empty() => Some(ConfigSource::DynamicDefaultBroker),
        ResourceType::Broker => Some(ConfigSource::DynamicBroker),
        ResourceType::BrokerLogger => None,
        ResourceType::ClientMetrics => Some(ConfigSource::DynamicClientMetrics),
        ResourceType::Group => Some(ConfigSource::DynamicGroup),
    };
    entries.retain(|entry| all || own.is_none_or(|own| entry.source == own));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

async fn alter(
    admin: &Admin,
    entity: &Entity,
    changes: &[(String, ConfigChange)],
    within: &str,
    console: &mut Console,
) -> Result<()> {
    let name = entity.name.as_deref().unwrap_or_default();
    if entity.kind == ResourceType::BrokerLogger {
        let known = configs(admin, entity.kind, name, false, false).await?;
        let is_known = |name: &str| known.iter().any(|entry| entry.name == name);
        let names = changes.iter().map(|(name, _)| name.as_str());
        let invalid: Vec<&str> = names.filter(|name| !is_known(name)).collect();
        if !invalid.is_empty() {
            return failed(format!("Invalid broker logger(s): {}", invalid.join(",")));
        }
    }
    let altered = admin.alter_config(entity.kind, name, changes).await;
    altered.map_err(|error| Failure::Error(printed(&error)).within(within))?;
    if name.is_empty() {
        let plural = plural(entity.kind);
        console.line(format_args!("Completed updating default config for {plural} in the cluster."));
    } else {
        console.line(format_args!("Completed updating config for {} {name}.", singular(entity.kind)));
    }
    Ok(())
}
