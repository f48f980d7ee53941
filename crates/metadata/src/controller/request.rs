//! What the controller is asked and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::config::Layers;
use base::ids::NodeId;
use protocol::messages::allocate_producer_ids_request::AllocateProducerIdsRequest;
use protocol::messages::allocate_producer_ids_response::AllocateProducerIdsResponse;
use protocol::messages::alter_configs_request::AlterConfigsRequest;
use protocol::messages::alter_configs_response::AlterConfigsResponse;
use protocol::messages::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest;
use protocol::messages::assign_replicas_to_dirs_response::AssignReplicasToDirsResponse;
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use protocol::messages::broker_heartbeat_response::BrokerHeartbeatResponse;
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use protocol::messages::broker_registration_response::BrokerRegistrationResponse;
use protocol::messages::controller_registration_request::ControllerRegistrationRequest;
use protocol::messages::controller_registration_response::ControllerRegistrationResponse;
use protocol::messages::create_partitions_request::CreatePartitionsRequest;
use protocol::messages::create_partitions_response::CreatePartitionsResponse;
use protocol::messages::create_topics_request::CreateTopicsRequest;
use protocol::messages::create_topics_response::CreateTopicsResponse;
use protocol::messages::delete_topics_request::DeleteTopicsRequest;
use protocol::messages::delete_topics_response::DeleteTopicsResponse;
use protocol::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use protocol::messages::incremental_alter_configs_response::IncrementalAlterConfigsResponse;

use crate::image::{Image, Resource, SupportedVersions};

/// What is asked for: the bodies of Kafka's requests.
#[derive(Clone, Debug, PartialEq)]
pub enum ControllerVerb {
    /// CreateTopics (19).
    CreateTopics(CreateTopicsRequest),
    /// DeleteTopics (20).
    DeleteTopics(DeleteTopicsRequest),
    /// CreatePartitions (37).
    CreatePartitions(CreatePartitionsRequest),
    /// AlterConfigs (33).
    AlterConfigs(AlterConfigsRequest),
    /// IncrementalAlterConfigs (44).
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    /// BrokerRegistration (62).
    RegisterBroker(BrokerRegistrationRequest),
    /// ControllerRegistration (70).
    RegisterController(ControllerRegistrationRequest),
    /// BrokerHeartbeat (63).
    Heartbeat(BrokerHeartbeatRequest),
    /// AllocateProducerIds (67).
    AllocateProducerIds(AllocateProducerIdsRequest),
    /// AssignReplicasToDirs (73).
    AssignReplicasToDirs(AssignReplicasToDirsRequest),
}

/// The answer to the verb of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum ControllerReply {
    /// To CreateTopics.
    CreateTopics(CreateTopicsResponse),
    /// To DeleteTopics.
    DeleteTopics(DeleteTopicsResponse),
    /// To CreatePartitions.
    CreatePartitions(CreatePartitionsResponse),
    /// To AlterConfigs.
    AlterConfigs(AlterConfigsResponse),
    /// To IncrementalAlterConfigs.
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    /// To BrokerRegistration.
    RegisterBroker(BrokerRegistrationResponse),
    /// To ControllerRegistration.
    RegisterController(ControllerRegistrationResponse),
    /// To BrokerHeartbeat.
    Heartbeat(BrokerHeartbeatResponse),
    /// To AllocateProducerIds.
    AllocateProducerIds(AllocateProducerIdsResponse),
    /// To AssignReplicasToDirs.
    AssignReplicasToDirs(AssignReplicasToDirsResponse),
}

/// A verb with what else the request came with.
#[derive(Clone)]
pub struct ControllerRequest {
    /// What is asked for.
    pub verb: ControllerVerb,
    /// The version of the request: some rules differ.
    pub api_version: i16,
    /// What the caller may do.
    pub access: Arc<dyn Access>,
}

/// What a caller may do with topics. The authorizer's answers, asked by name.
pub trait Access: Send + Sync {
    /// CREATE on the topic or the cluster.
    fn may_create(&self, topic: &str) -> bool;
    /// ALTER on the topic.
    fn may_alter(&self, topic: &str) -> bool;
    /// DELETE on the topic.
    fn may_delete(&self, topic: &str) -> bool;
    /// DESCRIBE on the topic.
    fn may_describe(&self, topic: &str) -> bool;
    /// DESCRIBE_CONFIGS on the topic.
    fn may_describe_configs(&self, topic: &str) -> bool;
}

/// Everything is allowed: no authorizer is configured.
#[derive(Clone, Copy, Debug)]
pub struct AllowAll;

/// Where the controller's random bits come from.
pub trait Random: Send {
    /// 128 random bits.
    fn bits(&mut self) -> u128;
}

/// What the controller's decisions depend on besides the log.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// `num.partitions`: for topics that leave it open.
    pub num_partitions: i32,
    /// `default.replication.factor`: for topics that leave it open.
    pub default_replication_factor: i16,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `broker.session.timeout.ms`: a broker that is silent for longer is fenced.
    pub broker_session_timeout_ms: i64,
    /// The broker configs of this node, for the defaults of topic configs.
    pub configs: Layers,
    /// The feature levels that this node supports.
    pub supported_features: BTreeMap<String, SupportedVersions>,
}

impl ControllerSettings {
    /// The configs of node `local` as they are now: of its file, and those set for all or for it while they run.
    pub(crate) fn layers(&self, image: &Image, local: NodeId) -> Layers {
        let overrides = |name: String| {
            let overrides = image.config(&Resource::broker(name));
            overrides.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
        };
        Layers {
            static_broker: self.configs.static_broker.clone(),
            dynamic_default: overrides(String::new()),
            dynamic_broker: overrides(local.to_string()),
        }
    }
}

impl ControllerRequest {
    /// A request that may do everything, in the latest version: of this node itself, or without an authorizer.
    pub fn internal(verb: ControllerVerb) -> Self {
        Self { verb, api_version: i16::MAX, access: Arc::new(AllowAll) }
    }
}

impl Access for AllowAll {
    fn may_create(&self, _topic: &str) -> bool {
        true
    }

    fn may_alter(&self, _topic: &str) -> bool {
        true
    }

    fn may_delete(&self, _topic: &str) -> bool {
        true
    }

    fn may_describe(&self, _topic: &str) -> bool {
        true
    }

    fn may_describe_configs(&self, _topic: &str) -> bool {
        true
    }
}
