//! What clients were told is in a log stays there, at its offset.
//!
//! Told means acked to a producer or returned to a consumer. A topic with `flush.messages=1` keeps it through every crash;
//! another one through every end of the process, and through a loss of power as far as it was synced.

use std::collections::{BTreeMap, HashMap};

use super::Check;
use crate::event::{Ending, Event, LogState};
use crate::ledger::{Ledger, Place};
use crate::record::RecordId;

pub(super) struct AckedSurvives {
    durable: bool,
    life: u64,
    told: BTreeMap<Place, BTreeMap<i64, RecordId>>,
    /// The worst end since the node last served.
    worst: Ending,
    /// Of a log that was away then: the worst since it was last there.
    worst_away: HashMap<Place, Ending>,
    /// Durable ends of the logs when they were last there.
    durable_ends: HashMap<Place, i64>,
}

impl AckedSurvives {
    pub(super) fn new(durable: bool) -> Self {
        let (told, worst_away, durable_ends) = Default::default();
        Self { durable, life: 0, told, worst: Ending::Clean, worst_away, durable_ends }
    }

    fn tell(&mut self, place: &Place, offset: i64, record: RecordId) -> Result<(), String> {
        match self.told.entry(place.clone()).or_default().insert(offset, record) {
            Some(before) if before != record => {
                Err(format!("clients were told of {before} and of {record} at offset {offset} of {place}"))
            }
            _ => Ok(()),
        }
    }

    /// What an earlier life told may be gone by now, when that life could forget.
    fn counts(&self, life: u64) -> bool {
        self.durable || life == self.life
    }

    fn on_started(&mut self, logs: &[LogState], away: &[Place], ledger: &Ledger) -> Result<(), String> {
        let worst_before = std::mem::take(&mut self.worst_away);
        let worst_of = |place| worst_before.get(place).map_or(self.worst, |before| self.worst.max(*before));
        self.worst_away = away.iter().map(|place| (place.clone(), worst_of(place))).collect();
        let logs: HashMap<&Place, &LogState> = logs.iter().map(|log| (&log.place, log)).collect();
        for (place, told) in self.told.iter_mut().filter(|(place, _)| !away.contains(place)) {
            let keeps_all = self.durable || worst_of(place) < Ending::PowerLost;
            let topic = ledger.topic(&place.topic);
            if let Some(log) = logs.get(place).filter(|_| topic.is_some_and(|topic| topic.retained)) {
                *told = told.split_off(&log.ends.log_start.0);
            }
            let found: HashMap<i64, RecordId> = match logs.get(place).map(|log| &log.records) {
                Some(Ok(records)) => records.iter().map(|seen| (seen.offset, seen.record)).collect(),
                Some(Err(_)) | None => HashMap::new(),
            };
            // Somebody asked for its deletion, which may happen later: it may be gone, but what is there counts.
            let is_doomed = topic.is_none_or(|topic| topic.doomed) && !logs.contains_key(place);
            let kept_below = match keeps_all {
                _ if is_doomed => 0,
                true => i64::MAX,
                false => self.durable_ends.get(place).copied().unwrap_or(0),
            };
            let lost = told
                .iter()
                .find(|(offset, record)| **offset < kept_below && found.get(offset) != Some(record));
            if let Some((offset, record)) = lost {
                let now = found.get(offset).map_or("nothing".to_owned(), ToString::to_string);
                return Err(format!("{record} was told at offset {offset} of {place}; now there is {now}"));
            }
            told.retain(|offset, record| found.get(offset) == Some(record));
        }
        self.worst = Ending::Clean;
        Ok(())
    }
}

impl Check for AckedSurvives {
    fn name(&self) -> &'static str {
        "acked survives"
    }

    fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), String> {
        match event {
            Event::Acked { life, place, base_offset, records } if self.counts(*life) => {
                for (offset, record) in (*base_offset..).zip(records) {
                    self.tell(place, offset, *record)?;
                }
            }
            Event::Fetched { life, place, records: Ok(records), .. } if self.counts(*life) => {
                for seen in records {
                    self.tell(place, seen.offset, seen.record)?;
                }
            }
            Event::Ended { ending, logs } => {
                self.worst = self.worst.max(*ending);
                self.durable_ends.extend(logs.iter().map(|log| (log.place.clone(), log.ends.durable_end.0)));
                self.life += 1;
            }
            Event::EndedEarly(ending) => {
                self.worst = self.worst.max(*ending);
                self.life += 1;
            }
            Event::Started { logs, away, .. } => self.on_started(logs, away, ledger)?,
            _ => {}
        }
        Ok(())
    }
}
