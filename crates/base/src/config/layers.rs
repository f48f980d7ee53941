//! Which value of a config counts, and where it came from.
//!
//! ```text
//!   a topic's override → dynamic, this broker → dynamic, all brokers → server.properties → default
//! ```
//!
//! Within one layer the configs of a chain stand in for each other: `log.retention.ms` before `log.retention.minutes`
//! before `log.retention.hours`. Invariant: what [`Layers::topic_config`] gives is what the description says.

use super::definition::{Default, Definition, Kind, Table, Values};
use super::error::ConfigError;
use super::properties::Properties;
use super::tables::{BROKER, BrokerConfig, CLIENT_METRICS, GROUP, TOPIC, TopicConfig};
use super::value::{Value, trim};

#[cfg(test)]
mod tests;

/// Where a value came from, with the number that DescribeConfigs and CreateTopics send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// The topic's own.
    Topic = 1,
    /// Set at run time for this broker.
    DynamicBroker = 2,
    /// Set at run time for all brokers.
    DynamicDefaultBroker = 3,
    /// From `server.properties` or an override at the start.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// A logger's level.
    DynamicBrokerLogger = 6,
    /// The client metrics subscription's own.
    ClientMetrics = 7,
    /// The group's own.
    Group = 8,
}

/// What a broker was configured with, layer by layer, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// `server.properties` and the overrides of the command line.
    pub static_broker: Properties,
    /// Set at run time for all brokers.
    pub dynamic_default: Properties,
    /// Set at run time for this broker.
    pub dynamic_broker: Properties,
}

/// A config of a topic as CreateTopics (version 5 and later) returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedConfig {
    /// The config.
    pub name: &'static str,
    /// Its text, as it was given. Nothing: it is not set, or never shown.
    pub value: Option<String>,
    /// Where the text came from.
    pub source: ConfigSource,
    /// Whether it is never shown.
    pub sensitive: bool,
}

/// A config as DescribeConfigs returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConfig {
    /// The config.
    pub name: String,
    /// Its value as it was understood. Nothing: it is not set, or never shown.
    pub value: Option<String>,
    /// Whether it takes no new value at run time.
    pub read_only: bool,
    /// Where the value came from.
    pub source: ConfigSource,
    /// Whether it is never shown.
    pub sensitive: bool,
    /// Every layer's value, the one that counts first.
    pub synonyms: Vec<Synonym>,
    /// Its type; nothing for a name that is not a config of Kafka.
    pub kind: Option<Kind>,
    /// What it means.
    pub documentation: Option<&'static str>,
}

/// One layer's value of a described config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The config that the layer sets; it may be another one of the chain.
    pub name: String,
    /// Its text. Nothing: it is never shown.
    pub value: Option<String>,
    /// The layer.
    pub source: ConfigSource,
}

impl Layers {
    /// The layers of a broker that was started with these properties.
    pub fn of_static(static_broker: Properties) -> Self {
        Self { static_broker, ..Self::default() }
    }

    /// What counts for this broker.
    ///
    /// # Errors
    /// When a value does not fit.
    pub fn broker_config(&self) -> Result<BrokerConfig, ConfigError> {
        Ok(BrokerConfig::of(&BROKER.parse(&self.effective())?))
    }

    /// What counts for a topic with these overrides.
    ///
    /// # Errors
    /// When a value does not fit.
    pub fn topic_config(&self, overrides: &Properties) -> Result<TopicConfig, ConfigError> {
        Ok(TopicConfig::of(&self.topic_values(overrides)?))
    }

    pub(crate) fn topic_values(&self, overrides: &Properties) -> Result<Values, ConfigError> {
        TOPIC.parse_with(|definition| match overrides.get(definition.name) {
            Some(text) => Some(text.clone()),
            None => self.inherited(definition).map(|(_, text)| understood(definition, text)),
        })
    }

