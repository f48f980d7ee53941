//! Produce: batches of clients go to the shards of their partitions, and one response gathers what came of them.
//!
//! Invariant: every partition of the request is answered exactly once: refused here, answered by its shard, or timed out;
//! the response leaves when the last one is.

use std::sync::{Arc, Mutex, PoisonError};

use base::error_code::ErrorCode;
use base::ids::{Offset, PartitionIndex, TopicId};
use net::permits::Permit;
use net::session::Close;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse,
    TopicProduceResponse,
};
use replication::acks::Acks;
use storage::append::{AppendRefusal, Appended};
use wire::piece::Piece;
use wire::validate::{Refused, only_batch};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::dispatch::{self, Call};
use crate::partition::PartitionHandle;
use crate::replies::{Expire, Replies, Reply, Ticket};
use crate::shard::{Append, Effects, Op};

/// The first version that names topics by id (KIP-516).
const TOPIC_IDS_FROM: i16 = 13;
/// The first version whose errors say who leads (KIP-951).
const LEADER_FROM: i16 = 10;
/// The only client that may write to internal topics.
const ADMIN_CLIENT: &str = "__admin_client";

/// A produce whose partitions are not all answered.
pub struct PendingProduce {
    context: RequestContext,
    acks: Acks,
    ticket: Ticket,
    replies: Arc<Replies>,
    broker: Arc<Broker>,
    state: Mutex<State>,
}

struct State {
    response: ProduceResponse,
    /// Partitions without an answer: see [`is_open`].
    remaining: usize,
    _permit: Option<Permit>,
}

/// One partition of a produce.
pub struct ProducePart {
    pending: Arc<PendingProduce>,
    topic: u32,
    partition: u32,
}

/// Takes up a produce.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: ProduceRequest = call.decode()?;
    let Call { broker, context, permit, ticket, tickets, replies, gathered, now, .. } = call;
    let acks = Acks::from_wire(request.acks);
    let version = context.header.api_version;
    let whole = refused_as_a_whole(&request, version);
    let pending = Arc::new(PendingProduce {
        context,
        // An answer is owed when the number means nothing: error 21.
        acks: acks.unwrap_or(Acks::Leader),
        ticket,
        replies: replies.clone(),
        broker: broker.clone(),
        state: Mutex::new(State::new(&request, permit)),
    });
    if acks == Some(Acks::All) {
        tickets.expire_at(ticket, now.mono.plus_ms(request.timeout_ms.into()), pending.clone());
    }
    let mut effects = Effects::default();
    pending.finish_if_complete(&mut effects);
    let transactional = request.transactional_id.is_some();
    for (topic_place, topic) in request.topic_data.into_iter().enumerate() {
        let found = broker.find_topic(&topic, pending.by_id());
        for (place, data) in topic.partition_data.into_iter().enumerate() {
            let part =
                ProducePart { pending: pending.clone(), topic: topic_place as u32, partition: place as u32 };
            let admitted = match (&whole, acks, &found) {
                (Some(refused), ..) => Err(AppendRefusal::from(refused.as_ref().clone())),
                (None, None, _) => Err(AppendRefusal::of(ErrorCode::INVALID_REQUIRED_ACKS)),
                (None, Some(_), Err(code)) => Err(AppendRefusal::of(*code)),
                (None, Some(acks), Ok(id)) => {
                    pending.admit(*id, data, transactional).map(|(handle, batch)| (handle, batch, acks))
                }
            };
            match admitted {
                Ok((handle, batch, acks)) => {
                    let append = Append { slot: handle.slot, batch, acks, part };
                    gathered.push(&handle.shard, Op::Append(append));
                }
                Err(refusal) => part.refuse(refusal, &mut effects),
            }
        }
    }
    for replies in effects.wakes {
        replies.wake();
    }
    Ok(())
}

/// Bytes over which Kafka stumbles before it looks at partitions one by one: every partition gets the same answer.
fn refused_as_a_whole(request: &ProduceRequest, version: i16) -> Option<Box<Refused>> {
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let refused = partitions.filter_map(|data| match &data.records {
        Some(Piece::Memory(bytes)) => only_batch(bytes, version).err(),
        _ => None,
    });
    refused.into_iter().find(|refused| refused.whole_request)
}

impl PendingProduce {
    fn by_id(&self) -> bool {
        self.context.header.api_version >= TOPIC_IDS_FROM
    }

