//! One blocking connection for what happens before and after a measurement: topics, a first batch.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use base::uuid::Uuid;
use bytes::Bytes;

use crate::error::{Error, Result, Tried};
use crate::frames;

/// No answer to a control request is longer.
const ANSWER_MAX: usize = 1 << 20;
/// A broker that does not answer for so long is given up: Apache Kafka needs more than a minute for thousands of logs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two tries of what the broker refuses only for now.
const RETRY: Duration = Duration::from_micros(500);

/// The connection.
pub struct Control {
    address: SocketAddr,
    stream: TcpStream,
}

impl Control {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = open(address).tried(|| format!("connect to {address}"))?;
        Ok(Self { address, stream })
    }

    /// Connects as soon as somebody listens: tries again every half millisecond while `alive` says so.
    pub fn connect_when_up(address: SocketAddr, mut alive: impl FnMut() -> bool) -> Result<Self> {
        let begin = Instant::now();
        loop {
            match open(address) {
                Ok(stream) => return Ok(Self { address, stream }),
                Err(source) if !alive() || begin.elapsed() > PATIENCE => {
                    return Err(Error::Io {
                        what: format!("the broker does not listen on {address}"),
                        source,
                    });
                }
                Err(_) => thread::sleep(RETRY),
            }
        }
    }

    /// Sends one frame, gives back what stands behind the answer's length.
    pub fn call(&mut self, frame: &[u8]) -> Result<Bytes> {
        let address = self.address;
        exchange(&mut self.stream, frame).tried(|| format!("a request to {address}"))
    }

    /// Creates a topic; while the broker is not ready for it, again.
    pub fn create_topic(&mut self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<Uuid> {
        let frame = frames::create_topic(name, partitions, settings);
        self.until_done(|control| frames::created_topic(control.call(&frame)?))
    }

    /// Deletes a topic.
    pub fn delete_topic(&mut self, name: &str) -> Result<()> {
        frames::deleted_topic(self.call(&frames::delete_topic(name))?)
    }

    /// Sets configs of a topic.
    pub fn alter_topic(&mut self, name: &str, settings: &[(&str, &str)]) -> Result<()> {
        frames::altered_topic(self.call(&frames::alter_topic(name, settings))?)
    }

    /// Writes one batch and gives back its base offset; while the partition has no leader yet, again.
    pub fn produce(&mut self, topic: Uuid, partition: i32, batch: &[u8]) -> Result<i64> {
        let frame = frames::produce(topic, partition, batch);
        self.until_done(|control| frames::produced(&control.call(&frame)?))
    }

    /// Repeats what is refused with a retriable code, or what ends the connection.
    fn until_done<T>(&mut self, mut what: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        let begin = Instant::now();
        loop {
            let error = match what(self) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let again = match &error {
                Error::Refused { code, .. } => code.retriable(),
                Error::Io { .. } => true,
                Error::Answer(_) | Error::Usage(_) => false,
            };
            if !again || begin.elapsed() > PATIENCE {
                return Err(error);
            }
            thread::sleep(RETRY);
            if matches!(error, Error::Io { .. }) {
                *self = Self::connect_when_up(self.address, || true)?;
            }
        }
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream, frame: &[u8]) -> io::Result<Bytes> {
    stream.write_all(frame)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > ANSWER_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(Bytes::from(answer))
}
