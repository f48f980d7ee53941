//! Broker configs that are set while the broker runs: which may be, and which values.
//!
//! The order of the checks and their sentences are Kafka's. Invariant: what passes here can be followed by the broker
//! whose layers were given, so nothing is stored that it would have to ignore.

use super::definition::{Kind, Mode};
use super::error::ConfigError;
use super::layers::Layers;
use super::node::NodeConfig;
use super::properties::Properties;
use super::tables::BROKER;
use super::value::{Value, trim};

#[cfg(test)]
mod tests;

/// Whose configs are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of every broker that has none of its own.
    AllBrokers,
    /// Those of one broker.
    OneBroker,
}

/// What files and keys of TLS are named by: one listener's may be reloaded, those of all may not.
const RELOADED_PER_LISTENER: [&str; 10] = [
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// What may be set for a listener of all brokers.
const CLUSTER_PER_LISTENER: [&str; 3] =
    ["max.connection.creation.rate", "max.connections", "num.network.threads"];

/// The limits of single addresses.
const OVERRIDES: &str = "max.connections.per.ip.overrides";

/// Pools of threads, which may at most double or halve in one step.
const POOLS: [&str; 5] = [
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

/// Checks the configs `proposed` for `scope`, all that it would have, on a broker with these layers.
///
/// # Errors
/// The first fault.
pub fn check(layers: &Layers, proposed: &Properties, scope: Scope) -> Result<(), ConfigError> {
    let is_static = |name: &str| BROKER.get(name).is_some_and(|definition| definition.mode == Mode::Static);
    refuse(proposed, is_static, "Cannot update these configs dynamically")?;
    refuse(
        proposed,
        |name| RELOADED_PER_LISTENER.contains(&name),
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )?;
    proposed.iter().try_for_each(|(name, text)| check_value(name, text))?;
    if scope == Scope::AllBrokers {
        let sentence = "Cannot update these configs at default cluster level, broker id must be specified";
        refuse(proposed, is_of_one_broker, sentence)?;
    }
    let mut next = layers.clone();
    match scope {
        Scope::AllBrokers => next.dynamic_default.clone_from(proposed),
        Scope::OneBroker => next.dynamic_broker.clone_from(proposed),
    }
    check_together(layers, &next)
}

fn refuse(
    proposed: &Properties,
    is_refused: impl Fn(&str) -> bool,
    sentence: &str,
) -> Result<(), ConfigError> {
    let names: Vec<&str> = proposed.keys().map(String::as_str).filter(|name| is_refused(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Rule(format!("{sentence}: [{}]", names.join(", "))))
}

/// The config behind `listener.name.NAME.`, or the name itself.
fn base_name(name: &str) -> &str {
    let behind = name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.'));
    behind.map_or(name, |(_, base)| base)
}

fn is_of_one_broker(name: &str) -> bool {
    match BROKER.get(name) {
        Some(definition) => definition.mode == Mode::PerBroker,
        None => base_name(name) != name && !CLUSTER_PER_LISTENER.contains(&base_name(name)),
    }
}

fn check_value(name: &str, text: &str) -> Result<(), ConfigError> {
    let Some(definition) = BROKER.get(base_name(name)) else { return Ok(()) };
    let value = definition.parse(text)?;
    let is_default = definition.default_value().is_some_and(|default| default == value);
    match value {
        Value::Text(class) if definition.kind == Kind::Class && !is_default => {
            Err(ConfigError::invalid(definition.name, &class, format!("Class {class} could not be found.")))
        }
        _ => Ok(()),
    }
}

/// What the configs mean together, and what running parts say to the change.
fn check_together(now: &Layers, next: &Layers) -> Result<(), ConfigError> {
    check_overrides(proposed(next, OVERRIDES))?;
    let current = NodeConfig::parse(now.effective())?;
    let wanted = NodeConfig::parse(next.effective()).map_err(|error| match error {
        // What is wrong with a single config has its own sentence, what configs break together is a requirement.
        ConfigError::Rule(sentence) if !sentence.starts_with("Error ") => {
            ConfigError::Rule(format!("requirement failed: {sentence}"))
        }
        error => error,
    })?;
    let (before, after) = (now.effective(), next.effective());
    POOLS.iter().try_for_each(|name| check_pool(name, &before, &after))?;
    check_cleaner_threads(&before, &after)?;
    check_connections(&before, &after)?;
    check_local_retention(&after)?;
    if after.get("metric.reporters").is_some_and(|classes| !classes.trim().is_empty())
        && after.get("metric.reporters") != before.get("metric.reporters")
    {
        return Err(refused(
            "Validation of dynamic config update of Set(metric.reporters) failed with class class \
             kafka.server.DynamicMetricsReporters",
        ));
    }
    if current.listeners != wanted.listeners {
        let sentence = "listeners: a running broker cannot open or close listeners yet; set them in its \
                        server.properties and start it again";
        return Err(ConfigError::Rule(sentence.into()));
    }
    Ok(())
}

fn proposed<'a>(layers: &'a Layers, name: &str) -> &'a str {
    let set = [&layers.dynamic_broker, &layers.dynamic_default];
    set.into_iter().find_map(|layer| layer.get(name)).map_or("", String::as_str)
}

/// The sentences of Java's own parsing; those at the start say more.
fn check_overrides(text: &str) -> Result<(), ConfigError> {
    let rule = |sentence: String| Err(ConfigError::Rule(sentence));
    let text = text.trim_end_matches(',');
    for entry in text.split(',').map(trim).filter(|_| !text.is_empty()) {
        let Some((host, limit)) = entry.rsplit_once(':') else {
            return rule(format!(
                "Error parsing configuration property '{OVERRIDES}': begin 0, end -1, length {}",
                entry.chars().count()
            ));
        };
        let limit = trim(limit);
        if limit.parse::<i32>().is_err() {
            return rule(format!("For input string: \"{limit}\""));
        }
        if host.contains(' ') {
            return rule(format!("{OVERRIDES} contains invalid addresses : {host}"));
        }
    }
    Ok(())
}

/// Kafka shows the exception in which its parts refuse a value.
fn refused(sentence: &str) -> ConfigError {
    ConfigError::Rule(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: {sentence} for configuration Invalid dynamic \
         configuration"
    ))
}

