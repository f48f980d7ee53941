//! A producer id is given to one producer, whatever happens to the node in between.

use std::collections::BTreeSet;

use super::Check;
use crate::event::Event;
use crate::ledger::Ledger;

#[derive(Default)]
pub(super) struct ProducerIds {
    given: BTreeSet<(i64, i16)>,
}

impl Check for ProducerIds {
    fn name(&self) -> &'static str {
        "producer ids are given once"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::ProducerId(id, epoch) if !self.given.insert((*id, *epoch)) => {
                Err(format!("{id} epoch {epoch} was given before"))
            }
            _ => Ok(()),
        }
    }
}
