//! The node always starts again on what a crash left, and never gives up by itself while the disk works.

use super::Check;
use crate::event::Event;
use crate::ledger::Ledger;

pub(super) struct AlwaysStarts;

impl Check for AlwaysStarts {
    fn name(&self) -> &'static str {
        "always starts"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::StartFailed { error, disk_failed: false }
            | Event::Halted { error, disk_failed: false } => Err(error.clone()),
            _ => Ok(()),
        }
    }
}
