//! The two tasks of a connection: one writes what is queued, one reads what comes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use net::framing::{Framing, Next};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::{Outgoing, Shared, Then, deliver};
use crate::error::{Error, Result};

/// No answer is larger: a bound against sizes that cannot be meant.
const FRAME_LIMIT: usize = 1 << 30;

/// Frames taken from the queue for one write.
const FRAMES_PER_WRITE: usize = 64;

/// Writes frames until the queue or the connection ends.
pub(super) async fn write(
    mut stream: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    shared: Arc<Shared>,
    address: String,
) {
    let mut frames = Vec::with_capacity(FRAMES_PER_WRITE);
    while queue.recv_many(&mut frames, FRAMES_PER_WRITE).await > 0 {
        let (mut gather, waiting) = enqueue(&shared, frames.drain(..));
        let written = stream.write_all_buf(&mut gather).await.map_err(|error| lost(&address, &error));
        for one in waiting {
            let _ = one.send(written.clone());
        }
        if let Err(error) = written {
            return shared.fail(&error);
        }
    }
}

/// The bytes of the frames, and who hears when they are written; who waits for an answer stands in line from here on.
fn enqueue(
    shared: &Shared,
    frames: impl Iterator<Item = Outgoing>,
) -> (Gather, Vec<oneshot::Sender<Result<()>>>) {
    let mut gather = Gather::default();
    let mut waiting = Vec::new();
    let mut state = shared.state();
    for frame in frames {
        match (&state.broken, frame.then) {
            (Some(error), Then::Answer(pending)) => drop(pending.reply.send(Err(error.clone()))),
            (Some(error), Then::Written(done)) => drop(done.send(Err(error.clone()))),
            (None, then) => {
                gather.0.extend(frame.pieces);
                match then {
                    Then::Answer(pending) => state.pending.push_back(pending),
                    Then::Written(done) => waiting.push(done),
                }
            }
        }
    }
    (gather, waiting)
}

/// Reads frames until the connection ends.
pub(super) async fn read(stream: OwnedReadHalf, shared: Arc<Shared>, address: String) {
    let error = match read_frames(&stream, &shared).await {
        Ok(error) => lost(&address, &error),
        Err(error) => error,
    };
    shared.fail(&error);
}

/// Ends with what the socket said, or with what is wrong in the bytes.
async fn read_frames(stream: &OwnedReadHalf, shared: &Shared) -> Result<io::Error> {
    let mut framing = Framing::new(FRAME_LIMIT);
    loop {
        let next = framing.next().map_err(|error| Error::Corrupt(error.to_string()))?;
        if let Next::Complete { size } = next {
            deliver(shared, framing.take(size))?;
            continue;
        }
        if let Err(error) = stream.readable().await {
            return Ok(error);
        }
        match framing.read(next, |buffer, wanted| stream.try_read_buf(&mut buffer.limit(wanted))) {
            Ok(0) => return Ok(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the server")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Ok(error),
        }
    }
}

fn lost(address: &str, error: &io::Error) -> Error {
    Error::Unavailable(format!("Connection to {address} was lost: {error}"))
}

/// Frames that are written together without being copied together.
#[derive(Default)]
struct Gather(VecDeque<Bytes>);

impl Buf for Gather {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |bytes| bytes)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.0) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let front = self.0.front_mut().expect("no more is advanced than remains");
            if front.len() > count {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gather_is_read_in_order_in_any_steps() {
        for step in 1..9 {
            let mut gather = Gather([&b"abc"[..], b"d", b"efgh"].map(Bytes::from_static).into());
            let mut seen = Vec::new();
            while gather.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = gather.chunks_vectored(&mut slices);
                let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                let take = step.min(all.len());
                seen.extend_from_slice(&all[..take]);
                gather.advance(take);
            }
            assert_eq!(seen, b"abcdefgh", "step {step}");
        }
    }
}
