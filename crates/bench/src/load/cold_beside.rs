//! A producer at a steady rate, first alone, then beside a reader of a log that is on the disk only.
//! ```text
//! partition 1   ── produce ───────────────┬── produce ──────────────────┐
//! partition 0                             └── read from start to end ──┘
//!                 latencies: first part       latencies: last part
//! ```

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::fetch::{self, Consumer};
use super::steady::Steady;
use super::{BATCH_RECORDS, Outcome, Part, Topic};
use crate::error::{Error, Result};
use crate::frames::FetchTerms;

/// The load.
#[derive(Clone, Debug)]
pub struct ColdBeside {
    /// Bytes of values in the log that is read.
    pub log_bytes: u64,
    /// Bytes of values a second that are produced.
    pub rate: u64,
    /// How long without the reader.
    pub alone: Duration,
}

impl ColdBeside {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        fetch::fill(address, name, 2, BATCH_RECORDS, self.log_bytes)
    }

    pub(super) fn run(&self, address: SocketAddr, topic: &Topic) -> Result<Outcome> {
        let mut alone = Part::default();
        let mut beside = Part::default();
        let begin = Instant::now();
        let mut producer = Steady::start(address, topic.id, 1, self.rate as f64)?;
        while producer.elapsed() < self.alone {
            producer.turn(&mut alone.latency)?;
        }
        let of_reader = topic.clone();
        let reader = thread::spawn(move || read_all(address, &of_reader));
        while !reader.is_finished() {
            producer.turn(&mut beside.latency)?;
        }
        reader.join().map_err(|_| Error::Answer("the reader panicked".to_owned()))??;
        let bytes = producer.finish(&mut beside.latency)?;
        let latency = beside.latency.clone();
        let requests = alone.latency.count() + latency.count();
        let parts = Some(Box::new([alone, beside]));
        Ok(Outcome { bytes, requests, elapsed: begin.elapsed(), latency, parts })
    }
}

fn read_all(address: SocketAddr, topic: &Topic) -> Result<()> {
    let mut consumer = Consumer::connect(address, topic, FetchTerms::default())?;
    while consumer.offset() < topic.log_end {
        consumer.fetch()?;
    }
    Ok(())
}
