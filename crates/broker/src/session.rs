//! One client's connection above the framing: which request may start now, and what it gathers for the shards.
//!
//! Kafka processes one request of a connection at a time, and clients lean on that. Here consecutive produces overlap,
//! because their shards keep their order; any other request is a barrier: it starts when everything before it is
//! answered, and nothing after it starts before it is answered itself.
//!
//! ```text
//!   P P P | M | F…………(parked)……… | P P
//!         ▲ waits for the Ps     ▲ waits for the fetch
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use base::time::{MonoTime, Now};
use net::session::{Close, Frame, Session};
use protocol::api::ApiKey;
use protocol::request::RequestHeader;
use wire::output::Output;
use wire::reader::Reader;

use crate::apis::fetch::ParkedFetch;
use crate::broker::Broker;
use crate::context::{ConnectionContext, RequestContext};
use crate::dispatch::{self, Call};
use crate::replies::{Replies, Reply, Tickets};
use crate::shard::{Op, ShardQueue};

/// Produces of one connection that may be under way together.
const PIPELINE: usize = 256;

/// A connection of a client.
pub struct BrokerSession {
    broker: Arc<Broker>,
    connection: Arc<ConnectionContext>,
    replies: Arc<Replies>,
    tickets: Tickets,
    /// Answers that may go out.
    ready: VecDeque<Reply>,
    /// Answers may have come since the last look.
    must_look: bool,
    gathered: Gathered,
    /// A request that waits for those before it.
    held: Option<(RequestHeader, Reader, Frame)>,
    /// The request under way is a barrier.
    exclusive: bool,
}

/// What a connection has for others when it has read all its input.
pub struct Gathered {
    /// Ops by shard; as few shards as a connection produces to.
    ops: Vec<(Arc<ShardQueue>, Vec<Op>)>,
    /// The fetch that waits for bytes or its time.
    pub parked: Option<ParkedFetch>,
    /// Wakes the connection.
    pub waker: Waker,
}

impl Gathered {
    /// Adds an op for a shard.
    pub fn push(&mut self, shard: &Arc<ShardQueue>, op: Op) {
        match self.ops.iter_mut().find(|(queue, _)| Arc::ptr_eq(queue, shard)) {
            Some((_, ops)) => ops.push(op),
            None => self.ops.push((shard.clone(), vec![op])),
        }
    }

    fn submit(&mut self) {
        for (shard, ops) in &mut self.ops {
            if !ops.is_empty() {
                shard.submit(ops);
            }
        }
    }
}

impl BrokerSession {
    /// A new connection; `waker` makes its driver look again.
    pub fn new(broker: Arc<Broker>, connection: ConnectionContext, waker: Waker) -> Self {
        Self {
            broker,
            connection: Arc::new(connection),
            replies: Replies::new(waker.clone()),
            tickets: Tickets::default(),
            ready: VecDeque::new(),
            must_look: false,
            gathered: Gathered { ops: Vec::new(), parked: None, waker },
            held: None,
            exclusive: false,
        }
    }

    fn start(&mut self, header: RequestHeader, body: Reader, frame: Frame, now: Now) -> Result<(), Close> {
        let handler = dispatch::handler(header.api_key, header.api_version)?;
        self.exclusive = header.api_key != ApiKey::PRODUCE;
        self.broker.metrics().count_request(header.api_key);
        self.stay_awake();
        handler(Call {
            broker: &self.broker,
            context: RequestContext { connection: self.connection.clone(), header },
            body,
            permit: frame.permit,
            ticket: self.tickets.issue(),
            tickets: &mut self.tickets,
            replies: &self.replies,
            gathered: &mut self.gathered,
            now,
        })
    }

    /// What is answered until [`BrokerSession::look`] need not wake this connection.
    fn stay_awake(&mut self) {
        if !std::mem::replace(&mut self.must_look, true) {
            self.replies.stay_awake();
        }
    }

    fn look(&mut self) {
        self.must_look = false;
        self.tickets.look(&self.replies, &mut self.ready);
    }
}

impl Session for BrokerSession {
    fn accepts(&self) -> bool {
        let outstanding = self.tickets.outstanding();
        self.held.is_none() && (outstanding == 0 || (!self.exclusive && outstanding < PIPELINE))
    }

    fn on_frame(&mut self, frame: Frame, now: Now) -> Result<(), Close> {
        let mut body = Reader::new(frame.bytes.clone());
        let header = RequestHeader::decode(&mut body)
            .map_err(|error| Close(format!("unreadable request header: {error}")))?;
        if header.api_key != ApiKey::PRODUCE && self.tickets.outstanding() > 0 {
            self.held = Some((header, body, frame));
            return Ok(());
        }
        self.start(header, body, frame, now)
    }

    fn end_of_input(&mut self, _now: Now) {
        self.gathered.submit();
    }

    fn advance(&mut self, now: Now) -> Result<(), Close> {
        if self.tickets.next_expiry().is_some_and(|at| at <= now.mono) {
            self.stay_awake();
            self.tickets.expire(now.mono);
        }
        if let Some(parked) = self.gathered.parked.take() {
            self.stay_awake();
            self.gathered.parked = parked.advance(&self.broker, &self.replies, now);
        }
        self.look();
        if self.tickets.outstanding() == 0
            && let Some((header, body, frame)) = self.held.take()
        {
            self.start(header, body, frame, now)?;
        }
        Ok(())
    }

    fn next_output(&mut self) -> Option<Result<Output, Close>> {
        loop {
            match self.ready.pop_front() {
                Some(Reply::Send(output)) => return Some(Ok(output)),
                Some(Reply::Silent) => {}
                Some(Reply::Close(reason)) => return Some(Err(Close(reason))),
                None if self.must_look => self.look(),
                None => break,
            }
        }
        // The last reply before it has just left, so nobody else will wake the connection for what was held back.
        if self.held.is_some() && self.tickets.outstanding() == 0 {
            self.gathered.waker.wake_by_ref();
        }
        None
    }

    fn next_timeout(&self) -> Option<MonoTime> {
        let parked = self.gathered.parked.as_ref().map(ParkedFetch::deadline);
        [parked, self.tickets.next_expiry()].into_iter().flatten().min()
    }
}

impl Drop for BrokerSession {
    fn drop(&mut self) {
        if let Some(parked) = self.gathered.parked.take() {
            parked.cancel();
        }
    }
}
