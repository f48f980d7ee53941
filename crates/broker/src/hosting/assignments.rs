//! Where this node's replicas lie, told to the controller (AssignReplicasToDirs, KIP-858).
//!
//! ```text
//!  a log is made, found or moved ─► compare with the metadata ─► wanted ─► one request under way ─► published: nothing left
//! ```
//! Invariant: what is wanted is told until the controller has answered it; what came meanwhile goes into the next request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::error_code::ErrorCode;
use base::ids::{BrokerEpoch, DirectoryId, TopicId};
use base::time::{MonoTime, Now};
use metadata::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use protocol::messages::assign_replicas_to_dirs_request::{
    AssignReplicasToDirsRequest, DirectoryData, PartitionData, TopicData,
};

use crate::broker::Broker;
use crate::controller::Answer;
use crate::partition::{PartitionHandle, Replica};

/// Replicas in one request at most, as in Apache Kafka.
const REQUEST_MAX: usize = 2000;

/// The pause after a request that was not carried out.
pub(crate) const RETRY_MS: i64 = 500;

/// What the controller is still to be told.
pub(super) struct Assignments {
    broker: Arc<Broker>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    wanted: BTreeMap<Replica, DirectoryId>,
    /// What the request under way says; empty when there is none.
    told: BTreeMap<Replica, DirectoryId>,
    /// The last request was not carried out.
    refused: bool,
    /// Not before this.
    next: MonoTime,
}

impl Assignments {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, state: Arc::default() }
    }

    /// The metadata says that the replica lies in `assigned`: if that is not so, the controller is to be told.
    pub(super) fn compare(&self, handle: &PartitionHandle, assigned: Option<DirectoryId>) {
        if let Some(actual) = handle.shared.log_dir().id().filter(|actual| Some(*actual) != assigned) {
            self.state().wanted.insert(handle.shared.replica(), actual);
        }
    }

    /// The replica is gone.
    pub(super) fn forget(&self, handle: &PartitionHandle) {
        self.state().wanted.remove(&handle.shared.replica());
    }

    /// Tells the controller, once this broker is registered and unless a request is under way.
    pub(super) fn submit(&self, now: Now) {
        let is_registered = self.broker.producer_ids().epoch() != BrokerEpoch::default();
        let request = {
            let mut state = self.state();
            if std::mem::take(&mut state.refused) {
                state.next = now.mono.plus_ms(RETRY_MS);
            }
            if now.mono < state.next {
                return;
            }
            if !is_registered || state.wanted.is_empty() || !state.told.is_empty() {
                return;
            }
            let rest = state.wanted.keys().nth(REQUEST_MAX).copied();
            let rest = rest.map(|rest| state.wanted.split_off(&rest)).unwrap_or_default();
            state.told = std::mem::replace(&mut state.wanted, rest);
            request(&self.broker, &state.told)
        };
        let state = self.state.clone();
        let on_reply = Box::new(move |answer: Answer| {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let told = std::mem::take(&mut state.told);
            match answer {
                Ok(ControllerReply::AssignReplicasToDirs(response))
                    if response.error_code == ErrorCode::NONE => {}
                other => {
                    tracing::warn!(
                        ?other,
                        "the controller was not told where replicas lie; it is told again"
                    );
                    state.refused = true;
                    told.into_iter()
                        .for_each(|(replica, dir)| _ = state.wanted.entry(replica).or_insert(dir));
                }
            }
        });
        let verb = ControllerVerb::AssignReplicasToDirs(request);
        self.broker.controller().submit(ControllerRequest::internal(verb), on_reply);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What says of each replica where it lies, in the current epoch of `broker`.
pub(crate) fn request(
    broker: &Broker,
    replicas: &BTreeMap<Replica, DirectoryId>,
) -> AssignReplicasToDirsRequest {
    let mut directories: BTreeMap<DirectoryId, BTreeMap<TopicId, Vec<PartitionData>>> = BTreeMap::new();
    for ((topic, index), directory) in replicas {
        let partitions = directories.entry(*directory).or_default().entry(*topic).or_default();
        partitions.push(PartitionData { partition_index: index.0 });
    }
    let topic = |(id, partitions): (TopicId, _)| TopicData { topic_id: id.0, partitions };
    let directories = directories
        .into_iter()
        .map(|(id, topics)| DirectoryData { id: id.0, topics: topics.into_iter().map(topic).collect() });
    AssignReplicasToDirsRequest {
        broker_id: broker.node().0,
        broker_epoch: broker.producer_ids().epoch().0,
        directories: directories.collect(),
    }
}
