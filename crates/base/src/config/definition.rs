//! The shape of a table of configs, and values checked against one.
//!
//! The variants here have the names that `codegen` emits.

use super::error::ConfigError;
use super::properties::Properties;
use super::value::Value;

mod check;
#[cfg(test)]
mod tests;

/// A table of configs: those of a broker, a topic, a group or a client metrics subscription.
#[derive(Debug)]
pub struct Table {
    /// `broker`, `topic`, `group` or `client_metrics`.
    pub name: &'static str,
    /// In the order in which values are checked.
    pub definitions: &'static [Definition],
    /// Places in `definitions`, sorted by name.
    pub(crate) by_name: &'static [usize],
}

/// One config.
#[derive(Debug)]
pub struct Definition {
    /// Kafka's name.
    pub name: &'static str,
    /// The part of the reference it stands in.
    pub section: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its value when it is not set.
    pub default: Default,
    /// Which values of its type it takes.
    pub check: Check,
    /// Whether a broker takes a new value while it runs. Meaningless outside the broker table.
    pub mode: Mode,
    /// Whether it may stand behind `listener.name.NAME.` for one listener.
    pub listener: bool,
    /// How much a person should care.
    pub importance: Importance,
    /// For developers: described only where it was set.
    pub internal: bool,
    /// Whether it has its effect here. Without it the value is accepted and checked, no more.
    pub built: bool,
    /// Built for values given at the start alone: one that is set while the broker runs is kept and shown, no more.
    pub at_start: bool,
    /// The configs of the same table that give one value between them, first one first; itself alone for most.
    pub chain: &'static [&'static str],
    /// The broker configs that give a topic or group its value when it has none of its own, first one first.
    pub inherits: &'static [Inherited],
    /// What it means.
    pub doc: &'static str,
}

/// Types of configs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits, signed.
    Int,
    /// 16 bits, signed.
    Short,
    /// 64 bits, signed.
    Long,
    /// A Java double.
    Double,
    /// Text between commas.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

/// A default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// There is none: it must be set.
    Required,
    /// Not set is a value.
    Null,
    /// This text, as Kafka prints it.
    Text(&'static str),
}

/// Which values of its type a config takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// All of them.
    Any,
    /// Whole numbers within bounds, both inclusive, or one beside them.
    Integer {
        /// The smallest.
        least: i64,
        /// The largest.
        most: Option<i64>,
        /// The one beside them.
        or: Option<i64>,
    },
    /// Doubles within bounds, both inclusive.
    Double {
        /// The smallest.
        least: f64,
        /// The largest.
        most: Option<f64>,
    },
    /// One of these strings.
    OneOf {
        /// The strings, in the order in which Kafka lists them.
        values: &'static [&'static str],
        /// Whether capitals and small letters are the same.
        any_case: bool,
    },
    /// Not the empty string.
    NotEmpty,
    /// A list without blank entries; doubled entries count once.
    List {
        /// The entries it takes; all when empty.
        values: &'static [&'static str],
        /// Whether it may have no entry.
        empty: bool,
    },
    /// `ID@HOST:PORT` entries.
    Voters,
    /// `HOST:PORT` entries.
    BootstrapServers,
    /// `*` alone, or `PARTITION:BROKER` entries.
    ThrottledReplicas,
    /// `latest`, `earliest`, or `by_duration:` and an ISO 8601 duration.
    OffsetReset,
}

/// Whether a config takes a new value while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No: after a restart.
    Static,
    /// Yes, for all brokers at once or for one.
    Cluster,
    /// Yes, for one broker at a time.
    PerBroker,
}

/// How much a person should care about a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Look at it first.
    High,
    /// In between.
    Medium,
    /// For special needs.
    Low,
}

/// A broker config that gives a topic or group its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inherited {
    /// The broker config.
    pub name: &'static str,
    /// What its number is multiplied with: hours into milliseconds.
    pub factor: i64,
}

impl Inherited {
    /// The broker config's text in the unit of the config that inherits it.
    pub fn convert(&self, text: &str) -> String {
        match (self.factor, super::value::trim(text).parse::<i64>()) {
            (1, _) | (_, Err(_)) => text.to_owned(),
            (factor, Ok(number)) => number.saturating_mul(factor).to_string(),
        }
    }
}

impl Definition {
    /// Whether the value is never shown.
    pub fn sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Reads and checks a value.
    ///
    /// # Errors
    /// When it does not fit, in Kafka's words.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let shown = if self.sensitive() { "[hidden]" } else { text };
        let mut value =
            Value::parse(self.kind, text).map_err(|why| ConfigError::invalid(self.name, shown, why))?;
        check::run(self, &mut value)?;
        Ok(value)
    }

    /// The default as a value; nothing for a required config.
    ///
    /// # Panics
    /// When the table holds a default that does not fit: a test reads every one.
    pub fn default_value(&self) -> Option<Value> {
        match self.default {
            Default::Required => None,
            Default::Null => Some(Value::Null),
            Default::Text(text) => Some(match Value::parse(self.kind, text) {
                Ok(value) => value,
                Err(why) => panic!("the default of {} does not fit: {why}", self.name),
            }),
        }
    }
}

impl Table {
    /// The place of a config in `definitions`.
    pub fn index(&self, name: &str) -> Option<usize> {
        let place = self.by_name.binary_search_by_key(&name, |&index| self.definitions[index].name).ok()?;
        Some(self.by_name[place])
    }

    /// The config with this name.
    pub fn get(&self, name: &str) -> Option<&'static Definition> {
        self.index(name).map(|index| &self.definitions[index])
    }

    /// The configs that are accepted and have no effect yet, in the table's order.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static Definition> {
        self.definitions.iter().filter(|definition| !definition.built)
    }

    /// Reads and checks every config of this table that `properties` sets; the others get their defaults. Names that
    /// are not in the table are left to the caller.
    ///
    /// # Errors
    /// The first fault in the table's order, in Kafka's words.
    pub fn parse(&self, properties: &Properties) -> Result<Values, ConfigError> {
        self.parse_with(|definition| properties.get(definition.name).cloned())
    }

    /// As [`Table::parse`], with the text of each config from `text`.
    ///
    /// # Errors
    /// The first fault in the table's order, in Kafka's words.
    pub fn parse_with(
        &self,
        mut text: impl FnMut(&'static Definition) -> Option<String>,
    ) -> Result<Values, ConfigError> {
        let missing = |definition: &Definition| ConfigError::Missing { name: definition.name.to_owned() };
        let mut values = Vec::with_capacity(self.definitions.len());
        for definition in self.definitions {
            values.push(match text(definition) {
                Some(text) => definition.parse(&text)?,
                None => definition.default_value().ok_or_else(|| missing(definition))?,
            });
        }
        Ok(Values { table: self.name, values })
    }
}

/// A checked value for every config of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    table: &'static str,
    values: Vec<Value>,
}

impl Values {
    /// The name of the table.
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// The value at a place of the table's `definitions`.
    pub fn at(&self, index: usize) -> &Value {
        &self.values[index]
    }
}
