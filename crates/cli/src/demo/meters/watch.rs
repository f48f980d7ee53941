//! What the consumer knows: the last reading of each meter, the load of each house. Pure.
//!
//! Invariant: a house's load is the sum of its meters' last readings, at any moment; a house alerts once.

use std::collections::HashMap;

use super::population::Alert;

/// A reading as it stands in a record: `{"run":1,"meter":2,"round":3,"watts":4,"sent_us":5}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Which run of the demo it belongs to: a topic may hold several.
    pub(super) run: u64,
    pub(super) meter: u32,
    pub(super) round: u32,
    pub(super) watts: u32,
    /// When it was sent, in microseconds since the run's start.
    pub(super) sent_us: u64,
}

impl Reading {
    /// As JSON.
    pub(super) fn to_json(self) -> String {
        let Self { run, meter, round, watts, sent_us } = self;
        format!(r#"{{"run":{run},"meter":{meter},"round":{round},"watts":{watts},"sent_us":{sent_us}}}"#)
    }

    /// From JSON of just this form.
    pub(super) fn from_json(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut numbers = text.strip_prefix('{')?.strip_suffix('}')?.split(',');
        let mut next = |name: &str| {
            let (key, number) = numbers.next()?.split_once(':')?;
            (key.strip_prefix('"')?.strip_suffix('"')? == name).then(|| number.parse::<u64>().ok())?
        };
        let (run, meter, round) = (next("run")?, next("meter")?, next("round")?);
        let (watts, sent_us) = (next("watts")?, next("sent_us")?);
        let small = |number: u64| u32::try_from(number).ok();
        Some(Self { run, meter: small(meter)?, round: small(round)?, watts: small(watts)?, sent_us })
    }
}

/// The state of all houses that were heard of.
#[derive(Debug, Default)]
pub(super) struct Watch {
    limit_watts: u32,
    /// By meter: round and watts of its last reading.
    last: HashMap<u32, (u32, u32)>,
    loads: HashMap<u32, u32>,
    alerts: HashMap<u32, Alert>,
    readings: u64,
    /// Readings that came twice, or not in the order of their rounds.
    disorder: u64,
}

impl Watch {
    pub(super) fn new(limit_watts: u32) -> Self {
        Self { limit_watts, ..Self::default() }
    }

    /// Takes a reading of a meter in `house`; gives the alert that it causes.
    pub(super) fn take(&mut self, house: u32, reading: Reading) -> Option<Alert> {
        let before = self.last.get(&reading.meter).copied();
        if reading.round != before.map_or(0, |(round, _)| round + 1) {
            self.disorder += 1;
            return None;
        }
        self.readings += 1;
        self.last.insert(reading.meter, (reading.round, reading.watts));
        let load = self.loads.entry(house).or_default();
        *load = *load - before.map_or(0, |(_, watts)| watts) + reading.watts;
        if *load <= self.limit_watts || self.alerts.contains_key(&house) {
            return None;
        }
        let alert = Alert { house, round: reading.round, meter: reading.meter, watts: *load };
        self.alerts.insert(house, alert);
        Some(alert)
    }

    /// Readings taken.
    pub(super) fn readings(&self) -> u64 {
        self.readings
    }

    /// Readings that should not have come.
    pub(super) fn disorder(&self) -> u64 {
        self.disorder
    }

    /// All alerts, by house.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self.alerts.values().copied().collect();
        alerts.sort_unstable();
        alerts
    }
}

#[cfg(test)]
mod tests {
    use super::super::population::Population;
    use super::*;

    fn reading(meter: u32, round: u32, watts: u32) -> Reading {
        Reading { run: 1, meter, round, watts, sent_us: 9 }
    }

    #[test]
    fn a_reading_survives_its_record() {
        let one = reading(4_000_000_000, 2, 3);
        assert_eq!(one.to_json(), r#"{"run":1,"meter":4000000000,"round":2,"watts":3,"sent_us":9}"#);
        assert_eq!(Reading::from_json(one.to_json().as_bytes()), Some(one));
        for wrong in
            ["", "{}", r#"{"run":1,"meter":2}"#, r#"{"run":-1,"meter":1,"round":2,"watts":3,"sent_us":9}"#]
        {
            assert_eq!(Reading::from_json(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn the_load_is_the_sum_of_the_last_readings_and_alerts_once() {
        let mut watch = Watch::new(2000);
        assert_eq!(watch.take(1, reading(10, 0, 1500)), None);
        assert_eq!(watch.take(1, reading(11, 0, 400)), None);
        assert_eq!(watch.take(1, reading(10, 1, 1600)), None, "2000 is not above 2000");
        let alert = watch.take(1, reading(11, 1, 500)).unwrap();
        assert_eq!((alert.watts, alert.meter, alert.round), (2100, 11, 1));
        assert_eq!(watch.take(1, reading(10, 2, 3000)), None);
        assert_eq!(watch.take(1, reading(10, 2, 3000)), None, "a duplicate");
        assert_eq!((watch.readings(), watch.disorder()), (5, 1));
    }

    #[test]
    fn it_finds_what_the_population_expects() {
        let population = Population::new(3, 20_000);
        let mut watch = Watch::new(2000);
        for round in 0..5 {
            for meter in 0..population.meters() {
                let watts = population.watts(meter, round, 5);
                watch.take(population.house_of(meter), reading(meter, round, watts));
            }
        }
        assert!(!watch.alerts().is_empty());
        assert_eq!(watch.alerts(), population.expected(5, 2000));
    }
}
