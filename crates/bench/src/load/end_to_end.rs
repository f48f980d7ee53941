//! Single records at a steady rate, in on one connection and out on another: how long from send to arrival.
//!
//! The consumer always has a fetch waiting at the broker. A send does not wait for the answer before it, so a slow broker
//! is met by the same rate as a fast one.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Outcome, Topic, VALUE_SIZE, topic};
use crate::batch;
use crate::error::{Error, Result, Tried};
use crate::frames::{self, FetchTerms};
use crate::histogram::Histogram;

/// How long the last records may take to arrive.
const DRAIN: Duration = Duration::from_secs(10);

/// The load.
#[derive(Clone, Debug)]
pub struct EndToEnd {
    /// Records of 1 KiB a second.
    pub rate: u32,
    /// How long to send.
    pub duration: Duration,
}

impl EndToEnd {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        topic(address, name, 1, &[], &batch::prebuilt(1, VALUE_SIZE))
    }

    pub(super) fn run(&self, address: SocketAddr, topic: &Topic) -> Result<Outcome> {
        assert!(self.rate > 0);
        let frame = frames::produce(topic.id, 0, &batch::prebuilt(1, VALUE_SIZE));
        let mut producer = Side::connect(address)?;
        let mut consumer = Side::connect(address)?;
        let mut fetch = frames::fetch(topic.id, 0, topic.log_end, FetchTerms::default());
        consumer.outbound.extend(&fetch);
        consumer.send()?;

        let count = u64::from(self.rate) * self.duration.as_millis() as u64 / 1000;
        let interval = Duration::from_secs(1) / self.rate;
        let mut sent: Vec<Instant> = Vec::with_capacity(count as usize);
        let mut latency = Histogram::default();
        let begin = Instant::now();
        while latency.count() < count {
            let next = begin + interval * sent.len() as u32;
            let now = Instant::now();
            if (sent.len() as u64) < count && now >= next {
                sent.push(now);
                producer.outbound.extend(&frame);
                producer.send()?;
                continue;
            }
            let waiting = if (sent.len() as u64) < count { next - now } else { DRAIN };
            let (producer_ready, consumer_ready) = wait(&producer, &consumer, waiting)?;
            if consumer_ready {
                consumer.receive()?;
                let now = Instant::now();
                while let Some(answer) = consumer.next_answer() {
                    let head = frames::fetched(&answer)?;
                    let records = &answer[head.records_at..];
                    let at = offset_of(&fetch);
                    let until =
                        batch::next_offset(&records[..head.records_length.min(records.len())]).unwrap_or(at);
                    for offset in at..until {
                        let index = (offset - topic.log_end) as usize;
                        let begun = sent
                            .get(index)
                            .ok_or_else(|| Error::Answer("a record nobody sent".to_owned()))?;
                        latency.note(now - *begun);
                    }
                    set_offset(&mut fetch, until);
                    consumer.outbound.extend(&fetch);
                }
                consumer.send()?;
            }
            if producer_ready {
                producer.receive()?;
                while let Some(answer) = producer.next_answer() {
                    frames::produced(&answer)?;
                }
                producer.send()?;
            }
            if sent.len() as u64 == count && begin.elapsed() > self.duration + DRAIN {
                return Err(Error::Answer(format!(
                    "{} of {count} records did not arrive",
                    count - latency.count()
                )));
            }
        }
        let (bytes, elapsed) = (count * VALUE_SIZE as u64, begin.elapsed());
        Ok(Outcome { bytes, requests: count, elapsed, latency, parts: None })
    }
}

/// Until one of the two can go on, or the time is over.
fn wait(producer: &Side, consumer: &Side, waiting: Duration) -> Result<(bool, bool)> {
    let mut fds = [
        PollFd::new(&producer.stream, producer.interest()),
        PollFd::new(&consumer.stream, consumer.interest()),
    ];
    let waiting = Timespec { tv_sec: waiting.as_secs() as i64, tv_nsec: i64::from(waiting.subsec_nanos()) };
    poll(&mut fds, Some(&waiting)).tried(|| "poll".to_owned())?;
    Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty()))
}

fn offset_of(fetch: &[u8]) -> i64 {
    let at = frames::FETCH_OFFSET_AT;
    i64::from_be_bytes(fetch[at..at + 8].try_into().expect("eight bytes"))
}

fn set_offset(fetch: &mut [u8], offset: i64) {
    let at = frames::FETCH_OFFSET_AT;
    fetch[at..at + 8].copy_from_slice(&offset.to_be_bytes());
}

/// One connection, with bytes that wait to go out and bytes that came in.
struct Side {
    stream: TcpStream,
    outbound: Vec<u8>,
    inbound: Vec<u8>,
}

impl Side {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).tried(|| format!("connect to {address}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_nonblocking(true))
            .tried(|| "set up a socket".to_owned())?;
        Ok(Self { stream, outbound: Vec::new(), inbound: Vec::new() })
    }

    fn interest(&self) -> PollFlags {
        if self.outbound.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    fn send(&mut self) -> Result<()> {
        while !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(written) => drop(self.outbound.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(source) => return Err(Error::Io { what: "send".to_owned(), source }),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let mut bytes = [0; 64 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Error::Answer("the connection ends".to_owned())),
            Ok(count) => {
                self.inbound.extend(&bytes[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(source) => Err(Error::Io { what: "receive".to_owned(), source }),
        }
    }

    /// The first whole answer, without its length.
    fn next_answer(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_be_bytes(*self.inbound.first_chunk()?) as usize;
        let answer = self.inbound.get(4..4 + length)?.to_vec();
        self.inbound.drain(..4 + length);
        Some(answer)
    }
}
