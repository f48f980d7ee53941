//! The loads, each driven by one thread.
//!
//! A load is prepared (topic, first batch, data to fetch), run with the clock on, and cleaned up. A topic lives for one run,
//! so that each pass begins with an empty log.

mod end_to_end;
mod fetch;
mod pipeline;
mod produce;

use std::net::SocketAddr;
use std::time::Duration;

use base::uuid::Uuid;

use crate::control::Control;
use crate::error::Result;
use crate::histogram::Histogram;

pub use end_to_end::EndToEnd;
pub use fetch::Fetch;
pub use produce::Produce;

/// Bytes of every record's value.
pub const VALUE_SIZE: usize = 1024;

/// One of the loads.
#[derive(Clone, Debug)]
pub enum Load {
    /// Batches in.
    Produce(Produce),
    /// Batches out.
    Fetch(Fetch),
    /// Single records, in and out.
    EndToEnd(EndToEnd),
}

/// What a run gave.
pub struct Outcome {
    /// Bytes of record values that were acked or arrived.
    pub bytes: u64,
    /// Requests that were answered; for end to end, records.
    pub requests: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Request to answer; for end to end, send to arrival.
    pub latency: Histogram,
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
        }
    }

    /// Runs with the clock on.
    pub fn run(&self, address: SocketAddr, topic: &Topic) -> Result<Outcome> {
        match self {
            Self::Produce(load) => load.run(address, topic),
            Self::Fetch(load) => load.run(address, topic),
            Self::EndToEnd(load) => load.run(address, topic),
        }
    }

    /// Deletes the topic.
    pub fn clean(&self, address: SocketAddr, topic: &Topic) -> Result<()> {
        Control::connect(address)?.delete_topic(&topic.name)
    }
}

/// A topic whose every partition has a leader and one batch. Its files go soon after it is deleted.
fn topic(address: SocketAddr, name: &str, partitions: i32, durable: bool, batch: &[u8]) -> Result<Topic> {
    let mut control = Control::connect(address)?;
    let mut settings = vec![("file.delete.delay.ms", "100")];
    if durable {
        settings.push(("flush.messages", "1"));
    }
    let id = control.create_topic(name, partitions, &settings)?;
    for partition in 0..partitions {
        control.produce(id, partition, batch)?;
    }
    let records = crate::batch::next_offset(batch).expect("a whole batch");
    Ok(Topic { name: name.to_owned(), id, log_end: records })
}
