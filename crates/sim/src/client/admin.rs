//! An administrator: creates and deletes topics, and looks at the cluster.

use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::TopicId;
use base::time::{MonoTime, Now};
use protocol::api::ApiKey;
use protocol::messages::api_versions_request::ApiVersionsRequest;
use protocol::messages::api_versions_response::ApiVersionsResponse;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::messages::create_topics_response::CreateTopicsResponse;
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::delete_topics_response::DeleteTopicsResponse;
use protocol::messages::describe_cluster_request::DescribeClusterRequest;
use protocol::messages::describe_cluster_response::DescribeClusterResponse;
use wire::reader::Reader;

use super::link::{Link, Received, any_version, read};
use super::topics::Topics;
use super::{Client, Io};
use crate::event::Event;
use crate::ledger::Intent;
use crate::network::Network;
use crate::plan::Plan;
use crate::random::Random;

/// An administrator.
pub struct Admin {
    name: String,
    link: Link<What>,
    topics: Topics,
    plan: Plan,
    /// Things to be done until they are done.
    to_create: Vec<Arc<str>>,
    to_delete: Vec<Arc<str>>,
    rest_until: MonoTime,
    ending: bool,
}

enum What {
    Create(Arc<str>),
    Delete(Arc<str>),
    Metadata,
    DescribeCluster,
    ApiVersions,
}

impl Admin {
    /// An administrator who makes topics as the plan says.
    pub fn new(name: &str, plan: Plan, to_create: Vec<Arc<str>>) -> Self {
        Self {
            name: name.to_owned(),
            link: Link::new(name),
            topics: Topics::default(),
            plan,
            to_create,
            to_delete: Vec::new(),
            rest_until: MonoTime(0),
            ending: false,
        }
    }

    fn on_answer(&mut self, what: What, version: i16, body: Reader, io: &mut Io<'_>) {
        match what {
            What::Create(name) => self.on_created(&name, &read(body, version), version, io),
            What::Delete(name) => self.on_deleted(&name, &read(body, version), io),
            What::Metadata => {
                let name = self.name.clone();
                self.topics.learn(&name, &read(body, version), version, io);
            }
            What::DescribeCluster => {
                let response: DescribeClusterResponse = read(body, version);
                assert_eq!(response.error_code, ErrorCode::NONE);
                assert_eq!(response.brokers.len(), 1, "there is one node, and it answers");
            }
            What::ApiVersions => {
                let response: ApiVersionsResponse = read(body, version);
                assert!(!response.api_keys.is_empty(), "something is served");
            }
        }
    }

    fn on_created(&mut self, name: &str, response: &CreateTopicsResponse, version: i16, io: &mut Io<'_>) {
        for topic in &response.topics {
            match topic.error_code {
                // Also when an earlier try did it of which no answer came, or a producer did.
                ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => {
                    self.to_create.retain(|wanted| **wanted != *name);
                    if topic.error_code == ErrorCode::NONE && version >= 7 {
                        io.events.push(Event::TopicTold(topic.name.clone(), TopicId(topic.topic_id)));
                    }
                }
                code => self.refused(ApiKey::CREATE_TOPICS, code, io),
            }
        }
    }

