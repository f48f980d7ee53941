//! One connection with several produces in flight: as many as fit, or each at its moment ([`Pipeline::open`]).
//!
//! All frames are equal but for the correlation id, so `depth` copies stand side by side and the socket takes as many bytes
//! as it likes:
//! ```text
//!         acked            written            acked + depth
//! ──────────┬─────────────────┬─────────────────────┬────────► requests (place in the ring: modulo depth)
//!           │  in flight      │ may be sent         │ waits for an ack
//! ```
//! Invariant: answers come in the order of the requests, or the run ends in an error.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::{Error, Result, Tried};
use crate::frames;
use crate::histogram::Histogram;

/// No answer to a produce is longer.
const ANSWER_MAX: usize = 64 << 10;

/// The connection.
pub(super) struct Pipeline {
    stream: TcpStream,
    ring: Vec<u8>,
    frame_size: usize,
    depth: u64,
    /// Bytes given to the socket since the beginning.
    written: u64,
    /// Requests answered.
    acked: u64,
    /// Requests that may still begin; then no more do.
    closed_at: u64,
    /// When each request is to begin, where that does not depend on the answers.
    schedule: Option<Schedule>,
    /// When each request in flight began, or was to begin.
    begun: VecDeque<Instant>,
    inbound: Vec<u8>,
    filled: usize,
    /// Whether the socket took less than it was offered.
    pub(super) blocked: bool,
}

/// A request every so often.
#[derive(Clone, Copy)]
pub(super) struct Schedule {
    pub(super) begin: Instant,
    pub(super) interval: Duration,
}

impl Schedule {
    /// When a request is due; the first is number 0.
    pub(super) fn due(&self, request: u64) -> Instant {
        self.begin + Duration::from_nanos(self.interval.as_nanos() as u64 * request)
    }

    /// How many requests were due before or at `now`.
    pub(super) fn due_by(&self, now: Instant) -> u64 {
        match now.checked_duration_since(self.begin) {
            Some(passed) => (passed.as_nanos() / self.interval.as_nanos()) as u64 + 1,
            None => 0,
        }
    }
}

impl Pipeline {
    /// Connects. `frame` is what is sent again and again.
    pub(super) fn connect(address: SocketAddr, frame: &[u8], depth: u32) -> Result<Self> {
        assert!(depth > 0);
        let stream = TcpStream::connect(address).tried(|| format!("connect to {address}"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_nonblocking(true))
            .tried(|| "set up a socket".into())?;
        let mut ring = frame.repeat(depth as usize);
        for slot in 0..depth as usize {
            patch_correlation(&mut ring[slot * frame.len()..], slot as u64);
        }
        Ok(Self {
            stream,
            ring,
            frame_size: frame.len(),
            depth: u64::from(depth),
            written: 0,
            acked: 0,
            closed_at: u64::MAX,
            schedule: None,
            begun: VecDeque::with_capacity(depth as usize),
            inbound: vec![0; ANSWER_MAX],
            filled: 0,
            blocked: false,
        })
    }

    /// From now on a request begins only when it is due, and its latency counts from then, however late it is sent.
    pub(super) fn open(&mut self, schedule: Schedule) {
        assert_eq!(self.begun_count(), 0, "before the first request");
        self.schedule = Some(schedule);
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn acked(&self) -> u64 {
        self.acked
    }

    /// Begins no further request; those that have begun are finished.
    pub(super) fn close(&mut self) {
        self.closed_at = self.closed_at.min(self.begun_count());
    }

    pub(super) fn is_done(&self) -> bool {
        self.acked == self.closed_at
    }

    /// Sends what may be sent.
    pub(super) fn send(&mut self) -> Result<()> {
        let frame_size = self.frame_size as u64;
        self.blocked = false;
        loop {
            let now = Instant::now();
            let due = self.schedule.map_or(u64::MAX, |schedule| schedule.due_by(now));
            let allowed = (self.acked + self.depth).min(self.closed_at).min(due) * frame_size;
            if self.written >= allowed {
                return Ok(());
            }
            let from = (self.written % (self.depth * frame_size)) as usize;
            let until = (from + (allowed - self.written) as usize).min(self.ring.len());
            let written = match self.stream.write(&self.ring[from..until]) {
                Ok(written) => written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(());
                }
                Err(source) => return Err(Error::Io { what: "send a produce".to_owned(), source }),
            };
            self.written += written;
            while self.begun_count() * frame_size < self.written {
                let begun = self.schedule.map_or(now, |schedule| schedule.due(self.begun_count()));
                self.begun.push_back(begun);
            }
        }
    }

    /// Takes the answers that are there.
    pub(super) fn receive(&mut self, latency: &mut Histogram) -> Result<()> {
        let count = match self.stream.read(&mut self.inbound[self.filled..]) {
            Ok(0) => Err(io::Error::from(ErrorKind::UnexpectedEof)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            other => other,
        };
        self.filled += count.tried(|| "await the answer to a produce".to_owned())?;
        let now = Instant::now();
        let mut at = 0;
        while let Some(answer) = next_frame(&self.inbound[at..self.filled])? {
            at += 4 + answer.len();
            let correlation_id = i32::from_be_bytes(answer[..4].try_into().expect("checked to be longer"));
            if correlation_id != self.acked as i32 {
                return Err(Error::Answer(format!(
                    "correlation id {correlation_id} instead of {}",
                    self.acked
                )));
            }
            frames::produced(answer)?;
            let Some(begun) = self.begun.pop_front() else {
                return Err(Error::Answer("an answer to nothing".to_owned()));
            };
            latency.note(now.saturating_duration_since(begun));
            // The slot is free: it becomes the request that is `depth` further on.
            let slot = (self.acked % self.depth) as usize;
            patch_correlation(&mut self.ring[slot * self.frame_size..], self.acked + self.depth);
            self.acked += 1;
        }
        self.inbound.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    pub(super) fn begun_count(&self) -> u64 {
        self.acked + self.begun.len() as u64
    }
}

fn patch_correlation(frame: &mut [u8], request: u64) {
    let at = frames::CORRELATION_AT;
    frame[at..at + 4].copy_from_slice(&(request as i32).to_be_bytes());
}

/// The first answer of `bytes` without its length, if it is whole.
fn next_frame(bytes: &[u8]) -> Result<Option<&[u8]>> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if !(5..=ANSWER_MAX - 4).contains(&length) {
        return Err(Error::Answer(format!("an answer of {length} bytes to a produce")));
    }
    Ok(rest.get(..length))
}
