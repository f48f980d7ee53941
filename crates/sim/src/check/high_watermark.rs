//! The high watermark never falls while the node lives, and the ends of a log keep their order.

use std::collections::HashMap;

use base::ids::{Offset, TopicId};
use storage::Ends;

use super::Check;
use crate::event::Event;
use crate::ledger::{Ledger, Place};

#[derive(Default)]
pub(super) struct HighWatermark {
    known: HashMap<(Place, TopicId), Offset>,
}

impl HighWatermark {
    fn see(&mut self, place: &Place, id: TopicId, ends: &Ends) -> Result<(), String> {
        let Ends { log_start, durable_end, high_watermark, log_end, last_stable, .. } = *ends;
        if !(log_start <= high_watermark && high_watermark <= log_end && durable_end <= log_end) {
            return Err(format!("{place}: {ends:?} are out of order"));
        }
        if last_stable > high_watermark {
            return Err(format!("{place}: {ends:?}: nothing is stable above the high watermark"));
        }
        match self.known.insert((place.clone(), id), high_watermark) {
            Some(before) if before > high_watermark => {
                Err(format!("{place}: it was {before} and is {high_watermark}"))
            }
            _ => Ok(()),
        }
    }
}

impl Check for HighWatermark {
    fn name(&self) -> &'static str {
        "high watermark never falls"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Ended { .. } | Event::EndedEarly(_) => {
                self.known.clear();
                Ok(())
            }
            Event::Started { logs, .. } => {
                logs.iter().try_for_each(|log| self.see(&log.place, log.topic_id, &log.ends))
            }
            Event::Ends(place, id, ends) => self.see(place, *id, ends),
            _ => Ok(()),
        }
    }
}
