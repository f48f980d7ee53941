//! A log holds what clients sent to it, offset by offset, and a crash takes only from its end.

use std::collections::HashMap;

use super::Check;
use crate::content::Seen;
use crate::event::{Event, LogState};
use crate::ledger::{Ledger, Place};

#[derive(Default)]
pub(super) struct ValidPrefix {
    /// What each log held when the node last went down, and whether a failing disk may have written more than that.
    before: HashMap<Place, (Vec<Seen>, bool)>,
}

impl ValidPrefix {
    fn on_started(&self, log: &LogState, records: &[Seen]) -> Result<(), String> {
        let place = &log.place;
        let Some((before, may_be_longer)) = self.before.get(place) else { return Ok(()) };
        // Retention takes from the begin, and what it took may come back.
        let (start, is_start) = (log.ends.log_start.0, before.first().map_or(0, |seen| seen.offset));
        let before = &before[before.partition_point(|seen| seen.offset < start)..];
        let records = &records[records.partition_point(|seen| seen.offset < is_start)..];
        for (was, is) in before.iter().zip(records) {
            if was.offset != is.offset || was.record != is.record {
                let (was, is, at) = (was.record, is.record, is.offset);
                return Err(format!("{place} had {was} before the crash and has {is} now, at offset {at}"));
            }
        }
        if records.len() > before.len() && !may_be_longer {
            return Err(format!("{place} had {} records and has {} now", before.len(), records.len()));
        }
        Ok(())
    }
}

fn check(log: &LogState, ledger: &Ledger) -> Result<Vec<Seen>, String> {
    let place = &log.place;
    let records = log.records.clone().map_err(|error| format!("{place}: {error}"))?;
    let offsets = log.ends.log_start.0..log.ends.log_end.0;
    if !records.iter().map(|seen| seen.offset).eq(offsets.clone()) {
        return Err(format!("{place} says it has offsets {offsets:?}, but has {:?}", spans(&records)));
    }
    for seen in &records {
        match ledger.place_of(seen.record) {
            Some(sent) if sent == place => {}
            Some(sent) => return Err(format!("{} was sent to {sent} and is in {place}", seen.record)),
            None => return Err(format!("{} in {place} was never sent", seen.record)),
        }
    }
    Ok(records)
}

/// The unbroken runs of offsets.
fn spans(records: &[Seen]) -> Vec<std::ops::RangeInclusive<i64>> {
    let runs = records.chunk_by(|a, b| a.offset + 1 == b.offset);
    runs.map(|run| run[0].offset..=run[run.len() - 1].offset).collect()
}

impl Check for ValidPrefix {
    fn name(&self) -> &'static str {
        "valid prefix"
    }

    fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Ended { logs, .. } => {
                // Those that were away meanwhile are as they were.
                for log in logs {
                    self.before.insert(log.place.clone(), (check(log, ledger)?, log.offline));
                }
            }
            Event::Started { logs, .. } => {
                for log in logs {
                    let records = check(log, ledger)?;
                    self.on_started(log, &records)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
