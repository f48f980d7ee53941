//! A fetch returns what was asked for, and nothing above the high watermark.

use std::collections::HashMap;

use super::Check;
use crate::event::Event;
use crate::ledger::{Ledger, Place};

#[derive(Default)]
pub(super) struct FetchBelowHighWatermark {
    /// The high watermarks of this life as the node itself sees them.
    known: HashMap<Place, i64>,
    life: u64,
}

impl Check for FetchBelowHighWatermark {
    fn name(&self) -> &'static str {
        "fetch below high watermark"
    }

    fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Ended { .. } | Event::EndedEarly(_) => {
                self.known.clear();
                self.life += 1;
            }
            Event::Started { logs, .. } => {
                let known = logs.iter().map(|log| (log.place.clone(), log.ends.high_watermark.0));
                self.known.extend(known);
            }
            Event::Ends(place, _, ends) => {
                self.known.insert(place.clone(), ends.high_watermark.0);
            }
            Event::Fetched { life, place, position, high_watermark, records } => {
                let records =
                    records.as_ref().map_err(|error| format!("{place} from {position}: {error}"))?;
                let known = self.known.get(place).copied();
                if *life == self.life && known.is_some_and(|known| *high_watermark > known) {
                    return Err(format!("{place}: {high_watermark} was told, but {known:?} is true"));
                }
                let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
                if last.offset >= *high_watermark {
                    return Err(format!("{place}: offset {} is above {high_watermark}", last.offset));
                }
                if first.offset > *position || last.offset < *position {
                    let got = first.offset..=last.offset;
                    return Err(format!("{place}: offset {position} was asked for, {got:?} came"));
                }
                if records.windows(2).any(|pair| pair[0].offset + 1 != pair[1].offset) {
                    return Err(format!("{place} from {position}: offsets are missing"));
                }
                if let Some(seen) = records.iter().find(|seen| ledger.place_of(seen.record) != Some(place)) {
                    return Err(format!("{} came from {place}, where it was never sent", seen.record));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