    /// The configs of a topic with these overrides, as CreateTopics returns them; sorted by name.
    pub fn created_topic(&self, overrides: &Properties) -> Vec<CreatedConfig> {
        let entry = |definition: &'static Definition| {
            let (source, value) = match overrides.get(definition.name) {
                Some(text) => (ConfigSource::Topic, Some(text.clone())),
                None => match self.inherited(definition) {
                    Some((source, text)) => (source, Some(text)),
                    None => (ConfigSource::Default, default_text(definition)),
                },
            };
            let sensitive = definition.sensitive();
            CreatedConfig { name: definition.name, value: value.filter(|_| !sensitive), source, sensitive }
        };
        by_name(&TOPIC)
            .filter(|definition| !definition.internal || overrides.contains_key(definition.name))
            .map(entry)
            .collect()
    }

    /// The description of a topic with these overrides; sorted by name.
    pub fn describe_topic(&self, overrides: &Properties) -> Vec<DescribedConfig> {
        self.describe_resource(&TOPIC, overrides, ConfigSource::Topic)
    }

    /// The description of a group with these overrides; sorted by name.
    pub fn describe_group(&self, overrides: &Properties) -> Vec<DescribedConfig> {
        self.describe_resource(&GROUP, overrides, ConfigSource::Group)
    }

    /// The description of a client metrics subscription with these overrides; sorted by name.
    pub fn describe_client_metrics(&self, overrides: &Properties) -> Vec<DescribedConfig> {
        self.describe_resource(&CLIENT_METRICS, overrides, ConfigSource::ClientMetrics)
    }

    /// What a resource overrides comes first, then what the broker gives it.
    fn describe_resource(
        &self,
        table: &'static Table,
        overrides: &Properties,
        source: ConfigSource,
    ) -> Vec<DescribedConfig> {
        let describe = |definition: &'static Definition| {
            let own = overrides.get(definition.name);
            let text = own.cloned().or_else(|| self.inherited(definition).map(|(_, text)| text));
            let mut synonyms = Vec::new();
            if let Some(text) = own {
                let value = shown(Some(definition), Some(text));
                synonyms.push(Synonym { name: definition.name.to_owned(), value, source });
            }
            match (definition.inherits.first(), definition.default) {
                (Some(first), _) => synonyms.extend(self.synonyms(first.name)),
                // Of what no broker config gives a value, Kafka tells the default for groups alone.
                (None, Default::Text(default)) if source == ConfigSource::Group => {
                    let (name, value) = (definition.name.to_owned(), Some(default.to_owned()));
                    synonyms.push(Synonym { name, value, source: ConfigSource::Default });
                }
                (None, _) => {}
            }
            described(definition.name, Some(definition), text.as_ref(), false, synonyms)
        };
        by_name(table)
            .filter(|definition| !definition.internal || overrides.contains_key(definition.name))
            .map(describe)
            .collect()
    }

    /// The description of this broker: every config of the table, and whatever else was set; sorted by name.
    pub fn describe_broker(&self) -> Vec<DescribedConfig> {
        let effective = self.effective();
        let mut names: Vec<&str> = effective.keys().map(String::as_str).collect();
        names.extend(
            by_name(&BROKER).filter(|definition| !definition.internal).map(|definition| definition.name),
        );
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .map(|name| described_broker(name, effective.get(name), self.synonyms(name)))
            .collect()
    }

    /// The description of what was set for all brokers at run time; sorted by name.
    pub fn describe_broker_default(&self) -> Vec<DescribedConfig> {
        let describe = |(name, text): (&String, &String)| {
            let own = |synonym: &Synonym| synonym.source == ConfigSource::DynamicDefaultBroker;
            described_broker(name, Some(text), self.synonyms(name).into_iter().filter(own).collect())
        };
        self.dynamic_default.iter().map(describe).collect()
    }

    /// The text that a broker config gives to a topic config, in the topic config's unit, and its layer.
    pub(crate) fn inherited(&self, definition: &Definition) -> Option<(ConfigSource, String)> {
        for (layer, source) in self.layers() {
            for inherited in definition.inherits {
                if let Some(text) = layer.get(inherited.name) {
                    return Some((source, inherited.convert(text)));
                }
            }
        }
        None
    }

    fn layers(&self) -> [(&Properties, ConfigSource); 3] {
        [
            (&self.dynamic_broker, ConfigSource::DynamicBroker),
            (&self.dynamic_default, ConfigSource::DynamicDefaultBroker),
            (&self.static_broker, ConfigSource::StaticBroker),
        ]
    }

    /// Every layer's value of a broker config and those of its chain, from the first that is the config itself: a
    /// config that merely stands in is not shown in front.
    fn synonyms(&self, name: &str) -> Vec<Synonym> {
        let family = family(name);
        let mut synonyms = Vec::new();
        for (layer, source) in self.layers() {
            for member in &family {
                if let Some(text) = layer.get(*member) {
                    let value = shown_raw(definition_behind(member), text);
                    synonyms.push(Synonym { name: (*member).to_owned(), value, source });
                }
            }
        }
        for member in &family {
            if let Some(Default::Text(text)) = BROKER.get(member).map(|definition| definition.default) {
                let value = shown_raw(BROKER.get(member), text);
                synonyms.push(Synonym { name: (*member).to_owned(), value, source: ConfigSource::Default });
            }
        }
        let first = synonyms.iter().position(|synonym| synonym.name == name);
        synonyms.drain(..first.unwrap_or(synonyms.len()));
        synonyms
    }

    /// One layer out of the three. A config set in a higher one drops its whole chain from the lower ones, so that
    /// `log.retention.hours` reads as its default once `log.retention.ms` is set at run time: Kafka does the same.
    pub(crate) fn effective(&self) -> Properties {
        let mut effective = self.static_broker.clone();
        for layer in [&self.dynamic_default, &self.dynamic_broker] {
            for (name, text) in layer {
                if let Some(definition) = BROKER.get(name) {
                    definition.chain.iter().for_each(|member| drop(effective.remove(*member)));
                }
                effective.insert(name.clone(), text.clone());
            }
        }
        effective
    }
}

