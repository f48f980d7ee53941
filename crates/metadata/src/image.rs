//! The cluster's metadata at one offset of the metadata log.
//!
//! An image is a value: cloning it is O(1), because all maps share their structure, and a clone never changes under its
//! reader. Only [`Image::replay`] changes one. It answers with the names and numbers of Kafka's records and knows no
//! configuration default, no feature's meaning and no clock, so the same log gives the same image everywhere.

mod broker;
mod config;
mod replay;
mod security;
mod topic;
mod write;

use std::sync::Arc;

use base::ids::{DirectoryId, LeaderEpoch, NodeId, Offset, PartitionIndex, ProducerId, TopicId};
use base::uuid::Uuid;
use imbl::{OrdMap, OrdSet};
use protocol::records::access_control_entry_record::AccessControlEntryRecord;
use protocol::records::delegation_token_record::DelegationTokenRecord;
use protocol::records::user_scram_credential_record::UserScramCredentialRecord;

use crate::controller::names::collision_key;

pub use broker::{Broker, Controller, Endpoint, SupportedVersions};
pub use config::{ConfigOverrides, Resource, ResourceType};
pub use replay::ReplayError;
pub use security::QuotaEntity;
pub use topic::{LeaderRecoveryState, Partition, Topic};
pub(crate) use write::feature_level;

/// The feature whose level says which metadata records may be written.
pub const METADATA_VERSION: &str = "metadata.version";
/// The feature whose level says whether the voter set lives in the log. Its level is a control record of the quorum.
pub const KRAFT_VERSION: &str = "kraft.version";

/// The metadata up to and including one offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    pub(crate) cluster_id: Arc<str>,
    pub(crate) offset: Offset,
    pub(crate) epoch: LeaderEpoch,
    pub(crate) kraft_version: i16,
    pub(crate) features: OrdMap<Arc<str>, i16>,
    pub(crate) brokers: OrdMap<NodeId, Arc<Broker>>,
    pub(crate) controllers: OrdMap<NodeId, Arc<Controller>>,
    pub(crate) topics: OrdMap<TopicId, Arc<Topic>>,
    pub(crate) topic_ids: OrdMap<Arc<str>, TopicId>,
    /// The names that may collide, by what they have in common.
    pub(crate) colliding: OrdMap<Arc<str>, OrdSet<Arc<str>>>,
    pub(crate) partition_count: usize,
    pub(crate) configs: OrdMap<Resource, ConfigOverrides>,
    pub(crate) next_producer_id: Option<ProducerId>,
    pub(crate) client_quotas: OrdMap<QuotaEntity, OrdMap<Arc<str>, f64>>,
    pub(crate) acls: OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    pub(crate) scram: OrdMap<(Arc<str>, i8), Arc<UserScramCredentialRecord>>,
    pub(crate) delegation_tokens: OrdMap<Arc<str>, Arc<DelegationTokenRecord>>,
}

impl Image {
    /// The image of a cluster without any record.
    pub fn empty(cluster_id: impl Into<Arc<str>>) -> Self {
        Self {
            cluster_id: cluster_id.into(),
            offset: Offset::NONE,
            epoch: LeaderEpoch(0),
            kraft_version: 0,
            features: OrdMap::new(),
            brokers: OrdMap::new(),
            controllers: OrdMap::new(),
            topics: OrdMap::new(),
            topic_ids: OrdMap::new(),
            colliding: OrdMap::new(),
            partition_count: 0,
            configs: OrdMap::new(),
            next_producer_id: None,
            client_quotas: OrdMap::new(),
            acls: OrdMap::new(),
            scram: OrdMap::new(),
            delegation_tokens: OrdMap::new(),
        }
    }

    /// The cluster's id: 22 characters of base64 when Kafka made it.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The offset of the last record in the image; [`Offset::NONE`] before the first.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The leader epoch of the last record in the image.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The topic of this name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Topic> {
        self.topic_by_id(*self.topic_ids.get(name)?)
    }

    /// The topic of this id.
    pub fn topic_by_id(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id).map(Arc::as_ref)
    }

    /// A partition of the topic of this id.
    pub fn partition(&self, id: TopicId, index: PartitionIndex) -> Option<&Partition> {
        self.topic_by_id(id)?.partition(index)
    }

    /// All topics, sorted by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topic_ids.values().filter_map(|id| self.topic_by_id(*id))
    }

    /// A topic whose name differs from this one only in `.` and `_`, which would make their metrics collide.
    pub(crate) fn colliding_topic(&self, name: &str) -> Option<&str> {
        let names = self.colliding.get(collision_key(name)?.as_str())?;
        names.iter().next().map(Arc::as_ref)
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topic_ids.len()
    }

    /// How many partitions all topics have together.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// All registered brokers, fenced ones too, sorted by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values().map(Arc::as_ref)
    }

    /// The registered broker of this id.
    pub fn broker(&self, id: NodeId) -> Option<&Broker> {
        self.brokers.get(&id).map(Arc::as_ref)
    }

    /// All registered controllers, sorted by id.
    pub fn controllers(&self) -> impl Iterator<Item = &Controller> {
        self.controllers.values().map(Arc::as_ref)
    }

    /// The configs set on a topic, by name; empty when it has none or does not exist.
    pub fn topic_config(&self, name: &str) -> ConfigOverrides {
        self.config(&Resource::topic(name))
    }

    /// The configs set on a resource, by name; empty when it has none.
    pub fn config(&self, resource: &Resource) -> ConfigOverrides {
        self.configs.get(resource).cloned().unwrap_or_default()
    }

    /// All resources that have configs, with them.
    pub fn configs(&self) -> impl Iterator<Item = (&Resource, &ConfigOverrides)> {
        self.configs.iter()
    }

    /// The finalized level of every feature above 0, sorted by name: as ApiVersions reports them, so with
    /// `kraft.version`, which is no feature record.
    pub fn finalized_features(&self) -> Vec<(Arc<str>, i16)> {
        let mut features: Vec<_> = self.features.iter().map(|(name, level)| (name.clone(), *level)).collect();
        if self.kraft_version > 0 {
            features.push((KRAFT_VERSION.into(), self.kraft_version));
            features.sort();
        }
        features
    }

    /// The finalized level of one feature; 0 when it is not finalized.
    pub fn feature(&self, name: &str) -> i16 {
        if name == KRAFT_VERSION { self.kraft_version } else { self.features.get(name).copied().unwrap_or(0) }
    }

    /// The first producer id that no block holds yet.
    pub fn next_producer_id(&self) -> ProducerId {
        self.next_producer_id.unwrap_or(ProducerId(0))
    }

    /// Whether leadership may be given to the broker: it is registered, not fenced and not shutting down.
    pub fn is_active(&self, id: NodeId) -> bool {
        self.broker(id).is_some_and(Broker::is_active)
    }

    /// The broker that has registered this log directory.
    pub fn directory_owner(&self, directory: DirectoryId) -> Option<NodeId> {
        self.brokers().find(|broker| broker.directories.contains(&directory)).map(|broker| broker.id)
    }
}
