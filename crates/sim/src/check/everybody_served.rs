//! Nobody waits for ever, and what is in a log can be read in the end.
//!
//! A wake-up that is lost leaves somebody waiting when there is nothing left to do.

use super::Check;
use crate::event::Event;
use crate::ledger::Ledger;

pub(super) struct EverybodyServed;

impl Check for EverybodyServed {
    fn name(&self) -> &'static str {
        "everybody is served"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Stuck(who) => Err(who.clone()),
            Event::Settled(logs) => {
                let behind =
                    logs.iter().find(|log| !log.offline && log.ends.high_watermark < log.ends.log_end);
                behind.map_or(Ok(()), |log| Err(format!("{} ends with {:?}", log.place, log.ends)))
            }
            _ => Ok(()),
        }
    }
}