/// A broker's negative retention is unlimited, whatever the number; a topic's own must be -1.
fn understood(definition: &Definition, inherited: String) -> String {
    let negative = trim(&inherited).parse::<i64>().is_ok_and(|number| number < 0);
    if definition.name == "retention.ms" && negative { "-1".to_owned() } else { inherited }
}

fn by_name(table: &'static Table) -> impl Iterator<Item = &'static Definition> {
    table.by_name.iter().map(|&index| &table.definitions[index])
}

/// The configs that stand in for this one: its chain, or for `listener.name.NAME.x` that and `x`.
fn family(name: &str) -> Vec<&str> {
    match BROKER.get(name) {
        Some(definition) => definition.chain.to_vec(),
        None => std::iter::once(name).chain(behind_listener(name)).collect(),
    }
}

/// The config behind `listener.name.NAME.`.
fn behind_listener(name: &str) -> Option<&str> {
    let (_, config) = name.strip_prefix("listener.name.")?.split_once('.')?;
    Some(config)
}

/// The definition of a broker config, also behind a listener's prefix.
fn definition_behind(name: &str) -> Option<&'static Definition> {
    BROKER.get(name).or_else(|| BROKER.get(behind_listener(name)?))
}

fn described_broker(name: &str, text: Option<&String>, synonyms: Vec<Synonym>) -> DescribedConfig {
    let exact = BROKER.get(name);
    let read_only = exact.is_none_or(|definition| definition.mode == super::definition::Mode::Static);
    DescribedConfig {
        documentation: exact.map(|definition| definition.doc),
        ..described(name, definition_behind(name), text, read_only, synonyms)
    }
}

fn described(
    name: &str,
    definition: Option<&'static Definition>,
    text: Option<&String>,
    read_only: bool,
    synonyms: Vec<Synonym>,
) -> DescribedConfig {
    DescribedConfig {
        name: name.to_owned(),
        value: shown(definition, text),
        read_only,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        // What nobody knows may be anything.
        sensitive: definition.is_none_or(Definition::sensitive),
        synonyms,
        kind: definition.map(|definition| definition.kind),
        documentation: definition.map(|definition| definition.doc),
    }
}

/// The value as it was understood, or the default; nothing for what is never shown.
fn shown(definition: Option<&'static Definition>, text: Option<&String>) -> Option<String> {
    let definition = definition.filter(|definition| !definition.sensitive())?;
    match text.map(|text| definition.parse(text)) {
        None => default_text(definition),
        Some(Ok(Value::Null)) => None,
        Some(Ok(value)) => Some(value.to_string()),
        Some(Err(_)) => text.cloned(),
    }
}

/// The text as it was given; nothing for what is never shown.
fn shown_raw(definition: Option<&'static Definition>, text: &str) -> Option<String> {
    definition.filter(|definition| !definition.sensitive()).map(|_| text.to_owned())
}

fn default_text(definition: &Definition) -> Option<String> {
    match definition.default {
        Default::Text(text) => Some(text.to_owned()),
        Default::Required | Default::Null => None,
    }
}

impl Kind {
    /// The number that DescribeConfigs sends for the type; 0 is for names that are not a config of Kafka.
    pub fn id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}
