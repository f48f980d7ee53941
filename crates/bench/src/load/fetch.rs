//! Batches out: one connection, one partition, one fetch at a time, as the Java consumer does; data that was just written.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{Outcome, Produce, Topic, VALUE_SIZE};
use crate::batch;
use crate::error::{Error, Result, Tried};
use crate::frames::{self, FetchTerms};
use crate::histogram::Histogram;

/// The load.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Bytes of values in the log, read again from its start when its end is reached.
    pub log_bytes: u64,
    /// Records of 1 KiB in a batch of the log.
    pub records: u32,
    /// No fetch begins later.
    pub duration: Duration,
}

impl Fetch {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        let fill = Produce {
            records: self.records,
            connections: 1,
            in_flight: 5,
            partitions: 1,
            durable: false,
            duration: Duration::from_secs(60),
            bytes_max: self.log_bytes,
        };
        let mut topic = fill.prepare(address, name)?;
        topic.log_end += (fill.run(address, &topic)?.requests * u64::from(self.records)) as i64;
        Ok(topic)
    }

    pub(super) fn run(&self, address: SocketAddr, topic: &Topic) -> Result<Outcome> {
        let terms = FetchTerms::default();
        let mut consumer = Consumer::connect(address, topic, terms)?;
        let record_size = (batch::prebuilt(self.records, VALUE_SIZE).len() / self.records as usize) as u64;
        let mut latency = Histogram::default();
        let mut records = 0;
        let begin = Instant::now();
        while begin.elapsed() < self.duration {
            if consumer.offset >= topic.log_end {
                consumer.offset = 0;
            }
            let sent = Instant::now();
            let before = consumer.offset;
            consumer.fetch()?;
            latency.note(sent.elapsed());
            let arrived = (consumer.offset - before) as u64;
            if arrived == 0 || arrived * record_size > 2 * terms.partition_bytes_max as u64 {
                return Err(Error::Answer(format!("{arrived} records at offset {before}")));
            }
            records += arrived;
        }
        let elapsed = begin.elapsed();
        Ok(Outcome { bytes: records * VALUE_SIZE as u64, requests: latency.count(), elapsed, latency })
    }
}

/// A blocking consumer.
struct Consumer {
    stream: TcpStream,
    frame: Vec<u8>,
    buffer: Vec<u8>,
    offset: i64,
}

impl Consumer {
    fn connect(address: SocketAddr, topic: &Topic, terms: FetchTerms) -> Result<Self> {
        let stream = TcpStream::connect(address).tried(|| format!("connect to {address}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(Duration::from_secs(60))))
            .tried(|| "set up a socket".to_owned())?;
        let buffer = vec![0; 2 * terms.partition_bytes_max as usize];
        Ok(Self { stream, frame: frames::fetch(topic.id, 0, 0, terms), buffer, offset: 0 })
    }

    /// One fetch; moves the offset behind the last whole batch of the answer.
    fn fetch(&mut self) -> Result<()> {
        let at = frames::FETCH_OFFSET_AT;
        self.frame[at..at + 8].copy_from_slice(&self.offset.to_be_bytes());
        self.stream.write_all(&self.frame).tried(|| "send a fetch".to_owned())?;

        let mut filled = 0;
        let mut wanted = 4;
        while filled < wanted {
            let count = self.stream.read(&mut self.buffer[filled..]).tried(|| "read records".to_owned())?;
            if count == 0 {
                return Err(Error::Answer("the connection ends within an answer".to_owned()));
            }
            filled += count;
            if wanted == 4 && filled >= 4 {
                wanted += u32::from_be_bytes(self.buffer[..4].try_into().expect("four bytes")) as usize;
                if wanted > self.buffer.len() {
                    return Err(Error::Answer(format!("an answer of {wanted} bytes to a fetch")));
                }
            }
        }
        let answer = &self.buffer[4..filled];
        let head = frames::fetched(answer)?;
        let records = answer.get(head.records_at..head.records_at + head.records_length);
        let records =
            records.ok_or_else(|| Error::Answer("records beyond the end of their frame".to_owned()))?;
        self.offset = batch::next_offset(records).unwrap_or(self.offset);
        Ok(())
    }
}
