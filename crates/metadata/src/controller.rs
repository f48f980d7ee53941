//! The controller: decides what the cluster's metadata becomes.
//!
//! One file per area. A decider looks at the state and gives records and an answer; only replaying the records changes
//! the state. What it remembers besides (when brokers were heard) may die with it.

mod activation;
mod brokers;
mod configs;
mod controllers;
mod directories;
mod election;
pub mod names;
mod placement;
mod producer_ids;
pub mod request;
mod sessions;
mod topics;

use base::ids::{BrokerEpoch, NodeId};
use base::time::Now;
use machine::{Decision, Soft, TimerChange, View};
use protocol::messages::allocate_producer_ids_request::AllocateProducerIdsRequest;
use protocol::messages::allocate_producer_ids_response::AllocateProducerIdsResponse;
use protocol::messages::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest;
use protocol::messages::assign_replicas_to_dirs_response::AssignReplicasToDirsResponse;
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use protocol::messages::broker_heartbeat_response::BrokerHeartbeatResponse;
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use protocol::messages::broker_registration_response::BrokerRegistrationResponse;
use protocol::metadata_record::MetadataRecord;

pub use request::{
    Access, AllowAll, ControllerReply, ControllerRequest, ControllerSettings, ControllerVerb, Random,
};

use crate::state::State;
use brokers::Brokers;
use election::Defaults;
use sessions::Sessions;

#[cfg(test)]
mod tests;

/// The controller's soft state, and its deciders' common needs.
pub struct Controller {
    settings: ControllerSettings,
    /// The node that this controller runs in. While it leads, no earlier process of the same node can be alive.
    local: NodeId,
    random: Box<dyn Random>,
    bootstrap: Vec<MetadataRecord>,
    sessions: Sessions,
    defaults: Defaults,
}

/// What a controller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ControllerTimer {
    /// A broker must be heard before this.
    Session(NodeId),
}

impl Controller {
    /// A controller that will write these records into an empty log.
    pub fn new(
        settings: ControllerSettings,
        local: NodeId,
        random: Box<dyn Random>,
        bootstrap: Vec<MetadataRecord>,
    ) -> Self {
        let config = settings.configs.broker_config();
        let defaults = Defaults {
            unclean: config.as_ref().is_ok_and(|config| config.unclean_leader_election_enable),
            min_insync_replicas: config.as_ref().map_or(1, |config| config.min_insync_replicas),
        };
        let sessions = Sessions::new(settings.broker_session_timeout_ms);
        Self { settings, local, random, bootstrap, sessions, defaults }
    }

    fn brokers<'a>(&self, view: &View<'a, State>) -> Brokers<'a> {
        Brokers { state: view.hard, next_offset: view.next_offset, defaults: self.defaults }
    }

    fn configs<'a>(&'a self, view: &View<'a, State>) -> configs::AlterConfigs<'a> {
        configs::AlterConfigs { image: view.hard.image(), settings: &self.settings, local: self.local }
    }

    fn create_topics(
        &mut self,
        view: &View<'_, State>,
        request: &protocol::messages::create_topics_request::CreateTopicsRequest,
        access: &dyn Access,
    ) -> Decision<Self> {
        let decider = topics::create::CreateTopics {
            image: view.hard.image(),
            settings: &self.settings,
            local: self.local,
            access,
            random: self.random.as_mut(),
        };
        let (records, response) = decider.decide(request);
        Decision::write(records, ControllerReply::CreateTopics(response))
    }

    fn register(&mut self, view: &View<'_, State>, request: &BrokerRegistrationRequest) -> Decision<Self> {
        let id = NodeId(request.broker_id);
        match self.brokers(view).register(request, &self.sessions) {
            Ok((records, epoch)) => {
                let response = BrokerRegistrationResponse { broker_epoch: epoch.0, ..Default::default() };
                let timers = vec![self.hear(id, epoch)];
                Decision { timers, ..Decision::write(records, ControllerReply::RegisterBroker(response)) }
            }
            Err(refusal) => {
                let response = BrokerRegistrationResponse {
                    error_code: refusal.code,
                    broker_epoch: BrokerEpoch::NONE.0,
                    ..Default::default()
                };
                Decision::reply(ControllerReply::RegisterBroker(response))
            }
        }
    }

    fn heartbeat(&mut self, view: &View<'_, State>, request: &BrokerHeartbeatRequest) -> Decision<Self> {
        let id = NodeId(request.broker_id);
        match self.brokers(view).heartbeat(request, &mut self.sessions) {
            Ok(heartbeat) => {
                let timers = vec![self.hear(id, BrokerEpoch(request.broker_epoch))];
                let reply = ControllerReply::Heartbeat(heartbeat.response);
                Decision { timers, ..Decision::write(heartbeat.records, reply) }
            }
            Err(refusal) => {
                let response = BrokerHeartbeatResponse { error_code: refusal.code, ..Default::default() };
                Decision::reply(ControllerReply::Heartbeat(response))
            }
        }
    }

    fn allocate_producer_ids(
        &self,
        view: &View<'_, State>,
        request: &AllocateProducerIdsRequest,
    ) -> Decision<Self> {
        let brokers = self.brokers(view);
        let checked = brokers.check_epoch(NodeId(request.broker_id), BrokerEpoch(request.broker_epoch));
        match checked.and_then(|_| producer_ids::allocate(view.hard.image(), request)) {
            Ok((record, response)) => {
                Decision::write(vec![record], ControllerReply::AllocateProducerIds(response))
            }
            Err(refusal) => {
                let response = AllocateProducerIdsResponse { error_code: refusal.code, ..Default::default() };
                Decision::reply(ControllerReply::AllocateProducerIds(response))
            }
        }
    }

    fn assign_replicas(
        &self,
        view: &View<'_, State>,
        request: &AssignReplicasToDirsRequest,
    ) -> Decision<Self> {
        match self.brokers(view).assign_replicas(request) {
            Ok((records, response)) => {
                Decision::write(records, ControllerReply::AssignReplicasToDirs(response))
            }
            Err(refusal) => {
                Decision::reply(ControllerReply::AssignReplicasToDirs(AssignReplicasToDirsResponse {
                    error_code: refusal.code,
                    ..Default::default()
                }))
            }
        }
    }

    /// Gives the broker a whole session from now on.
    fn hear(&mut self, id: NodeId, epoch: BrokerEpoch) -> TimerChange<ControllerTimer> {
        TimerChange::Arm(ControllerTimer::Session(id), self.sessions.hear(id, epoch))
    }
}

