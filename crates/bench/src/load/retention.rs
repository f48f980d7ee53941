//! Batches in at half of what the broker can take, into a topic whose old segments are deleted all the time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::steady::Steady;
use super::{BATCH_RECORDS, Outcome, Part, Produce, Site, Topic, VALUE_SIZE, topic};
use crate::batch;
use crate::error::Result;

/// The time is looked at in so many parts; the first is compared with the last.
const PARTS: usize = 5;
/// How long the maximum rate is measured.
const FULL_SPEED: Duration = Duration::from_secs(3);
/// A fraction of a second of data in each segment, and of a few seconds in all.
const SETTINGS: &[(&str, &str)] = &[("segment.bytes", "33554432"), ("retention.bytes", "268435456")];

/// The load.
#[derive(Clone, Debug)]
pub struct Retention {
    /// How long to produce.
    pub duration: Duration,
}

impl Retention {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        topic(address, name, 1, SETTINGS, &batch::prebuilt(BATCH_RECORDS, VALUE_SIZE))
    }

    pub(super) fn run(&self, site: &Site, topic: &Topic) -> Result<Outcome> {
        let full = Produce {
            records: BATCH_RECORDS,
            connections: 1,
            in_flight: 5,
            partitions: 1,
            durable: false,
            duration: FULL_SPEED.min(self.duration),
            bytes_max: u64::MAX,
        };
        let begin = Instant::now();
        let full = full.run(site.address, topic)?;
        let rate = full.bytes as f64 / full.elapsed.as_secs_f64() / 2.0;
        let mut parts: [Part; PARTS] = Default::default();
        let mut producer = Steady::start(site.address, topic.id, 0, rate)?;
        for (index, part) in parts.iter_mut().enumerate() {
            while producer.elapsed() < self.duration / PARTS as u32 * (index as u32 + 1) {
                producer.turn(&mut part.latency)?;
            }
            part.resident = site.process.map(|it| it.memory()).transpose()?.map(|it| it.resident);
        }
        let [first, .., mut last] = parts;
        let bytes = full.bytes + producer.finish(&mut last.latency)?;
        let requests = bytes / (u64::from(BATCH_RECORDS) * VALUE_SIZE as u64);
        let latency = last.latency.clone();
        let parts = Some(Box::new([first, last]));
        Ok(Outcome { bytes, requests, elapsed: begin.elapsed(), latency, parts })
    }
}
