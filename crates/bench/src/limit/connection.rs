//! One connection of the bare loop: a buffer with frames in it, answers that wait to be sent.
//!
//! The socket blocks for sending; reading never waits. Whatever is wrong closes the connection.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use base::uuid::Uuid;
use bytes::Bytes;
use rustix::net::{RecvFlags, SendFlags};
use wire::reader::{DecodeError, Reader};

use crate::batch;
use crate::frames;

/// Larger than what a generator has in flight, so that bytes are seldom moved.
const BUFFER_SIZE: usize = 2 << 20;
/// Below this, reading and sending in one call is cheaper than sendfile.
const COPY_MAX: usize = 16 << 10;

/// The connection.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer is neither taken nor empty.
    start: usize,
    filled: usize,
    pub(super) outbound: Vec<u8>,
    pub(super) closed: bool,
}

/// One frame.
pub(super) enum Request {
    Produce(Produce),
    Fetch(Fetch),
    CreateTopic { correlation_id: i32, durable: bool },
    DeleteTopic { correlation_id: i32 },
    Unknown,
}

/// Batches for a log.
pub(super) struct Produce {
    pub(super) correlation_id: i32,
    pub(super) topic: Uuid,
    /// Where in the buffer the records are, until the next [`Connection::forget_taken`].
    pub(super) records: Range<usize>,
}

/// Batches wanted.
pub(super) struct Fetch {
    pub(super) correlation_id: i32,
    pub(super) topic: Uuid,
    pub(super) offset: i64,
    pub(super) bytes_max: u64,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_SIZE],
            start: 0,
            filled: 0,
            outbound: Vec::new(),
            closed: false,
        }
    }

    /// Takes what is there.
    pub(super) fn receive(&mut self) {
        let free = &mut self.buffer[self.filled..];
        match rustix::net::recv(&self.stream, free, RecvFlags::DONTWAIT) {
            Ok((_, count)) if count > 0 => self.filled += count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => self.closed = true,
        }
    }

    /// The next whole frame.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        let bytes = &self.buffer[self.start..self.filled];
        let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
        if length > BUFFER_SIZE / 2 {
            return Some(Request::Unknown);
        }
        let frame = bytes.get(..4 + length)?;
        let request = parse(frame, self.start).unwrap_or(Request::Unknown);
        self.start += frame.len();
        Some(request)
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.buffer[range]
    }

    /// Makes room: frames that were taken are no longer needed.
    pub(super) fn forget_taken(&mut self) {
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
        } else if self.filled > BUFFER_SIZE / 2 {
            self.buffer.copy_within(self.start..self.filled, 0);
            (self.start, self.filled) = (0, self.filled - self.start);
        }
    }

    /// Sends the answers.
    pub(super) fn flush(&mut self) {
        if !self.outbound.is_empty() && self.stream.write_all(&self.outbound).is_err() {
            self.closed = true;
        }
        self.outbound.clear();
    }

    /// Sends an answer whose middle lies in a file.
    pub(super) fn send_file(&mut self, head: &[u8], file: &File, range: Range<u64>, tail: &[u8]) {
        let length = (range.end - range.start) as usize;
        let sent = if length <= COPY_MAX {
            self.send_copy(head, file, range.start, length, tail)
        } else {
            self.send_range(head, file, range, tail)
        };
        self.closed |= sent.is_err();
    }

    fn send_copy(
        &mut self,
        head: &[u8],
        file: &File,
        at: u64,
        length: usize,
        tail: &[u8],
    ) -> std::io::Result<()> {
        let mut records = [0; COPY_MAX];
        file.read_exact_at(&mut records[..length], at)?;
        let wanted = head.len() + length + tail.len();
        let parts = [IoSlice::new(head), IoSlice::new(&records[..length]), IoSlice::new(tail)];
        let written = self.stream.write_vectored(&parts)?;
        if written == wanted { Ok(()) } else { Err(std::io::ErrorKind::WriteZero.into()) }
    }

    fn send_range(
        &mut self,
        head: &[u8],
        file: &File,
        range: Range<u64>,
        tail: &[u8],
    ) -> std::io::Result<()> {
        rustix::net::send(&self.stream, head, SendFlags::MORE)?;
        let mut at = range.start;
        while at < range.end {
            let wanted = (range.end - at) as usize;
            if rustix::fs::sendfile(&self.stream, file, Some(&mut at), wanted)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.stream.write_all(tail)
    }
}

/// Reads a frame that [`frames`] wrote; `at` is its place in the buffer.
fn parse(frame: &[u8], at: usize) -> Option<Request> {
    let correlation_id = i32::from_be_bytes(*frame.get(frames::CORRELATION_AT..)?.first_chunk()?);
    match i16::from_be_bytes(*frame.get(4..)?.first_chunk()?) {
        frames::PRODUCE => {
            let topic = uuid_at(frame, frames::PRODUCE_TOPIC_AT)?;
            let behind = frame.get(frames::PRODUCE_RECORDS_AT..)?;
            let length_size = behind.iter().position(|byte| byte & 0x80 == 0)? + 1;
            let start = frames::PRODUCE_RECORDS_AT + length_size;
            let end = frame.len().checked_sub(frames::PRODUCE_TAIL)?;
            let whole = end >= start + batch::HEADER_SIZE;
            whole.then(|| Request::Produce(Produce { correlation_id, topic, records: at + start..at + end }))
        }
        frames::FETCH => {
            let topic = uuid_at(frame, frames::FETCH_TOPIC_AT)?;
            let behind = frame.get(frames::FETCH_OFFSET_AT..)?;
            let offset = i64::from_be_bytes(*behind.first_chunk()?);
            let bytes_max = i32::from_be_bytes(*behind.get(20..)?.first_chunk()?).max(0) as u64;
            Some(Request::Fetch(Fetch { correlation_id, topic, offset, bytes_max }))
        }
        frames::CREATE_TOPICS => {
            let durable = is_durable(Bytes::copy_from_slice(frame)).ok()?;
            Some(Request::CreateTopic { correlation_id, durable })
        }
        frames::DELETE_TOPICS => Some(Request::DeleteTopic { correlation_id }),
        _ => None,
    }
}

fn uuid_at(frame: &[u8], at: usize) -> Option<Uuid> {
    Some(Uuid::from_bytes(*frame.get(at..)?.first_chunk()?))
}

/// Whether a CreateTopics sets `flush.messages`.
fn is_durable(frame: Bytes) -> Result<bool, DecodeError> {
    let mut reader = Reader::new(frame);
    reader.skip(frames::HEADER_SIZE)?;
    reader.uvarint()?;
    reader.compact_nullable_string()?;
    reader.skip(4 + 2)?; // partitions, replication factor
    reader.uvarint()?; // assignments: the generator makes none
    let mut durable = false;
    for _ in 1..reader.uvarint()?.max(1) {
        durable |= reader.compact_nullable_string()?.as_deref() == Some("flush.messages");
        reader.compact_nullable_string()?;
        reader.uvarint()?;
    }
    Ok(durable)
}
