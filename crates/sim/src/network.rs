//! Connections without sockets: frames on their way, in order, until either end is gone.
//!
//! ```text
//!  client ─► to_server ─► session ─► sending ─► arrived ─► client
//!                                     │           └ outlives the node, as bytes in a kernel do
//!                                     └ the node's memory: ranges of files, not read yet
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;
use wire::output::Output;

/// A connection; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// All connections that somebody still holds an end of.
#[derive(Debug, Default)]
pub struct Network {
    next: u64,
    /// The node listens.
    pub accepting: bool,
    /// How many lives the node had before this one.
    pub life: u64,
    pipes: BTreeMap<ConnectionId, Pipe>,
}

/// One connection.
#[derive(Debug, Default)]
pub struct Pipe {
    /// The life of the node that accepted it.
    pub life: u64,
    /// Frames without their size.
    pub to_server: VecDeque<Bytes>,
    /// Replies in the node's memory.
    pub sending: VecDeque<Output>,
    /// Replies that the client can read, without their size.
    pub arrived: VecDeque<Bytes>,
    /// The client has not closed.
    pub client_open: bool,
    /// The node has not closed.
    pub server_open: bool,
}

impl Network {
    /// A new connection, if the node listens.
    pub fn connect(&mut self) -> Option<ConnectionId> {
        if !self.accepting {
            return None;
        }
        let id = ConnectionId(self.next);
        self.next += 1;
        let life = self.life;
        self.pipes.insert(id, Pipe { life, client_open: true, server_open: true, ..Pipe::default() });
        Some(id)
    }

    /// A connection that an end still holds.
    pub fn pipe(&mut self, id: ConnectionId) -> Option<&mut Pipe> {
        self.pipes.get_mut(&id)
    }

    /// The same, to look at.
    pub fn get(&self, id: ConnectionId) -> Option<&Pipe> {
        self.pipes.get(&id)
    }

    /// Whether the client would find something: an answer, or the end.
    pub fn readable(&self, id: ConnectionId) -> bool {
        self.pipes.get(&id).is_none_or(|pipe| !pipe.arrived.is_empty() || !pipe.server_open)
    }

    /// The client sends a frame.
    pub fn send(&mut self, id: ConnectionId, frame: Bytes) {
        if let Some(pipe) = self.pipes.get_mut(&id).filter(|pipe| pipe.server_open) {
            pipe.to_server.push_back(frame);
        }
    }

    /// The next answer.
    pub fn receive(&mut self, id: ConnectionId) -> Option<Bytes> {
        self.pipes.get_mut(&id)?.arrived.pop_front()
    }

    /// The client closes its end.
    pub fn close_by_client(&mut self, id: ConnectionId) {
        if let Some(pipe) = self.pipes.get_mut(&id) {
            pipe.client_open = false;
            pipe.arrived.clear();
            if !pipe.server_open {
                self.pipes.remove(&id);
            }
        }
    }

    /// The node closes its end. What has arrived can still be read.
    pub fn close_by_server(&mut self, id: ConnectionId) {
        if let Some(pipe) = self.pipes.get_mut(&id) {
            pipe.server_open = false;
            pipe.to_server.clear();
            pipe.sending.clear();
            if !pipe.client_open {
                self.pipes.remove(&id);
            }
        }
    }

    /// The node is gone.
    pub fn close_all_by_server(&mut self) {
        self.accepting = false;
        for id in self.ids() {
            self.close_by_server(id);
        }
    }

    /// All connections.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.pipes.keys().copied().collect()
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}
