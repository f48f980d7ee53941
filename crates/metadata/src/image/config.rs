//! Resources and the configs set on them.

use std::sync::Arc;

use imbl::OrdMap;

/// The configs set on one resource, by name. Names and values are kept as the log has them, known or not.
pub type ConfigOverrides = OrdMap<Arc<str>, Arc<str>>;

/// What configs are set on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// What kind of thing.
    pub kind: ResourceType,
    /// Its name: a topic's name, a broker's id in digits, a group's id. Empty for the default of all brokers.
    pub name: Arc<str>,
}

/// The kinds of things that configs are set on, with Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic.
    Topic = 2,
    /// A broker, or all brokers.
    Broker = 4,
    /// A client metrics subscription.
    ClientMetrics = 16,
    /// A group.
    Group = 32,
}

impl Resource {
    /// A topic.
    pub fn topic(name: impl Into<Arc<str>>) -> Self {
        Self { kind: ResourceType::Topic, name: name.into() }
    }

    /// A broker; empty for the default of all brokers.
    pub fn broker(name: impl Into<Arc<str>>) -> Self {
        Self { kind: ResourceType::Broker, name: name.into() }
    }
}

impl ResourceType {
    /// The kind of this number; `None` for one that configs are not logged for.
    pub fn from_number(number: i8) -> Option<Self> {
        [Self::Topic, Self::Broker, Self::ClientMetrics, Self::Group]
            .into_iter()
            .find(|kind| kind.number() == number)
    }

    /// The number in records and requests.
    pub fn number(self) -> i8 {
        self as i8
    }
}
