//! Replies on their way into a socket: gathered writes for memory, sendfile for ranges of files.
//!
//! Invariant: bytes leave in the order they were queued. A file that turned out shorter than its range ends the
//! connection, because the length already sent cannot be kept. What is not in memory is read elsewhere first.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::task::Waker;

use bytes::{Buf, Bytes};
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;
use wire::output::Output;
use wire::piece::{FileRange, Piece};

use crate::read_ahead::{ReadAhead, is_in_memory};

/// Ranges below this are read and written together with what stands before them: one syscall, one packet.
const SENDFILE_FROM: usize = 16 * 1024;
/// What one sendfile is asked for at most, so that one connection does not hold its thread for long.
const SENDFILE_AT_MOST: usize = 1024 * 1024;
const SLICES: usize = 64;

/// The queue of one connection.
#[derive(Default)]
pub struct Sending {
    pieces: VecDeque<Piece>,
    length: usize,
    ahead: ReadAhead,
}

/// Whether everything went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The queue is empty.
    All,
    /// The socket takes no more at the moment.
    Blocked,
    /// What comes next is being read from the disk; the waker is called when it is there.
    Loading,
    /// A fair share went out; there is more.
    Some,
}

impl Sending {
    /// Bytes queued.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Queues one reply. Small file ranges that are in memory are copied here.
    ///
    /// # Errors
    /// Those of reading such a range.
    pub fn push(&mut self, output: Output) -> io::Result<()> {
        self.length += output.len();
        for piece in output.into_pieces() {
            self.pieces.push_back(match piece {
                Piece::File(range) if is_copied(&range) => Piece::Memory(range.read()?),
                piece => piece,
            });
        }
        Ok(())
    }

    /// Writes what the socket takes. `waker` is called when a range has come from the disk.
    ///
    /// # Errors
    /// The socket's or file's own.
    pub fn send(&mut self, stream: &TcpStream, waker: &Waker) -> io::Result<Sent> {
        while let Some(first) = self.pieces.front() {
            let result = match first {
                Piece::Memory(_) => self.send_memory(stream),
                Piece::File(range) if !self.ahead.is_ready(range, SENDFILE_AT_MOST, waker) => {
                    return Ok(Sent::Loading);
                }
                Piece::File(range) => send_range(range, stream),
            };
            match result {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Blocked),
                Err(error) => return Err(error),
            }
            if matches!(self.pieces.front(), Some(Piece::File(_))) && self.length > SENDFILE_AT_MOST {
                return Ok(Sent::Some);
            }
        }
        Ok(Sent::All)
    }

    fn send_memory(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Memory(bytes) = piece else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        // A file follows: its first bytes share the packet.
        let more = if self.pieces.len() > count { SendFlags::MORE } else { SendFlags::empty() };
        stream.try_io(Interest::WRITABLE, || {
            rustix::net::sendmsg(
                stream,
                &slices[..count],
                &mut SendAncillaryBuffer::default(),
                more | SendFlags::NOSIGNAL,
            )
            .map_err(io::Error::from)
        })
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count;
        while count > 0 {
            let first = self.pieces.front_mut().expect("what was sent was queued");
            let step = count.min(first.len());
            count -= step;
            match first {
                Piece::Memory(bytes) => Bytes::advance(bytes, step),
                Piece::File(range) => {
                    range.position += step as u64;
                    range.length -= step;
                }
            }
            if first.is_empty() {
                self.pieces.pop_front();
                self.ahead.sent();
            }
        }
    }
}

fn is_copied(range: &FileRange) -> bool {
    range.file.descriptor().is_none() || (range.length < SENDFILE_FROM && is_in_memory(range))
}

fn send_range(range: &FileRange, stream: &TcpStream) -> io::Result<usize> {
    let descriptor: BorrowedFd<'_> = range.file.descriptor().expect("others were read when queued");
    let count = stream.try_io(Interest::WRITABLE, || {
        let mut position = range.position;
        rustix::fs::sendfile(stream, descriptor, Some(&mut position), range.length.min(SENDFILE_AT_MOST))
            .map_err(io::Error::from)
    })?;
    if count == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a segment became shorter while it was sent",
        ));
    }
    Ok(count)
}
