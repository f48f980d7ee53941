//! What a log calls durable is there after every crash.

use std::collections::HashMap;

use super::Check;
use crate::event::Event;
use crate::ledger::{Ledger, Place};

#[derive(Default)]
pub(super) struct SyncedSurvives {
    durable_ends: HashMap<Place, i64>,
}

impl Check for SyncedSurvives {
    fn name(&self) -> &'static str {
        "synced survives"
    }

    fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Ends(place, _, ends) => {
                self.durable_ends.insert(place.clone(), ends.durable_end.0);
            }
            Event::Started { logs, away, .. } => {
                for (place, durable_end) in self.durable_ends.extract_if(|place, _| !away.contains(place)) {
                    if ledger.topic(&place.topic).is_none_or(|topic| topic.doomed) || durable_end == 0 {
                        continue;
                    }
                    let log = logs.iter().find(|log| log.place == place);
                    let end = log.map_or(-1, |log| log.ends.log_end.0);
                    if end < durable_end {
                        return Err(format!("{place} was durable up to {durable_end} and ends at {end}"));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
