//! Fetch: ranges of segments for consumers, at once or when enough has come.
//!
//! ```text
//!  open session ─► read ─► enough, late, or an error? ─► answer
//!                    ▲ │ no: wait in every partition, look once more, park
//!                    └─┘ woken by the appends or the deadline
//! ```
//! A fetch is read on its connection's thread from the published side of the logs; the shards are not asked. Invariant: a
//! session's cache is changed only by the answer that its fetcher gets.

mod read;

use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, Offset, PartitionIndex, TopicId};
use base::time::{MonoTime, Now};
use net::session::Close;
use protocol::messages::fetch_request::FetchRequest;
use protocol::messages::fetch_response::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use replication::fetch_session::{
    FetchPartition, OpenFetch, Outcome, PartitionKey, SessionRequest, TopicKey,
};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::dispatch::{self, Call};
use crate::partition::FetchWaiter;
use crate::replies::{Replies, Ticket};
use read::{Found, Reads};

/// The first version that names topics by id (KIP-516).
const TOPIC_IDS_FROM: i16 = 13;
/// The first version whose errors say who leads (KIP-951).
const LEADER_FROM: i16 = 16;

/// Which records a fetcher may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the high watermark.
    ReadUncommitted,
    /// Up to the last stable offset.
    ReadCommitted,
    /// Up to the log's end: replicas, and consumers that debug with replica id -2.
    LogEnd,
}

/// A fetch that waits.
pub struct ParkedFetch {
    fetch: Fetch,
    waiter: Arc<FetchWaiter>,
    deadline: MonoTime,
}

struct Fetch {
    context: RequestContext,
    ticket: Ticket,
    open: OpenFetch,
    replica: NodeId,
    isolation: Isolation,
    min_bytes: i64,
    max_bytes: usize,
}

/// Takes up a fetch.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: FetchRequest = call.decode()?;
    let version = call.context.header.api_version;
    let replica = if version >= 15 { request.replica_state.replica_id } else { request.replica_id };
    let opened = call.broker.open_fetch_session(session_request(&request, version, replica >= 0), call.now);
    let open = match opened {
        Ok(open) => open,
        Err(code) => return call.answer(&FetchResponse { error_code: code, ..FetchResponse::default() }),
    };
    let fetch = Fetch {
        context: call.context.clone(),
        ticket: call.ticket,
        open,
        replica: NodeId(replica),
        isolation: match (replica, request.isolation_level) {
            (-1, 1) => Isolation::ReadCommitted,
            (-1, _) => Isolation::ReadUncommitted,
            _ => Isolation::LogEnd,
        },
        min_bytes: request.min_bytes.into(),
        max_bytes: request.max_bytes.clamp(0, call.broker.config().fetch_max_bytes) as usize,
    };
    let reads = fetch.read(call.broker);
    if request.max_wait_ms <= 0 || fetch.is_enough(&reads) {
        fetch.answer(call.broker, call.replies, reads);
        return Ok(());
    }
    let deadline = call.now.mono.plus_ms(request.max_wait_ms.into());
    let waker = call.gathered.waker.clone();
    call.gathered.parked = fetch.park(call.broker, call.replies, reads, deadline, waker);
    Ok(())
}

impl ParkedFetch {
    /// When it is answered at the latest.
    pub fn deadline(&self) -> MonoTime {
        self.deadline
    }

    /// Looks whether it can be answered; gives itself back while it waits.
    pub(crate) fn advance(self, broker: &Arc<Broker>, replies: &Arc<Replies>, now: Now) -> Option<Self> {
        let late = self.deadline <= now.mono;
        if !late && !self.waiter.is_done() {
            return Some(self);
        }
        let reads = self.fetch.read(broker);
        if late || self.fetch.is_enough(&reads) {
            self.waiter.cancel();
            self.fetch.answer(broker, replies, reads);
            return None;
        }
        let waker = self.waiter.waker().clone();
        self.fetch.park(broker, replies, reads, self.deadline, waker)
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn cancel(self) {
        self.waiter.cancel();
    }
}

impl Fetch {
    fn read(&self, broker: &Broker) -> Reads {
        read::read(broker, &self.open.partitions, self.isolation, self.replica, self.max_bytes)
    }

    fn is_enough(&self, reads: &Reads) -> bool {
        self.open.partitions.is_empty() || reads.must_answer || reads.bytes as i64 >= self.min_bytes
    }

