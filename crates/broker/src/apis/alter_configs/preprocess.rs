//! The checks that come before the controller is asked.

use std::collections::BTreeSet;

use base::config::definition::Kind;
use base::config::dynamic::{self, Scope};
use base::config::{BROKER, ConfigError, Properties};
use base::error_code::ErrorCode;
use base::refusal::Refusal;
use metadata::image::{Resource, ResourceType};

use super::Outcome;
use crate::broker::Broker;
use crate::loggers::LevelChange;

/// The resource type of a broker's loggers, which no metadata record has.
pub(super) const BROKER_LOGGER: i8 = 8;

/// How one config changes, with Kafka's numbers.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A config of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    pub(super) operation: i8,
    pub(super) value: Option<&'a str>,
}

impl<'a> Change<'a> {
    pub(super) fn set(name: &'a str, value: Option<&'a str>) -> Self {
        Self { name, operation: SET, value }
    }
}

/// A resource of a request.
#[derive(Debug)]
pub(super) struct Altered<'a> {
    pub(super) kind: i8,
    pub(super) name: &'a str,
    pub(super) changes: Vec<Change<'a>>,
}

/// Keys may stand once, and only a deletion has no value.
pub(super) fn check_keys(changes: &[Change<'_>]) -> Outcome {
    let mut seen = BTreeSet::new();
    if !changes.iter().all(|change| seen.insert(change.name)) {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let without_value = changes.iter().filter(|change| change.operation != DELETE && change.value.is_none());
    let without_value: Vec<_> = without_value.map(|change| change.name).collect();
    if without_value.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("Null value not supported for : {}", without_value.join(", "))))
}

/// A broker's resource must be this one or all of them, and what comes out must be something it can follow.
pub(super) fn check_broker(broker: &Broker, resource: &Altered<'_>) -> Outcome {
    let scope = scope(broker, resource.name)?;
    let overrides =
        broker.image().config(&Resource { kind: ResourceType::Broker, name: resource.name.into() });
    let mut proposed: Properties =
        overrides.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    if let Some(unknown) =
        resource.changes.iter().find(|change| !(SET..=SUBTRACT).contains(&change.operation))
    {
        return Err(invalid(format!("Unknown operations type {}", unknown.operation)));
    }
    for change in &resource.changes {
        apply(&mut proposed, change)?;
    }
    check_proposed(broker, &proposed, scope)
}

/// As [`check_broker`], where the request names all that is to be set.
pub(super) fn check_broker_whole(broker: &Broker, resource: &Altered<'_>) -> Outcome {
    let scope = scope(broker, resource.name)?;
    let given = resource.changes.iter().filter_map(|change| Some((change.name, change.value?)));
    let proposed = given.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    check_proposed(broker, &proposed, scope)
}

fn check_proposed(broker: &Broker, proposed: &Properties, scope: Scope) -> Outcome {
    dynamic::check(&broker.layers(), proposed, scope).map_err(|error: ConfigError| invalid(error.to_string()))
}

fn scope(broker: &Broker, name: &str) -> Result<Scope, Refusal> {
    let own = broker.node();
    match name.parse::<i32>() {
        _ if name.is_empty() => Ok(Scope::AllBrokers),
        Ok(id) if id == own.0 => Ok(Scope::OneBroker),
        Ok(id) => Err(invalid(format!("Unexpected broker id, expected {own}, but received {id}"))),
        Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
}

fn apply(proposed: &mut Properties, change: &Change<'_>) -> Outcome {
    let value = change.value.unwrap_or_default();
    match change.operation {
        SET => drop(proposed.insert(change.name.to_owned(), value.to_owned())),
        DELETE => drop(proposed.remove(change.name)),
        operation => {
            let refuse = |message: String| Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
            let Some(definition) = BROKER.get(change.name) else {
                return refuse(format!("Unknown config name: {}", change.name));
            };
            if definition.kind != Kind::List {
                let word = if operation == APPEND { "append" } else { "subtract" };
                return refuse(format!("Config value {word} is not allowed for config key: {}", change.name));
            }
            let default = || definition.default_value().map(|value| value.to_string());
            let old = proposed.get(change.name).cloned().or_else(default).unwrap_or_default();
            let mut entries: Vec<&str> = old.split(',').filter(|entry| !entry.is_empty()).collect();
            for entry in value.split(',') {
                match (operation, entries.iter().position(|old| *old == entry)) {
                    (APPEND, None) => entries.push(entry),
                    (SUBTRACT, Some(place)) => drop(entries.remove(place)),
                    _ => {}
                }
            }
            proposed.insert(change.name.to_owned(), entries.join(","));
        }
    }
    Ok(())
}

/// Checks all changes to loggers, then makes them.
pub(super) fn alter_loggers(broker: &Broker, resource: &Altered<'_>, validate_only: bool) -> Outcome {
    check_own_loggers(broker, resource.name)?;
    let loggers = broker.loggers();
    let mut changes = Vec::new();
    for change in &resource.changes {
        let name = change.name;
        if [SET, DELETE].contains(&change.operation) && !loggers.has(name) {
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, format!("Logger {name} does not exist!")));
        }
        match change.operation {
            SET => {
                let level = change.value.unwrap_or_default();
                changes.push(LevelChange::set(name, level).ok_or_else(|| {
                    let message = format!(
                        "Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log \
                         levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"
                    );
                    Refusal::new(ErrorCode::INVALID_CONFIG, message)
                })?);
            }
            DELETE if name == "root" => {
                return Err(invalid("Removing the log level of the root logger is not allowed"));
            }
            DELETE => changes.push(LevelChange::unset(name)),
            APPEND => return Err(invalid("APPEND operation is not allowed for the BROKER_LOGGER resource")),
            SUBTRACT => {
                return Err(invalid("SUBTRACT operation is not allowed for the BROKER_LOGGER resource"));
            }
            number => {
                return Err(invalid(format!(
                    "Unknown operation type {number} is not allowed for the BROKER_LOGGER resource"
                )));
            }
        }
    }
    if !validate_only {
        loggers.apply(changes);
    }
    Ok(())
}

fn check_own_loggers(broker: &Broker, name: &str) -> Outcome {
    let own = broker.node();
    match name.parse::<i32>() {
        Ok(id) if id == own.0 => Ok(()),
        Ok(id) => Err(invalid(format!("Unexpected node id. Expected {own}, but received {id}"))),
        Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
}