fn number(name: &str, properties: &Properties) -> Option<i64> {
    let definition = BROKER.get(name)?;
    match properties.get(name) {
        Some(text) => definition.parse(text).ok()?.integer(),
        None => definition.default_value()?.integer(),
    }
}

fn check_pool(name: &str, before: &Properties, after: &Properties) -> Result<(), ConfigError> {
    let (Some(current), Some(wanted)) = (number(name, before), number(name, after)) else { return Ok(()) };
    let limit = match wanted {
        wanted if wanted < current / 2 => "value should be at least half the current value",
        wanted if wanted > current * 2 => "value should not be greater than double the current value",
        _ => return Ok(()),
    };
    Err(refused(&format!(
        "Dynamic thread count update validation failed for {name}={wanted}, {limit} {current}"
    )))
}

fn check_cleaner_threads(before: &Properties, after: &Properties) -> Result<(), ConfigError> {
    let name = "log.cleaner.threads";
    let threads = number(name, after).unwrap_or(1);
    if let Some(buffer) = number("log.cleaner.dedupe.buffer.size", after)
        && buffer / threads < 1 << 20
    {
        let sentence =
            "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.";
        return Err(ConfigError::Rule(sentence.into()));
    }
    match number(name, before).unwrap_or(1) {
        current if threads < current / 2 => Err(refused(&format!(
            "Log cleaner threads cannot be reduced below half the current value {current}"
        ))),
        current if threads > current * 2 => Err(refused(&format!(
            "Log cleaner threads cannot be increased to more than double the current value {current}"
        ))),
        _ => Ok(()),
    }
}

fn check_connections(before: &Properties, after: &Properties) -> Result<(), ConfigError> {
    for (name, text) in after {
        let base = base_name(name);
        if ["max.connections", "max.connection.creation.rate"].contains(&base)
            && before.get(name) != Some(text)
        {
            let wanted = BROKER.get(base).and_then(|definition| definition.parse(text).ok()?.integer());
            if let Some(wanted) = wanted.filter(|wanted| *wanted <= 0) {
                return Err(refused(&format!("Invalid {base} {wanted}")));
            }
        }
    }
    Ok(())
}

/// What stays on local disk is part of what is retained.
fn check_local_retention(after: &Properties) -> Result<(), ConfigError> {
    const SAME: i64 = -2;
    let minutes = || number("log.retention.minutes", after).map(|minutes| minutes * 60_000);
    let hours = || number("log.retention.hours", after).map(|hours| hours * 3_600_000);
    let whole_ms = number("log.retention.ms", after).or_else(minutes).or_else(hours);
    let pairs = [
        ("log.local.retention.ms", "log.retention.ms", whole_ms),
        ("log.local.retention.bytes", "log.retention.bytes", number("log.retention.bytes", after)),
    ];
    for (name, whole_name, whole) in pairs {
        let (Some(local), Some(whole)) = (number(name, after), whole.filter(|whole| *whole >= 0)) else {
            continue;
        };
        let why = match local {
            SAME => continue,
            -1 => format!("Value must not be -1 as {whole_name} value is set as {whole}."),
            local if local > whole => {
                format!("Value must not be more than {whole_name} property value: {whole}")
            }
            _ => continue,
        };
        return Err(refused(&format!("Invalid value {local} for configuration {name}: {why}")));
    }
    Ok(())
}
