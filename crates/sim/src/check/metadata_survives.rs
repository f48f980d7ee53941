//! A topic that a client was told of is there until somebody asks for its deletion; a deleted one does not come back.

use std::collections::{BTreeMap, BTreeSet};

use base::ids::TopicId;

use super::Check;
use crate::event::Event;
use crate::ledger::Ledger;

#[derive(Default)]
pub(super) struct MetadataSurvives {
    told: BTreeMap<String, TopicId>,
    asked: BTreeSet<String>,
    deleted: BTreeSet<String>,
}

impl Check for MetadataSurvives {
    fn name(&self) -> &'static str {
        "metadata survives"
    }

    fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::TopicTold(name, id) => {
                // Names are used once, so a topic never changes its id.
                if let Some(before) = self.told.insert(name.clone(), *id)
                    && before != *id
                {
                    return Err(format!("{name} was told as {} and as {}", before.0, id.0));
                }
            }
            Event::DeleteAsked(name) => {
                self.asked.insert(name.clone());
            }
            Event::Deleted(name) => {
                self.deleted.insert(name.clone());
            }
            Event::Started { topics, .. } => {
                let found: BTreeMap<&str, TopicId> =
                    topics.iter().map(|(name, id)| (name.as_str(), *id)).collect();
                for (name, id) in self.told.iter().filter(|(name, _)| !self.asked.contains(*name)) {
                    match found.get(name.as_str()) {
                        Some(is) if is == id => {}
                        Some(is) => return Err(format!("{name} was {} and is {}", id.0, is.0)),
                        None => return Err(format!("{name} was told and is gone")),
                    }
                }
                if let Some(name) = self.deleted.iter().find(|name| found.contains_key(name.as_str())) {
                    return Err(format!("{name} was deleted and is back"));
                }
                if let Some(name) = found.keys().find(|name| ledger.topic(name).is_none()) {
                    return Err(format!("nobody asked for {name}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
