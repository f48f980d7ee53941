//! Batches out: one connection, one partition, one fetch at a time, as the Java consumer does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{Outcome, Produce, Topic, VALUE_SIZE};
use crate::batch;
use crate::error::{Error, Result, Tried};
use crate::frames::{self, FetchTerms};
use crate::histogram::Histogram;

/// A broker that takes the data to be fetched for longer is given up.
const FILL_MAX: Duration = Duration::from_secs(600);

/// The load.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Bytes of values in the log.
    pub log_bytes: u64,
    /// Records of 1 KiB in a batch of the log.
    pub records: u32,
    /// How much is read.
    pub extent: Extent,
}

/// How much of a log is read.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// From its start to its end, and then again; no fetch begins after so long.
    Again(Duration),
    /// From its start to its end, off the disk.
    Once,
}

impl Fetch {
    pub(super) fn prepare(&self, address: SocketAddr, name: &str) -> Result<Topic> {
        fill(address, name, 1, self.records, self.log_bytes)
    }

    pub(super) fn run(&self, address: SocketAddr, topic: &Topic) -> Result<Outcome> {
        let terms = FetchTerms::default();
        let mut consumer = Consumer::connect(address, topic, terms)?;
        let record_size = (batch::prebuilt(self.records, VALUE_SIZE).len() / self.records as usize) as u64;
        let mut latency = Histogram::default();
        let mut records = 0;
        let begin = Instant::now();
        loop {
            let at_end = consumer.offset >= topic.log_end;
            match self.extent {
                Extent::Again(duration) if begin.elapsed() >= duration => break,
                Extent::Again(_) if at_end => consumer.offset = 0,
                Extent::Once if at_end => break,
                Extent::Again(_) | Extent::Once => {}
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
        let (bytes, requests) = (records * VALUE_SIZE as u64, latency.count());
        Ok(Outcome { bytes, requests, elapsed, latency, parts: None })
    }
}

/// A topic whose partition 0 has so many bytes of values.
pub(super) fn fill(
    address: SocketAddr,
    name: &str,
    partitions: u32,
    records: u32,
    log_bytes: u64,
) -> Result<Topic> {
    let fill = Produce {
        records,
        connections: 1,
        in_flight: 5,
        partitions,
        durable: false,
        duration: FILL_MAX,
        bytes_max: log_bytes,
    };
    let mut topic = fill.prepare(address, name)?;
    let filled = fill.run(address, &topic)?;
    if filled.bytes < log_bytes {
        return Err(Error::Answer(format!("only {} bytes were written in {FILL_MAX:?}", filled.bytes)));
    }
    topic.log_end += (filled.requests * u64::from(records)) as i64;
    Ok(topic)
}

/// A blocking consumer of partition 0.
pub(super) struct Consumer {
    stream: TcpStream,
    frame: Vec<u8>,
    buffer: Vec<u8>,
    offset: i64,
}

impl Consumer {
    pub(super) fn connect(address: SocketAddr, topic: &Topic, terms: FetchTerms) -> Result<Self> {
        let stream = TcpStream::connect(address).tried(|| format!("connect to {address}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(Duration::from_secs(60))))
            .tried(|| "set up a socket".to_owned())?;
        let buffer = vec![0; 2 * terms.partition_bytes_max as usize];
        Ok(Self { stream, frame: frames::fetch(topic.id, 0, 0, terms), buffer, offset: 0 })
    }

    /// What it fetches next.
    pub(super) fn offset(&self) -> i64 {
        self.offset
    }

    /// One fetch; moves the offset behind the last whole batch of the answer.
    pub(super) fn fetch(&mut self) -> Result<()> {
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
