//! What a command line of `kafka-configs` is about.

use client::admin::ResourceType;

use crate::failure::{Result, failed};
use crate::flags::Arguments;

/// What is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) kind: ResourceType,
    /// Empty: all together; nothing: each of them.
    pub(super) name: Option<String>,
}

/// The kinds that Kafka has, those that are not built too.
const ALL: &str = "topics, clients, users, brokers, ips, client-metrics, groups, broker-loggers";

/// The flags that name an entity by themselves.
const SHORT: [(&str, ResourceType); 5] = [
    ("topic", ResourceType::Topic),
    ("broker", ResourceType::Broker),
    ("broker-logger", ResourceType::BrokerLogger),
    ("client-metrics", ResourceType::ClientMetrics),
    ("group", ResourceType::Group),
];

fn from_plural(name: &str) -> Option<ResourceType> {
    SHORT.iter().map(|(_, kind)| *kind).find(|kind| plural(*kind) == name)
}

/// What Kafka calls all of a kind.
pub(super) fn plural(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Topic => "topics",
        ResourceType::Broker => "brokers",
        ResourceType::BrokerLogger => "broker-loggers",
        ResourceType::ClientMetrics => "client-metrics",
        ResourceType::Group => "groups",
    }
}

/// As Kafka prints it: without the last letter, whichever that is.
pub(super) fn singular(kind: ResourceType) -> &'static str {
    let plural = plural(kind);
    &plural[..plural.len() - 1]
}

impl Entity {
    /// Reads the flags that say it.
    pub(super) fn of(arguments: &Arguments) -> Result<Self> {
        let general = ["entity-type", "entity-name", "entity-default"].iter().any(|flag| arguments.has(flag));
        let short: Vec<_> = SHORT.iter().filter(|(flag, _)| arguments.has(flag)).collect();
        let defaults = arguments.has("broker-defaults");
        if general && (defaults || !short.is_empty()) {
            return failed(
                "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
            );
        }
        let kinds: Vec<&str> = arguments.each("entity-type").collect();
        let entity = match (kinds.as_slice(), short.as_slice()) {
            ([], []) if defaults => Self { kind: ResourceType::Broker, name: Some(String::new()) },
            ([], []) => return failed("At least one entity type must be specified"),
            ([], [(flag, kind)]) if !defaults => {
                Self { kind: *kind, name: arguments.get(flag).map(str::to_owned) }
            }
            ([kind], []) => Self { kind: named(kind)?, name: name(arguments) },
            _ => return failed("Only 'users' and 'clients' entity types may be specified together"),
        };
        entity.check_name()?;
        Ok(entity)
    }

    /// Whether no single one is named.
    pub(super) fn has_no_name(&self) -> bool {
        self.name.as_deref().unwrap_or_default().is_empty()
    }

    fn check_name(&self) -> Result<()> {
        let name = self.name.as_deref().unwrap_or_default();
        let of_broker = matches!(self.kind, ResourceType::Broker | ResourceType::BrokerLogger);
        if of_broker && !name.is_empty() && name.parse::<i32>().is_err() {
            let kind = plural(self.kind);
            return failed(format!(
                "The entity name for {kind} must be a valid integer broker id, but it is: {name}"
            ));
        }
        Ok(())
    }
}

fn named(kind: &str) -> Result<ResourceType> {
    match from_plural(kind) {
        Some(kind) => Ok(kind),
        None if ["users", "clients", "ips"].contains(&kind) => {
            failed(format!("Quotas and credentials of {kind} are not supported by this tool yet."))
        }
        None => failed(format!(
            "Invalid entity type {kind}, the entity type must be one of {ALL} with a --bootstrap-server or \
             --bootstrap-controller argument"
        )),
    }
}

fn name(arguments: &Arguments) -> Option<String> {
    match arguments.get("entity-name") {
        Some(name) => Some(name.to_owned()),
        None => arguments.has("entity-default").then(String::new),
    }
}
