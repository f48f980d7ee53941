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
use crate::replies::{Replies, Reply};
use crate::shard::{Op, ShardQueue};

/// Produces of one connection that may be under way together.
const PIPELINE: usize = 256;

/// A connection of a client.
pub struct BrokerSession {
    broker: Arc<Broker>,
    connection: Arc<ConnectionContext>,
    replies: Arc<Replies>,
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
            gathered: Gathered { ops: Vec::new(), parked: None, waker },
            held: None,
            exclusive: false,
        }
    }

    fn start(&mut self, header: RequestHeader, body: Reader, frame: Frame, now: Now) -> Result<(), Close> {
        let handler = dispatch::handler(header.api_key, header.api_version)?;
        self.exclusive = header.api_key != ApiKey::PRODUCE;
        self.broker.metrics().count_request(header.api_key);
        handler(Call {
            broker: &self.broker,
            context: RequestContext { connection: self.connection.clone(), header },
            body,
            permit: frame.permit,
            ticket: self.replies.issue(),
            replies: &self.replies,
            gathered: &mut self.gathered,
            now,
        })
    }
}

impl Session for BrokerSession {
    fn accepts(&self) -> bool {
        let outstanding = self.replies.outstanding();
        self.held.is_none() && (outstanding == 0 || (!self.exclusive && outstanding < PIPELINE))
    }

    fn on_frame(&mut self, frame: Frame, now: Now) -> Result<(), Close> {
        let mut body = Reader::new(frame.bytes.clone());
        let header = RequestHeader::decode(&mut body)
            .map_err(|error| Close(format!("unreadable request header: {error}")))?;
        if header.api_key != ApiKey::PRODUCE && self.replies.outstanding() > 0 {
            self.held = Some((header, body, frame));
            return Ok(());
        }
        self.start(header, body, frame, now)
    }

    fn end_of_input(&mut self, _now: Now) {
        self.gathered.submit();
    }

    fn advance(&mut self, now: Now) -> Result<(), Close> {
        self.replies.looked();
        if self.replies.next_expiry().is_some_and(|at| at <= now.mono) {
            self.replies.expire(now.mono);
        }
        if let Some(parked) = self.gathered.parked.take() {
            self.gathered.parked = parked.advance(&self.broker, &self.replies, now);
        }
        self.replies.skip_silent();
        if self.replies.outstanding() == 0
            && let Some((header, body, frame)) = self.held.take()
        {
            self.start(header, body, frame, now)?;
        }
        Ok(())
    }

    fn next_output(&mut self) -> Option<Result<Output, Close>> {
        loop {
            match self.replies.pop() {
                Some(Reply::Send(output)) => return Some(Ok(output)),
                Some(Reply::Silent) => {}
                Some(Reply::Close(reason)) => return Some(Err(Close(reason))),
                None => break,
            }
        }
        // The last reply before it has just left, so nobody else will wake the connection for what was held back.
        if self.held.is_some() && self.replies.outstanding() == 0 {
            self.gathered.waker.wake_by_ref();
        }
        None
    }

    fn next_timeout(&self) -> Option<MonoTime> {
        let parked = self.gathered.parked.as_ref().map(ParkedFetch::deadline);
        [parked, self.replies.next_expiry()].into_iter().flatten().min()
    }
}

impl Drop for BrokerSession {
    fn drop(&mut self) {
        if let Some(parked) = self.gathered.parked.take() {
            parked.cancel();
        }
    }
}
