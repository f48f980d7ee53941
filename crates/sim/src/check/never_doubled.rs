//! An idempotent producer's records are in a log once, in the order in which they were sent.

use std::collections::{HashMap, HashSet};

use super::Check;
use crate::event::{Event, LogState};
use crate::ledger::{Ledger, Place};
use crate::record::RecordId;

#[derive(Default)]
pub(super) struct NeverDoubled {
    acked: HashMap<Place, HashMap<RecordId, i64>>,
    idempotent: HashSet<RecordId>,
}

fn check(log: &LogState) -> Result<(), String> {
    let mut last: HashMap<i64, RecordId> = HashMap::new();
    for seen in log.records.iter().flatten().filter(|seen| seen.producer >= 0) {
        // Records are numbered in the order of sending, so one that is doubled is also out of order.
        if let Some(before) = last.insert(seen.producer, seen.record)
            && before >= seen.record
        {
            let (producer, record, offset) = (seen.producer, seen.record, seen.offset);
            let place = &log.place;
            return Err(format!("{place}: {record} of producer {producer} at {offset} comes after {before}"));
        }
    }
    Ok(())
}

impl Check for NeverDoubled {
    fn name(&self) -> &'static str {
        "never doubled"
    }

    fn on(&mut self, event: &Event, _ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Ended { logs, .. } | Event::Started { logs, .. } => {
                // After a loss of power offsets are given out again.
                self.acked.clear();
                logs.iter().try_for_each(check)
            }
            Event::Sent { records, producer: Some(_), .. } => {
                self.idempotent.extend(records);
                Ok(())
            }
            Event::Acked { place, base_offset, records, .. } => {
                let acked = self.acked.entry(place.clone()).or_default();
                for (offset, record) in (*base_offset..).zip(records) {
                    if !self.idempotent.contains(record) {
                        continue;
                    }
                    if let Some(before) = acked.insert(*record, offset)
                        && before != offset
                    {
                        return Err(format!("{place}: {record} was acked at {before} and at {offset}"));
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
