//! Each request is answered once, in the order of the requests of its connection.

use std::collections::{BTreeMap, VecDeque};

use super::Check;
use crate::event::Event;
use crate::ledger::Ledger;
use crate::network::ConnectionId;

#[derive(Default)]
pub(super) struct ReplyOrder {
    open: BTreeMap<ConnectionId, VecDeque<i32>>,
}

impl Check for ReplyOrder {
    fn name(&self) -> &'static str {
        "replies in order"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Asked(connection, correlation, _) => {
                self.open.entry(*connection).or_default().push_back(*correlation);
            }
            Event::Answered(connection, correlation) => {
                let expected = self.open.get_mut(connection).and_then(VecDeque::pop_front);
                if expected != Some(*correlation) {
                    return Err(format!("{connection}: {correlation} was answered instead of {expected:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
