//! The client's end of a connection: requests out in bytes, answers back in order.

use std::collections::VecDeque;

use base::time::{MonoTime, Now};
use protocol::Message;
use protocol::api::ApiKey;
use protocol::request::{RequestHeader, decode_response_header};
use wire::output::Output;
use wire::reader::Reader;

use super::Io;
use crate::event::Event;
use crate::network::{ConnectionId, Network};

/// Longer than anything that the node is asked to wait for: who waits longer was forgotten.
const PATIENCE_MS: i64 = 60_000;

/// A connection that may have to be made. `W` is what the client remembers of a request.
pub struct Link<W> {
    name: String,
    connection: Option<ConnectionId>,
    life: u64,
    next_correlation: i32,
    open: VecDeque<Open<W>>,
    /// When to try again to connect.
    retry_at: MonoTime,
}

struct Open<W> {
    correlation: i32,
    key: ApiKey,
    version: i16,
    deadline: MonoTime,
    what: W,
}

/// What a look at the connection found.
pub enum Received<W> {
    /// An answer: what was asked, its version and the body.
    Answer {
        /// What was remembered.
        what: W,
        /// The version of request and answer.
        version: i16,
        /// The answer.
        body: Reader,
        /// The life of the node that answered.
        life: u64,
    },
    /// The connection is gone, and with it the answers to these.
    Lost(Vec<W>),
    /// Nothing.
    Nothing,
}

impl<W> Link<W> {
    /// No connection yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            connection: None,
            life: 0,
            next_correlation: 0,
            open: VecDeque::new(),
            retry_at: MonoTime(0),
        }
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// The life of the node that the connection is to.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// Requests without an answer.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether a look would find something, or connecting may be tried.
    pub fn is_ready(&self, network: &Network, now: Now) -> bool {
        match self.connection {
            Some(connection) => network.readable(connection) || self.is_overdue(now),
            None => self.retry_at <= now.mono,
        }
    }

    /// When it is to be looked at even if nothing comes.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        match self.connection {
            Some(_) => self.open.front().map(|open| open.deadline),
            None => Some(self.retry_at),
        }
    }

    fn is_overdue(&self, now: Now) -> bool {
        self.open.front().is_some_and(|open| open.deadline <= now.mono)
    }

    /// Connects if need be; false when it cannot now.
    pub fn connect(&mut self, io: &mut Io<'_>) -> bool {
        if self.connection.is_some() {
            return true;
        }
        if self.retry_at > io.now.mono {
            return false;
        }
        self.connection = io.network.connect();
        match self.connection {
            Some(connection) => {
                self.life = io.network.get(connection).map_or(0, |pipe| pipe.life);
                true
            }
            None => {
                self.retry_at = io.now.mono.plus_ms(io.random.range(1, 50));
                false
            }
        }
    }

    /// Sends a request; there is a connection. With `answered` an answer is awaited.
    pub fn send<M: Message>(
        &mut self,
        io: &mut Io<'_>,
        (key, version): (ApiKey, i16),
        request: &M,
        what: W,
        answered: bool,
    ) {
        let connection = self.connection.expect("the caller connected");
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        let header = RequestHeader {
            api_key: key,
            api_version: version,
            correlation_id: correlation,
            client_id: Some(self.name.clone()),
        };
        let mut output = Output::new();
        header.encode(&mut output).expect("the name is short");
        request
            .encode(version, &mut output)
            .unwrap_or_else(|error| panic!("{key} version {version}: {error}"));
        let frame = output.to_bytes().expect("a request is in memory");
        io.network.send(connection, frame);
        if answered {
            let deadline = io.now.mono.plus_ms(PATIENCE_MS);
            self.open.push_back(Open { correlation, key, version, deadline, what });
            io.events.push(Event::Asked(connection, correlation, key));
        }
    }

    /// Looks for an answer.
    pub fn receive(&mut self, io: &mut Io<'_>) -> Received<W> {
        let Some(connection) = self.connection else { return Received::Nothing };
        if let Some(frame) = io.network.receive(connection) {
            return self.on_frame(connection, frame, io);
        }
        if io.network.readable(connection) {
            return Received::Lost(self.disconnect(io));
        }
        if self.is_overdue(io.now) {
            let what = self.open.front().map(|open| open.key.to_string()).unwrap_or_default();
            io.events.push(Event::Stuck(format!("{}: {what} was not answered on {connection}", self.name)));
            return Received::Lost(self.disconnect(io));
        }
        Received::Nothing
    }

    fn on_frame(&mut self, connection: ConnectionId, frame: bytes::Bytes, io: &mut Io<'_>) -> Received<W> {
        let first = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
        io.events.push(Event::Answered(connection, first.unwrap_or(-1)));
        // An answer to nothing is for the check of the order to report.
        let Some(open) = self.open.pop_front() else { return Received::Nothing };
        let mut body = Reader::new(frame);
        if decode_response_header(open.key, open.version, &mut body).ok() != Some(open.correlation) {
            return Received::Nothing;
        }
        Received::Answer { what: open.what, version: open.version, body, life: self.life }
    }

    /// Closes the connection; what was under way.
    pub fn disconnect(&mut self, io: &mut Io<'_>) -> Vec<W> {
        if let Some(connection) = self.connection.take() {
            io.network.close_by_client(connection);
        }
        self.retry_at = io.now.mono.plus_ms(io.random.range(0, 20));
        self.open.drain(..).map(|open| open.what).collect()
    }
}

/// A version of the api that a client of some age would speak, `from` at least.
pub fn any_version(key: ApiKey, from: i16, random: &mut crate::random::Random) -> (ApiKey, i16) {
    let api = key.api().expect("clients use apis that there are");
    let version = random.range(i64::from(api.min.max(from)), i64::from(api.max));
    (key, version as i16)
}

/// Reads an answer. What cannot be read is a node's fault.
///
/// # Panics
/// When it cannot be read.
pub fn read<M: Message>(mut body: Reader, version: i16) -> M {
    let message = M::decode(&mut body, version);
    let message = message.unwrap_or_else(|error| panic!("unreadable answer: {error}"));
    assert_eq!(body.remaining(), 0, "an answer ends where its frame ends");
    message
}