    /// Waits in every partition, then looks once more: what came in between would otherwise wake nobody.
    fn park(
        self,
        broker: &Arc<Broker>,
        replies: &Arc<Replies>,
        reads: Reads,
        deadline: MonoTime,
        waker: std::task::Waker,
    ) -> Option<ParkedFetch> {
        let waiter = FetchWaiter::new(self.min_bytes - reads.bytes as i64, waker);
        for handle in reads.found.iter().filter_map(|found| found.handle.as_ref()) {
            handle.shared.wait(waiter.clone());
        }
        let again = self.read(broker);
        if self.is_enough(&again) {
            waiter.cancel();
            self.answer(broker, replies, again);
            return None;
        }
        Some(ParkedFetch { fetch: self, waiter, deadline })
    }

    fn answer(&self, broker: &Broker, replies: &Replies, reads: Reads) {
        let outcomes: Vec<Outcome> = reads.found.iter().map(Found::outcome).collect();
        let told = broker.answer_fetch_session(&self.open, &outcomes);
        let mut response = FetchResponse { session_id: self.open.session_id, ..FetchResponse::default() };
        let found = self.open.partitions.iter().zip(reads.found).zip(told);
        for ((partition, found), _) in found.filter(|(_, told)| *told) {
            push(&mut response.responses, &partition.key, found.data);
        }
        if self.context.header.api_version >= LEADER_FROM {
            self.say_leaders(broker, &mut response);
        }
        replies.answer(self.ticket, dispatch::reply(&self.context, &response));
    }

    /// KIP-951: who leads instead, so that the client need not ask for metadata.
    fn say_leaders(&self, broker: &Broker, response: &mut FetchResponse) {
        let moved = |partition: &PartitionData| {
            matches!(partition.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH)
        };
        let image = broker.image();
        let mut any = false;
        for topic in &mut response.responses {
            for partition in topic.partitions.iter_mut().filter(|partition| moved(partition)) {
                let index = PartitionIndex(partition.partition_index);
                if let Some(found) = image.partition(TopicId(topic.topic_id), index) {
                    partition.current_leader =
                        LeaderIdAndEpoch { leader_id: found.leader.0, leader_epoch: found.leader_epoch.0 };
                    any = true;
                }
            }
        }
        if any {
            response.node_endpoints = broker
                .endpoints(&self.context.connection)
                .map(|endpoint| NodeEndpoint {
                    node_id: endpoint.id.0,
                    host: endpoint.host,
                    port: endpoint.port,
                    rack: endpoint.rack,
                })
                .collect();
        }
    }
}

/// Adds a partition to its topic's part of the response; a topic that comes again later gets a second part.
fn push(topics: &mut Vec<FetchableTopicResponse>, key: &PartitionKey, data: PartitionData) {
    let (topic, topic_id) = match &key.topic {
        TopicKey::Name(name) => (name.to_string(), TopicId::ZERO.0),
        TopicKey::Id(id) => (String::new(), id.0),
    };
    match topics.last_mut() {
        Some(last) if last.topic == topic && last.topic_id == topic_id => last.partitions.push(data),
        _ => topics.push(FetchableTopicResponse { topic, topic_id, partitions: vec![data] }),
    }
}

fn session_request(request: &FetchRequest, version: i16, privileged: bool) -> SessionRequest {
    let by_id = version >= TOPIC_IDS_FROM;
    let key = |name: &str, id| match by_id {
        true => TopicKey::Id(TopicId(id)),
        false => TopicKey::Name(name.into()),
    };
    let mut partitions = Vec::new();
    for topic in &request.topics {
        let topic_key = key(&topic.topic, topic.topic_id);
        partitions.extend(topic.partitions.iter().map(|partition| FetchPartition {
            key: PartitionKey { topic: topic_key.clone(), index: PartitionIndex(partition.partition) },
            fetch_offset: Offset(partition.fetch_offset),
            current_leader_epoch: LeaderEpoch(partition.current_leader_epoch),
            last_fetched_epoch: LeaderEpoch(partition.last_fetched_epoch),
            log_start_offset: Offset(partition.log_start_offset),
            max_bytes: partition.partition_max_bytes,
        }));
    }
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let topic_key = key(&topic.topic, topic.topic_id);
        forgotten.extend(
            topic
                .partitions
                .iter()
                .map(|index| PartitionKey { topic: topic_key.clone(), index: PartitionIndex(*index) }),
        );
    }
    SessionRequest {
        id: request.session_id,
        epoch: request.session_epoch,
        by_id,
        partitions,
        forgotten,
        privileged,
    }
}
