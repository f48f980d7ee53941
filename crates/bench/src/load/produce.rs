//! Batches in: some connections, some requests in flight on each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::pipeline::Pipeline;
use super::{Outcome, Topic, VALUE_SIZE, topic};
use crate::batch;
use crate::error::{Error, Result, Tried};
use crate::frames;
use crate::histogram::Histogram;

/// A broker that answers nothing for so long is given up.
const PATIENCE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// The load.
#[derive(Clone, Debug)]
pub struct Produce {
    /// Records of 1 KiB in a batch; a request carries one batch.
    pub records: u32,
    /// Connections, dealt out over the partitions.
    pub connections: u32,
    /// Requests in flight on each.
    pub in_flight: u32,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Whether an ack means that the record is on disk (`flush.messages=1`).
    pub durable: bool,
    /// No request begins later.
    pub duration: Duration,
    /// Nor after so many bytes of values.
    pub bytes_max: u64,
}

impl Produce {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        let settings: &[_] = if self.durable { &[("flush.messages", "1")] } else { &[] };
        let batch = batch::prebuilt(self.records, VALUE_SIZE);
        topic(address, name, self.partitions as i32, settings, &batch)
    }

    pub(super) fn run(&self, address: SocketAddr, topic: &Topic) -> Result<Outcome> {
        let batch = batch::prebuilt(self.records, VALUE_SIZE);
        let mut pipelines = Vec::new();
        for connection in 0..self.connections {
            let frame = frames::produce(topic.id, (connection % self.partitions) as i32, &batch);
            pipelines.push(Pipeline::connect(address, &frame, self.in_flight)?);
        }
        let bytes_per_request = u64::from(self.records) * VALUE_SIZE as u64;
        let mut latency = Histogram::default();
        let begin = Instant::now();
        for pipeline in &mut pipelines {
            pipeline.send()?;
        }
        while !pipelines.iter().all(Pipeline::is_done) {
            turn(&mut pipelines, &mut latency)?;
            if begin.elapsed() >= self.duration || latency.count() * bytes_per_request >= self.bytes_max {
                pipelines.iter_mut().for_each(Pipeline::close);
            }
        }
        let elapsed = begin.elapsed();
        let requests = pipelines.iter().map(Pipeline::acked).sum();
        Ok(Outcome { bytes: requests * bytes_per_request, requests, elapsed, latency, parts: None })
    }
}

/// Waits until some connection can go on, and lets each of those go on.
fn turn(pipelines: &mut [Pipeline], latency: &mut Histogram) -> Result<()> {
    let mut fds: Vec<PollFd<'_>> = pipelines
        .iter()
        .map(|pipeline| {
            let writable = if pipeline.blocked { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::new(pipeline.stream(), PollFlags::IN | writable)
        })
        .collect();
    if poll(&mut fds, Some(&PATIENCE)).tried(|| "poll".to_owned())? == 0 {
        return Err(Error::Answer("nothing at all for a minute".to_owned()));
    }
    let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
    for (pipeline, ready) in pipelines.iter_mut().zip(ready) {
        if ready.intersects(PollFlags::IN | PollFlags::ERR | PollFlags::HUP) {
            pipeline.receive(latency)?;
        }
        if !ready.is_empty() {
            pipeline.send()?;
        }
    }
    Ok(())
}
