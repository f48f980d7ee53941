//! What a client knows of topics, from Metadata.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::TopicId;
use protocol::api::ApiKey;
use protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use protocol::messages::metadata_response::MetadataResponse;

use super::Io;
use crate::event::Event;
use crate::ledger::Place;

/// A topic as Metadata told it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its id; zero in versions that do not tell it.
    pub id: TopicId,
    /// Its partitions.
    pub partitions: i32,
}

/// Topics by name.
#[derive(Debug)]
pub struct Topics {
    known: BTreeMap<Arc<str>, Known>,
    /// Something is wrong with what is known.
    pub stale: bool,
}

impl Default for Topics {
    /// Nothing is known yet.
    fn default() -> Self {
        Self { known: BTreeMap::new(), stale: true }
    }
}

impl Topics {
    /// A topic, if it is known.
    pub fn get(&self, name: &str) -> Option<Known> {
        self.known.get(name).copied()
    }

    /// Every partition of the living topics among those known.
    pub fn places(&self, io: &Io<'_>) -> Vec<(Place, Known)> {
        let living =
            self.known.iter().filter(|(name, _)| io.ledger.topic(name).is_some_and(|topic| !topic.doomed));
        let places = living.flat_map(|(name, known)| {
            let place = |partition| (Place { topic: name.clone(), partition }, *known);
            (0..known.partitions).map(place)
        });
        places.collect()
    }

    /// The request by which they are learned; it creates them as well when `create` says so.
    pub fn request(&self, version: i16, create: bool, io: &Io<'_>) -> MetadataRequest {
        let topics = io.ledger.living().into_iter().map(|name| MetadataRequestTopic {
            name: Some(name.to_string()),
            ..MetadataRequestTopic::default()
        });
        let topics: Vec<_> = topics.collect();
        MetadataRequest {
            // An empty list means none from version 1 on.
            topics: Some(topics),
            allow_auto_topic_creation: create || version < 4,
            ..MetadataRequest::default()
        }
    }

    /// Takes an answer.
    pub fn learn(&mut self, client: &str, response: &MetadataResponse, version: i16, io: &mut Io<'_>) {
        self.stale = false;
        if response.error_code != ErrorCode::NONE {
            let code = response.error_code;
            io.events.push(Event::Refused { client: client.to_owned(), api: ApiKey::METADATA, code });
            return;
        }
        for topic in &response.topics {
            let name = topic.name.clone().unwrap_or_default();
            if topic.error_code != ErrorCode::NONE {
                self.known.remove(name.as_str());
                let code = topic.error_code;
                io.events.push(Event::Refused { client: client.to_owned(), api: ApiKey::METADATA, code });
                continue;
            }
            let known = Known { id: TopicId(topic.topic_id), partitions: topic.partitions.len() as i32 };
            if version >= 10 {
                io.events.push(Event::TopicTold(name.clone(), known.id));
            }
            self.known.insert(name.into(), known);
        }
    }
}