    fn on_deleted(&mut self, name: &str, response: &DeleteTopicsResponse, io: &mut Io<'_>) {
        for topic in &response.responses {
            match topic.error_code {
                ErrorCode::NONE | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
                    // A topic that is not there may be about to be made: by a request that is still under way.
                    if topic.error_code == ErrorCode::NONE {
                        io.events.push(Event::Deleted(name.to_owned()));
                    }
                    self.to_delete.retain(|doomed| **doomed != *name);
                }
                code => self.refused(ApiKey::DELETE_TOPICS, code, io),
            }
        }
    }

    fn refused(&mut self, api: ApiKey, code: ErrorCode, io: &mut Io<'_>) {
        io.events.push(Event::Refused { client: self.name.clone(), api, code });
        self.rest_until = io.now.mono.plus_ms(10);
    }

    fn ask(&mut self, io: &mut Io<'_>) {
        if let Some(name) = self.to_create.first().cloned() {
            return self.create(name, io);
        }
        if let Some(name) = self.to_delete.first().cloned() {
            return self.delete(name, io);
        }
        let living = io.ledger.living();
        self.rest_until = io.now.mono.plus_ms(io.random.range(0, 30));
        match io.random.below(8) {
            0..=2 if living.len() < self.plan.topics && io.ledger.topic_count() < 4 * self.plan.topics => {
                let name: Arc<str> = format!("t{}", io.ledger.topic_count()).into();
                let intent = self.plan.intent(io.random);
                io.ledger.intend(name.clone(), intent);
                self.to_create.push(name);
            }
            3 if living.len() > 1 && self.plan.deletes => {
                let name = io.random.pick(&living).clone();
                io.ledger.doom(&name);
                io.events.push(Event::DeleteAsked(name.to_string()));
                self.to_delete.push(name);
            }
            4 => {
                let version = any_version(ApiKey::METADATA, 10, io.random);
                let request = self.topics.request(version.1, false, io);
                self.link.send(io, version, &request, What::Metadata, true);
            }
            5 => {
                let version = any_version(ApiKey::DESCRIBE_CLUSTER, 0, io.random);
                let request =
                    DescribeClusterRequest { endpoint_type: 1, ..DescribeClusterRequest::default() };
                self.link.send(io, version, &request, What::DescribeCluster, true);
            }
            6 => {
                let version = any_version(ApiKey::API_VERSIONS, 0, io.random);
                let request = ApiVersionsRequest {
                    client_software_name: "sim".to_owned(),
                    client_software_version: "1".to_owned(),
                };
                self.link.send(io, version, &request, What::ApiVersions, true);
            }
            _ => {}
        }
    }

    fn create(&mut self, name: Arc<str>, io: &mut Io<'_>) {
        let Some(Intent { partitions, configs, .. }) = io.ledger.topic(&name).cloned() else { return };
        let configs =
            configs.into_iter().map(|(name, value)| CreatableTopicConfig { name, value: Some(value) });
        let topic = CreatableTopic {
            name: name.to_string(),
            num_partitions: partitions.unwrap_or(-1),
            replication_factor: -1,
            assignments: Vec::new(),
            configs: configs.collect(),
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, validate_only: false };
        // Defaults for partitions and replicas came with version 4.
        let version = any_version(ApiKey::CREATE_TOPICS, 4, io.random);
        self.link.send(io, version, &request, What::Create(name), true);
    }

    fn delete(&mut self, name: Arc<str>, io: &mut Io<'_>) {
        let version = any_version(ApiKey::DELETE_TOPICS, 1, io.random);
        let by_id = self.topics.get(&name).map(|known| known.id).filter(|id| *id != TopicId::ZERO);
        let mut request = DeleteTopicsRequest { timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
        match by_id.filter(|_| version.1 >= 6 && io.random.chance(1, 2)) {
            Some(id) => request.topics = vec![DeleteTopicState { name: None, topic_id: id.0 }],
            None if version.1 >= 6 => {
                let name = Some(name.to_string());
                request.topics = vec![DeleteTopicState { name, ..DeleteTopicState::default() }];
            }
            None => request.topic_names = vec![name.to_string()],
        }
        self.link.send(io, version, &request, What::Delete(name), true);
    }

    fn has_work(&self) -> bool {
        !self.ending || !self.to_create.is_empty() || !self.to_delete.is_empty()
    }
}

impl Client for Admin {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_ready(&self, network: &Network, now: Now) -> bool {
        let rested = self.rest_until <= now.mono;
        match self.link.is_connected() {
            true => self.link.is_ready(network, now) || (rested && self.link.open() == 0 && self.has_work()),
            false => self.link.is_ready(network, now) && rested && self.has_work(),
        }
    }

    fn next_timeout(&self) -> Option<MonoTime> {
        match (self.link.is_connected(), self.link.open()) {
            (true, 0) => self.has_work().then_some(self.rest_until),
            (true, _) => self.link.next_timeout(),
            (false, _) if !self.has_work() => None,
            (false, _) => self.link.next_timeout().map(|at| at.max(self.rest_until)),
        }
    }

    fn step(&mut self, io: &mut Io<'_>) {
        match self.link.receive(io) {
            Received::Answer { what, version, body, .. } => return self.on_answer(what, version, body, io),
            Received::Lost(_) => return,
            Received::Nothing => {}
        }
        if self.link.connect(io) && self.link.open() == 0 && self.rest_until <= io.now.mono && self.has_work()
        {
            self.ask(io);
        }
    }

    fn wind_down(&mut self) {
        self.ending = true;
    }

    fn waits_for(&self) -> Option<String> {
        let (open, creates, deletes) = (self.link.open(), self.to_create.len(), self.to_delete.len());
        let left = open + creates + deletes;
        (left > 0).then(|| format!("{}: {open} open, {creates} to create, {deletes} to delete", self.name))
    }
}

/// The topics that there are from the begin.
pub fn first_topics(plan: &Plan, ledger: &mut crate::ledger::Ledger, random: &mut Random) {
    for _ in 0..plan.topics.div_ceil(2) {
        let name: Arc<str> = format!("t{}", ledger.topic_count()).into();
        ledger.intend(name, plan.intent(random));
    }
}
