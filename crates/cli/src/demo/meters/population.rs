//! Meters and the houses that they are in, and what they read: all of it follows from a seed. Pure.
//!
//! A reading is a function of seed, meter and round alone, so the alerts that must come can be computed without having seen
//! a single record.

/// All meters of a run.
#[derive(Clone, Debug)]
pub(super) struct Population {
    seed: u64,
    /// The house of each meter; meters of a house are neighbours.
    houses: Vec<u32>,
    /// The first meter of each house, and one past the last meter.
    first_meters: Vec<u32>,
}

/// A house whose load went above the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alert {
    pub(super) house: u32,
    /// The round in which it happened.
    pub(super) round: u32,
    /// The meter whose reading did it.
    pub(super) meter: u32,
    /// The house's load at that moment.
    pub(super) watts: u32,
}

impl Population {
    /// So many meters; about seven houses in ten have one, the others two or three.
    pub(super) fn new(seed: u64, meters: u32) -> Self {
        let mut houses = Vec::with_capacity(meters as usize);
        let mut first_meters = vec![0];
        while (houses.len() as u32) < meters {
            let house = first_meters.len() as u32 - 1;
            let size = match mix(seed, house.into(), 1) % 100 {
                0..70 => 1,
                70..95 => 2,
                _ => 3,
            };
            let size = size.min(meters as usize - houses.len());
            houses.extend(std::iter::repeat_n(house, size));
            first_meters.push(houses.len() as u32);
        }
        Self { seed, houses, first_meters }
    }

    pub(super) fn meters(&self) -> u32 {
        self.houses.len() as u32
    }

    pub(super) fn houses(&self) -> u32 {
        self.first_meters.len() as u32 - 1
    }

    pub(super) fn house_of(&self, meter: u32) -> u32 {
        self.houses[meter as usize]
    }

    /// The meters of a house.
    pub(super) fn meters_of(&self, house: u32) -> std::ops::Range<u32> {
        self.first_meters[house as usize]..self.first_meters[house as usize + 1]
    }

    /// What a meter reads in a round, in watts. A house draws 200 to 1,300 W in all, give or take a tenth; in one of 1,400
    /// something large is switched on in some round and stays on.
    pub(super) fn watts(&self, meter: u32, round: u32, rounds: u32) -> u32 {
        let house = self.house_of(meter);
        let siblings = self.meters_of(house);
        let total = 200 + mix(self.seed, house.into(), 2) % 1100;
        let base = total / u64::from(siblings.end - siblings.start);
        let noise = mix(self.seed, u64::from(meter) << 32 | u64::from(round), 3) % (base / 5 + 1);
        let mut watts = base - base / 10 + noise;
        let draw = mix(self.seed, house.into(), 4);
        if draw.is_multiple_of(1400) {
            let place = siblings.start + (draw >> 32) as u32 % (siblings.end - siblings.start);
            let since = (draw >> 16) as u32 % rounds.max(1);
            if meter == place && round >= since {
                watts += 1900 + (draw >> 40) % 1500;
            }
        }
        watts as u32
    }

    /// The alerts of a run of so many rounds, in which every meter reads once a round, in the order of their numbers. At
    /// any moment a house's load is the sum of the last reading of each of its meters; a house alerts once.
    pub(super) fn expected(&self, rounds: u32, limit_watts: u32) -> Vec<Alert> {
        (0..self.houses()).filter_map(|house| self.expected_of(house, rounds, limit_watts)).collect()
    }

    fn expected_of(&self, house: u32, rounds: u32, limit_watts: u32) -> Option<Alert> {
        let meters = self.meters_of(house);
        let moments = (0..rounds).flat_map(|round| meters.clone().map(move |meter| (round, meter)));
        for (round, meter) in moments {
            // Meters up to this one have read in this round, those behind it in the one before.
            let last = |other: u32| if other <= meter { Some(round) } else { round.checked_sub(1) };
            let load = |other: u32| last(other).map_or(0, |round| self.watts(other, round, rounds));
            let watts = meters.clone().map(load).sum();
            if watts > limit_watts {
                return Some(Alert { house, round, meter, watts });
            }
        }
        None
    }
}

/// 64 bits that depend on all three numbers (the finaliser of splitmix64).
fn mix(seed: u64, number: u64, purpose: u64) -> u64 {
    let mut bits = seed
        .wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(purpose.wrapping_mul(0xd1b5_4a32_d192_ed03));
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_population() {
        let (a, b) = (Population::new(7, 50_000), Population::new(7, 50_000));
        assert_eq!(a.houses, b.houses);
        assert_eq!((a.meters(), a.meters_of(a.houses() - 1).end), (50_000, 50_000));
        assert!((34_000..40_000).contains(&a.houses()), "{}", a.houses());
        assert_ne!(Population::new(8, 50_000).houses, a.houses);
    }

    #[test]
    fn some_houses_alert_and_most_do_not() {
        let population = Population::new(7, 50_000);
        let alerts = population.expected(4, 2000);
        assert!((10..60).contains(&alerts.len()), "{}", alerts.len());
        assert!(alerts.iter().all(|alert| alert.watts > 2000));
        assert!(alerts.iter().any(|alert| population.meters_of(alert.house).len() > 1));
    }
}
