//! What clients have asked for in a run: which record went where, and which topics there may be.
//!
//! The clients share it, as people who work together know of each other's topics; the checks look records up in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::record::RecordId;

/// A partition by its topic's name. Names are used once in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: i32,
}

/// An idempotent producer: its id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerKey {
    /// The id.
    pub id: i64,
    /// The epoch.
    pub epoch: i16,
}

/// What clients intend with a topic.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Partitions; `None` leaves it to the node's default.
    pub partitions: Option<i32>,
    /// Configs.
    pub configs: Vec<(String, String)>,
    /// Old segments are deleted: its logs need not begin at 0.
    pub retained: bool,
    /// Somebody wants it to be deleted, or it is.
    pub doomed: bool,
}

/// All that was asked for.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: Vec<Place>,
    topics: BTreeMap<Arc<str>, Intent>,
}

impl Ledger {
    /// A new record for this place.
    pub fn record(&mut self, place: &Place) -> RecordId {
        self.sent.push(place.clone());
        RecordId(self.sent.len() as u64 - 1)
    }

    /// Where a record was sent to; `None` if there is no such record.
    pub fn place_of(&self, record: RecordId) -> Option<&Place> {
        self.sent.get(record.0 as usize)
    }

    /// How many records were sent.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Adds a topic that clients may use from now on.
    pub fn intend(&mut self, name: Arc<str>, intent: Intent) {
        let before = self.topics.insert(name, intent);
        assert!(before.is_none(), "a name is used once");
    }

    /// How many topics there were in all.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// A topic by its name.
    pub fn topic(&self, name: &str) -> Option<&Intent> {
        self.topics.get(name)
    }

    /// Somebody asks for its deletion.
    pub fn doom(&mut self, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.doomed = true;
        }
    }

    /// The topics that nobody wants to be deleted, in the order of their names.
    pub fn living(&self) -> Vec<Arc<str>> {
        let living = self.topics.iter().filter(|(_, intent)| !intent.doomed);
        living.map(|(name, _)| name.clone()).collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Display for ProducerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.epoch)
    }
}