impl Soft for Controller {
    type Hard = State;
    type Verb = ControllerRequest;
    type Reply = ControllerReply;
    type Effect = std::convert::Infallible;
    type Timer = ControllerTimer;

    fn decide(&mut self, view: View<'_, State>, now: Now, request: ControllerRequest) -> Decision<Self> {
        self.sessions.set_now(now);
        match &request.verb {
            ControllerVerb::CreateTopics(body) => self.create_topics(&view, body, request.access.as_ref()),
            ControllerVerb::DeleteTopics(body) => {
                let decider = topics::delete::DeleteTopics {
                    image: view.hard.image(),
                    settings: &self.settings,
                    access: request.access.as_ref(),
                    api_version: request.api_version,
                };
                let (records, response) = decider.decide(body);
                Decision::write(records, ControllerReply::DeleteTopics(response))
            }
            ControllerVerb::CreatePartitions(body) => {
                let decider = topics::grow::CreatePartitions {
                    image: view.hard.image(),
                    access: request.access.as_ref(),
                    random: self.random.as_mut(),
                };
                let (records, response) = decider.decide(body);
                Decision::write(records, ControllerReply::CreatePartitions(response))
            }
            ControllerVerb::AlterConfigs(body) => {
                let (records, response) = self.configs(&view).replace(body);
                Decision::write(records, ControllerReply::AlterConfigs(response))
            }
            ControllerVerb::IncrementalAlterConfigs(body) => {
                let (records, response) = self.configs(&view).incremental(body);
                Decision::write(records, ControllerReply::IncrementalAlterConfigs(response))
            }
            ControllerVerb::RegisterBroker(body) => self.register(&view, body),
            ControllerVerb::RegisterController(body) => controllers::register(&view, body),
            ControllerVerb::Heartbeat(body) => self.heartbeat(&view, body),
            ControllerVerb::AllocateProducerIds(body) => self.allocate_producer_ids(&view, body),
            ControllerVerb::AssignReplicasToDirs(body) => self.assign_replicas(&view, body),
        }
    }

    /// Every broker gets a session in which it must be heard. A broker of this node itself is fenced all the same if it
    /// stays silent, but its next incarnation need not wait: the last one died with the process before this one. (Apache
    /// lets it wait for the whole session.)
    fn elected(&mut self, view: View<'_, State>, now: Now) -> Decision<Self> {
        self.sessions.clear();
        self.sessions.set_now(now);
        let records = activation::records(view.hard, &self.bootstrap, self.defaults.min_insync_replicas);
        let mut timers = Vec::new();
        for broker in view.hard.published().brokers() {
            if broker.id == self.local {
                let until = now.mono.plus_ms(self.settings.broker_session_timeout_ms);
                timers.push(TimerChange::Arm(ControllerTimer::Session(broker.id), until));
            } else {
                timers.push(self.hear(broker.id, broker.epoch));
            }
        }
        Decision { records, timers, ..Decision::nothing() }
    }

    fn resigned(&mut self) {
        self.sessions.clear();
    }

    /// Sessions were given to brokers whose registration was lost: their epochs do not match any more, and that is all.
    fn restored(&mut self, _view: View<'_, State>) {}

    fn timer(&mut self, view: View<'_, State>, now: Now, timer: ControllerTimer) -> Decision<Self> {
        let ControllerTimer::Session(id) = timer;
        self.sessions.set_now(now);
        match view.hard.image().broker(id) {
            Some(broker) if !broker.fenced && !self.sessions.is_valid(id, broker.epoch) => {
                self.sessions.touch(id, true, false, base::ids::Offset::NONE);
                let records = self.brokers(&view).fence(broker);
                Decision { records, ..Decision::nothing() }
            }
            _ => Decision::nothing(),
        }
    }
}