    /// What is checked before the shard is asked.
    fn admit(
        &self,
        topic: TopicId,
        data: PartitionProduceData,
        transactional: bool,
    ) -> Result<(PartitionHandle, bytes::Bytes), AppendRefusal> {
        let handle = self.broker.partition(topic, PartitionIndex(data.index)).map_err(AppendRefusal::of)?;
        let internal = Broker::is_internal(&handle.shared.topic);
        if internal && self.context.header.client_id.as_deref() != Some(ADMIN_CLIENT) {
            return Err(AppendRefusal::of(ErrorCode::INVALID_TOPIC_EXCEPTION));
        }
        let Some(Piece::Memory(batch)) = data.records else {
            return Err(AppendRefusal::new(ErrorCode::INVALID_RECORD, "the partition has no records"));
        };
        let header = only_batch(&batch, self.context.header.api_version)
            .map_err(|refused| AppendRefusal::from(*refused))?;
        if header.attributes().is_transactional() || transactional {
            return Err(AppendRefusal::new(
                ErrorCode::INVALID_TXN_STATE,
                "transactions are not supported by this broker",
            ));
        }
        Ok((handle, batch))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(
        &self,
        part: (u32, u32),
        fill: impl FnOnce(&mut PartitionProduceResponse),
        effects: &mut Effects,
    ) {
        {
            let mut state = self.state();
            // Gone with the reply when the time was over.
            let Some(topic) = state.response.responses.get_mut(part.0 as usize) else { return };
            let response = &mut topic.partition_responses[part.1 as usize];
            if !is_open(response) {
                return;
            }
            fill(response);
            debug_assert!(!is_open(response), "an answer is an offset or an error");
            state.remaining -= 1;
        }
        self.finish_if_complete(effects);
    }

    fn finish_if_complete(&self, effects: &mut Effects) {
        let response = {
            let mut state = self.state();
            if state.remaining > 0 {
                return;
            }
            state._permit = None;
            std::mem::take(&mut state.response)
        };
        if self.replies.fulfil(self.ticket, self.reply(response)) {
            effects.wakes.push(self.replies.clone());
        }
    }

    fn reply(&self, mut response: ProduceResponse) -> Reply {
        let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        let failed = partitions.find(|partition| partition.error_code != ErrorCode::NONE);
        if self.acks == Acks::None {
            // Without an answer, closing is the only way to tell the client.
            return match failed {
                Some(partition) => {
                    Reply::Close(format!("a produce with acks 0 failed: {}", partition.error_code))
                }
                None => Reply::Silent,
            };
        }
        if failed.is_some() && self.context.header.api_version >= LEADER_FROM {
            self.say_leaders(&mut response);
        }
        dispatch::reply(&self.context, &response)
    }

    /// KIP-951: who leads instead, so that the client need not ask for metadata.
    fn say_leaders(&self, response: &mut ProduceResponse) {
        let image = self.broker.image();
        for topic in &mut response.responses {
            for partition in &mut topic.partition_responses {
                if partition.error_code != ErrorCode::NOT_LEADER_OR_FOLLOWER {
                    continue;
                }
                let found = match self.by_id() {
                    true => image.topic_by_id(TopicId(topic.topic_id)),
                    false => image.topic_by_name(&topic.name),
                };
                let found = found.and_then(|topic| topic.partition(PartitionIndex(partition.index)));
                if let Some(found) = found {
                    partition.current_leader =
                        LeaderIdAndEpoch { leader_id: found.leader.0, leader_epoch: found.leader_epoch.0 };
                }
            }
        }
        response.node_endpoints = self
            .broker
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

impl Expire for PendingProduce {
    fn expire(&self) {
        let mut effects = Effects::default();
        let open: Vec<(u32, u32)> = {
            let state = self.state();
            let topics = state.response.responses.iter().enumerate();
            let open = topics.flat_map(|(topic, response)| {
                let partitions = response.partition_responses.iter().enumerate();
                let open = partitions.filter(|(_, response)| is_open(response));
                open.map(move |(partition, _)| (topic as u32, partition as u32))
            });
            open.collect()
        };
        for part in open {
            self.settle(part, |response| fill_error(response, ErrorCode::REQUEST_TIMED_OUT), &mut effects);
        }
        for replies in effects.wakes {
            replies.wake();
        }
    }
}

impl ProducePart {
    /// The batch is in the log as far as the producer asked.
    pub(crate) fn accept(self, appended: Appended, effects: &mut Effects) {
        let fill = |response: &mut PartitionProduceResponse| {
            response.base_offset = appended.first_offset.0;
            response.log_append_time_ms = appended.log_append_time.map_or(-1, |time| time.0);
            response.log_start_offset = appended.log_start_offset.0;
        };
        self.pending.settle((self.topic, self.partition), fill, effects);
    }

    /// The batch is not taken.
    pub(crate) fn refuse(self, refusal: AppendRefusal, effects: &mut Effects) {
        self.refuse_at(Offset::NONE, refusal, effects);
    }

    /// The batch is not taken by a log that starts at `log_start`, which some errors tell.
    pub(crate) fn refuse_at(self, log_start: Offset, refusal: AppendRefusal, effects: &mut Effects) {
        let fill = |response: &mut PartitionProduceResponse| {
            fill_error(response, refusal.code);
            if refusal.tells_log_start_offset {
                response.log_start_offset = log_start.0;
            }
            response.error_message = refusal.message;
            response.record_errors = refusal
                .record_errors
                .into_iter()
                .map(|error| BatchIndexAndErrorMessage {
                    batch_index: error.batch_index,
                    batch_index_error_message: error.message,
                })
                .collect();
        };
        self.pending.settle((self.topic, self.partition), fill, effects);
    }

    /// The partition left this node between its resolution and the append.
    pub(crate) fn refuse_gone(self, effects: &mut Effects) {
        self.refuse(AppendRefusal::of(ErrorCode::NOT_LEADER_OR_FOLLOWER), effects);
    }
}

impl State {
    fn new(request: &ProduceRequest, permit: Option<Permit>) -> Self {
        let responses: Vec<_> = request.topic_data.iter().map(empty_response).collect();
        let remaining = responses.iter().map(|topic| topic.partition_responses.len()).sum();
        let response = ProduceResponse { responses, ..ProduceResponse::default() };
        Self { response, remaining, _permit: permit }
    }
}

fn empty_response(topic: &TopicProduceData) -> TopicProduceResponse {
    let partition = |data: &PartitionProduceData| PartitionProduceResponse {
        index: data.index,
        base_offset: -1,
        ..PartitionProduceResponse::default()
    };
    TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(partition).collect(),
    }
}

/// Whether the partition has no answer yet: neither an offset nor an error.
fn is_open(response: &PartitionProduceResponse) -> bool {
    response.error_code == ErrorCode::NONE && response.base_offset < 0
}

fn fill_error(response: &mut PartitionProduceResponse, code: ErrorCode) {
    response.error_code = code;
    response.base_offset = -1;
    response.log_append_time_ms = -1;
    response.log_start_offset = -1;
}
