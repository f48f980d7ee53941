//! The one way from a broker to the active controller.
//!
//! Today the controller is always in this process; a remote one will be reached through the same handle by Envelope.
//! Nothing in a broker changes metadata but through here. Invariant: each submission is answered once, in any order.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use base::error_code::ErrorCode;
use base::ids::{BrokerEpoch, NodeId, ProducerId};
use metadata::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use protocol::messages::allocate_producer_ids_request::AllocateProducerIdsRequest;
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};

/// A controller's answer, or the error that stands for the whole request, such as NOT_CONTROLLER.
pub type Answer = Result<ControllerReply, ErrorCode>;

/// What happens with an answer.
pub type OnReply = Box<dyn FnOnce(Answer) + Send>;

/// Something to decide, and what to do with the decision.
pub struct Submission {
    /// What is asked.
    pub request: ControllerRequest,
    /// Called with the answer, on the controller's thread.
    pub on_reply: OnReply,
}

/// Producer ids from `first`, `length` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// The first one.
    pub first: ProducerId,
    /// How many there are.
    pub length: i32,
}

/// The queue to the controller.
pub struct ControllerHandle {
    waker: Waker,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    submissions: Vec<Submission>,
    /// Topics whose creation clients asked for by reading their metadata, and that is not answered yet.
    creating: BTreeSet<String>,
}

impl ControllerHandle {
    /// A queue to the controller that `waker` wakes.
    pub fn new(waker: Waker) -> Self {
        Self { waker, queue: Mutex::default() }
    }

    /// Wakes whoever drives the controller.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Asks the controller.
    pub fn submit(&self, request: ControllerRequest, on_reply: OnReply) {
        self.queue().submissions.push(Submission { request, on_reply });
        self.waker.wake_by_ref();
    }

    /// Takes what was submitted since, in order. Called by whoever drives the controller.
    pub fn drain(&self) -> Vec<Submission> {
        std::mem::take(&mut self.queue().submissions)
    }

    /// Takes note of topics to be created; those that are not under way already.
    pub(crate) fn begin_creating(&self, names: BTreeSet<String>) -> Vec<String> {
        let mut queue = self.queue();
        names.into_iter().filter(|name| queue.creating.insert(name.clone())).collect()
    }

    /// Their creation was answered, well or not.
    pub(crate) fn end_creating(&self, names: &[String]) {
        let mut queue = self.queue();
        for name in names {
            queue.creating.remove(name);
        }
    }

    /// Asks for a block of producer ids.
    pub(crate) fn allocate_producer_ids(
        &self,
        node: NodeId,
        epoch: BrokerEpoch,
        on_block: Box<dyn FnOnce(Result<ProducerIdBlock, ErrorCode>) + Send>,
    ) {
        let on_reply = Box::new(move |answer: Answer| {
            on_block(match answer {
                Ok(ControllerReply::AllocateProducerIds(response))
                    if response.error_code == ErrorCode::NONE =>
                {
                    Ok(ProducerIdBlock {
                        first: ProducerId(response.producer_id_start),
                        length: response.producer_id_len,
                    })
                }
                // The client retries this one; what is wrong at the controller is not its affair.
                _ => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            });
        });
        let request = AllocateProducerIdsRequest { broker_id: node.0, broker_epoch: epoch.0 };
        self.submit(ControllerRequest::internal(ControllerVerb::AllocateProducerIds(request)), on_reply);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request by which a broker creates topics that clients asked about, with the cluster's defaults.
pub(crate) fn auto_create_request(names: &[String], timeout_ms: i32) -> CreateTopicsRequest {
    let topics = names.iter().map(|name| CreatableTopic {
        name: name.clone(),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    });
    CreateTopicsRequest { topics: topics.collect(), timeout_ms, ..CreateTopicsRequest::default() }
}
