//! The loads, each driven by one thread; the reader of [`ColdBeside`] has one more.
//!
//! A load is prepared (topic, first batch, data to fetch), run with the clock on, and cleaned up. A topic lives for one run,
//! so that each pass begins with an empty log.

mod cold_beside;
mod compaction;
mod end_to_end;
mod fetch;
mod pipeline;
mod produce;
mod retention;
mod steady;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use base::uuid::Uuid;

use crate::broker::Broker;
use crate::control::Control;
use crate::error::Result;
use crate::histogram::Histogram;
use crate::process::Process;

pub use cold_beside::ColdBeside;
pub use compaction::Compaction;
pub use end_to_end::EndToEnd;
pub use fetch::{Extent, Fetch};
pub use produce::Produce;
pub use retention::Retention;

/// Bytes of every record's value.
pub const VALUE_SIZE: usize = 1024;

/// Records of a batch where a load leaves no choice.
const BATCH_RECORDS: u32 = 128;

/// One of the loads.
#[derive(Clone, Debug)]
pub enum Load {
    /// Batches in.
    Produce(Produce),
    /// Batches out.
    Fetch(Fetch),
    /// Single records, in and out.
    EndToEnd(EndToEnd),
    /// Batches in, alone and beside a reader of what is on the disk only.
    ColdBeside(ColdBeside),
    /// Keyed records that the broker compacts.
    Compaction(Compaction),
    /// Batches in while old segments are deleted.
    Retention(Retention),
}

/// Where a load goes, and what is known of the broker there.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub process: Option<Process>,
    /// Its files are below.
    pub dir: Option<PathBuf>,
}

impl From<SocketAddr> for Site {
    fn from(address: SocketAddr) -> Self {
        Self { address, process: None, dir: None }
    }
}

impl From<&Broker> for Site {
    fn from(broker: &Broker) -> Self {
        Self { address: broker.address, process: Some(broker.process), dir: Some(broker.dir.clone()) }
    }
}

/// What a run gave.
pub struct Outcome {
    /// Bytes of record values that were acked or arrived.
    pub bytes: u64,
    /// Requests that were answered; for end to end, records.
    pub requests: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Request to answer; for end to end, send to arrival; at a steady rate, from when the request was due.
    pub latency: Histogram,
    /// Of a load that is compared with itself: its first and its last part.
    pub parts: Option<Box<[Part; 2]>>,
}

/// A part of a run.
#[derive(Clone, Default)]
pub struct Part {
    /// Of the requests that were answered in it.
    pub latency: Histogram,
    /// Bytes of the broker's resident memory at its end, where that was looked at.
    pub resident: Option<u64>,
}

/// The topic of one run.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Uuid,
    /// The end of each partition before the run.
    pub log_end: i64,
}

impl Load {
    /// Makes the topic, and for a fetch what is in it.
    pub fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        match self {
            Self::Produce(load) => load.prepare(address, name),
            Self::Fetch(load) => load.prepare(address, name),
            Self::EndToEnd(load) => load.prepare(address, name),
            Self::ColdBeside(load) => load.prepare(address, name),
            Self::Compaction(load) => load.prepare(address, name),
            Self::Retention(load) => load.prepare(address, name),
        }
    }

    /// Runs with the clock on.
    pub fn run(&self, site: impl Into<Site>, topic: &Topic) -> Result<Outcome> {
        let site = site.into();
        let address = site.address;
        match self {
            Self::Produce(load) => load.run(address, topic),
            Self::Fetch(load) => load.run(address, topic),
            Self::EndToEnd(load) => load.run(address, topic),
            Self::ColdBeside(load) => load.run(address, topic),
            Self::Compaction(load) => load.run(&site, topic),
            Self::Retention(load) => load.run(&site, topic),
        }
    }

    /// Whether nothing of the topic may be in memory when the clock starts.
    pub fn is_cold(&self) -> bool {
        matches!(self, Self::Fetch(Fetch { extent: Extent::Once, .. }) | Self::ColdBeside(_))
    }

    /// Deletes the topic.
    pub fn clean(&self, address: SocketAddr, topic: &Topic) -> Result<()> {
        Control::connect(address)?.delete_topic(&topic.name)
    }
}

/// A topic whose every partition has a leader and one batch. Its files go soon after it is deleted.
fn topic(
    address: SocketAddr,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
    batch: &[u8],
) -> Result<Topic> {
    let mut control = Control::connect(address)?;
    let settings = [&[("file.delete.delay.ms", "100")], settings].concat();
    let id = control.create_topic(name, partitions, &settings)?;
    for partition in 0..partitions {
        control.produce(id, partition, batch)?;
    }
    let records = crate::batch::next_offset(batch).expect("a whole batch");
    Ok(Topic { name: name.to_owned(), id, log_end: records })
}
