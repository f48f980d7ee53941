//! The machine's limit: a bare loop of system calls that answers the generator's frames.
//!
//! It is no broker. It believes every byte: it checks no checksum, knows one partition a topic, one size of batch a log, and
//! no index. What it does is what no broker can leave out: read the socket, write the file, sync if asked, answer; and for
//! a fetch sendfile. One thread, one turn:
//! ```text
//! poll ─► recv from all that are ready ─► one pwritev per log ─► one fdatasync ─► answers ─► waiting fetches
//! ```
//! Invariant: an ack of a durable log is sent after the sync that covers it.

mod answers;
mod connection;
mod log;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};

use self::connection::{Connection, Request};
use self::log::Log;

/// The server.
pub struct Server {
    listener: TcpListener,
    dir: PathBuf,
    logs: Vec<Log>,
    connections: Vec<Connection>,
    waiting: Vec<Waiting>,
}

/// A fetch without an answer yet: there was no data.
struct Waiting {
    connection: usize,
    request: connection::Fetch,
}

/// A produce that lies in a connection's buffer.
struct Append {
    connection: usize,
    request: connection::Produce,
    base_offset: i64,
}

impl Server {
    /// Listens, with files in `dir`, which must exist.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn bind(address: SocketAddr, dir: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let (logs, connections, waiting) = Default::default();
        Ok(Self { listener, dir: dir.to_owned(), logs, connections, waiting })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Never after [`Server::bind`].
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` can be read or is closed at its other end.
    ///
    /// # Errors
    /// When a file or the socket of the listener fails; what a client does only ends its connection.
    pub fn run(mut self, stop: impl AsFd) -> io::Result<()> {
        loop {
            let mut fds = vec![PollFd::new(&stop, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
            fds.extend(
                self.connections.iter().map(|connection| PollFd::new(&connection.stream, PollFlags::IN)),
            );
            poll(&mut fds, None)?;
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready[0] {
                return Ok(());
            }
            if ready[1] {
                self.accept()?;
            }
            self.turn(&ready[2..])?;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                self.connections.push(Connection::new(stream));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn turn(&mut self, ready: &[bool]) -> io::Result<()> {
        let mut appends = Vec::new();
        for index in ready.iter().enumerate().filter(|(_, ready)| **ready).map(|(index, _)| index) {
            self.connections[index].receive();
            while let Some(request) = self.connections[index].next_request() {
                self.take(index, request, &mut appends)?;
            }
        }
        self.append(&mut appends)?;
        for append in &appends {
            let answer =
                answers::produced(append.request.correlation_id, append.request.topic, append.base_offset);
            self.connections[append.connection].outbound.extend(answer);
        }
        for connection in &mut self.connections {
            connection.flush();
            connection.forget_taken();
        }
        self.answer_fetches();
        self.drop_closed();
        Ok(())
    }

    fn take(&mut self, index: usize, request: Request, appends: &mut Vec<Append>) -> io::Result<()> {
        match request {
            Request::Produce(request) if self.log(request.topic).is_some() => {
                appends.push(Append { connection: index, request, base_offset: 0 });
            }
            Request::Fetch(request) if self.log(request.topic).is_some() => {
                self.waiting.push(Waiting { connection: index, request });
            }
            Request::CreateTopic { correlation_id, durable } => {
                let topic = answers::topic_id(self.logs.len());
                self.logs.push(Log::create(&self.dir.join(format!("{}.log", self.logs.len())), durable)?);
                self.connections[index].outbound.extend(answers::created_topic(correlation_id, topic));
            }
            // Which one is not looked at: those that are being written are not deleted.
            Request::DeleteTopic { correlation_id } => {
                self.logs.iter_mut().for_each(Log::empty);
                self.connections[index].outbound.extend(answers::deleted_topic(correlation_id));
            }
            Request::Produce(_) | Request::Fetch(_) | Request::Unknown => {
                self.connections[index].closed = true
            }
        }
        Ok(())
    }

    /// Writes everything that came in this turn: one write and at most one sync per log.
    fn append(&mut self, appends: &mut [Append]) -> io::Result<()> {
        for (index, log) in self.logs.iter_mut().enumerate() {
            let topic = answers::topic_id(index);
            let mut mine: Vec<&mut Append> =
                appends.iter_mut().filter(|append| append.request.topic == topic).collect();
            if mine.is_empty() {
                continue;
            }
            for append in &mut mine {
                let batch = self.connections[append.connection].bytes_mut(append.request.records.clone());
                append.base_offset = log.stamp(batch);
            }
            let batches = mine
                .iter()
                .map(|append| {
                    io::IoSlice::new(
                        self.connections[append.connection].bytes(append.request.records.clone()),
                    )
                })
                .collect::<Vec<_>>();
            log.write(&batches)?;
        }
        Ok(())
    }

    fn answer_fetches(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for waiter in waiting {
            let request = &waiter.request;
            let log = &self.logs[answers::topic_place(request.topic)];
            let range = log.range(request.offset, request.bytes_max);
            let connection = &mut self.connections[waiter.connection];
            if range.is_empty() {
                self.waiting.push(waiter);
                continue;
            }
            let head = answers::fetched(
                request.correlation_id,
                request.topic,
                log.log_end(),
                range.end - range.start,
            );
            connection.send_file(&head, log.file(), range, &answers::FETCHED_TAIL);
        }
    }

    fn log(&self, topic: base::uuid::Uuid) -> Option<&Log> {
        self.logs.get(answers::topic_place(topic))
    }

    fn drop_closed(&mut self) {
        for index in (0..self.connections.len())
            .rev()
            .filter(|index| self.connections[*index].closed)
            .collect::<Vec<_>>()
        {
            self.connections.remove(index);
            self.waiting.retain(|waiter| waiter.connection != index);
            for waiter in self.waiting.iter_mut().filter(|waiter| waiter.connection > index) {
                waiter.connection -= 1;
            }
        }
    }
}
