//! Applying records to an image.
//!
//! A record that contradicts the image means that log and code disagree: the caller must halt rather than go on with
//! another state than its peers. Feature levels are not looked at: a record says by itself what it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::ids::{BrokerEpoch, DirectoryId, LeaderEpoch, NodeId, PartitionIndex, ProducerId, TopicId};
use base::uuid::Uuid;
use imbl::OrdMap;
use machine::Stamp;
use protocol::metadata_record::MetadataRecord;
use protocol::records::broker_registration_change_record::BrokerRegistrationChangeRecord;
use protocol::records::client_quota_record::ClientQuotaRecord;
use protocol::records::config_record::ConfigRecord;
use protocol::records::partition_change_record::PartitionChangeRecord;
use protocol::records::partition_record::PartitionRecord;
use protocol::records::register_broker_record::RegisterBrokerRecord;
use protocol::records::register_controller_record::RegisterControllerRecord;

use super::{Broker, Controller, Endpoint, Image, LeaderRecoveryState, Partition, Resource, ResourceType};
use super::{SupportedVersions, Topic};
use crate::controller::names::collision_key;

/// What a `PartitionChange` says when it does not name a leader.
pub(crate) const NO_LEADER_CHANGE: i32 = -2;

/// Why a record cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata record at offset {}: {reason}", stamp.offset)]
pub struct ReplayError {
    /// Where the record stands.
    pub stamp: Stamp,
    /// What it contradicts.
    pub reason: String,
}

type Outcome = Result<(), String>;

impl Image {
    /// Applies one record. Records of metadata transactions mean nothing here; the state around it minds them.
    ///
    /// # Errors
    /// When the record contradicts the image; which must not be used any more then.
    pub fn replay(&mut self, stamp: Stamp, record: &MetadataRecord) -> Result<(), ReplayError> {
        self.apply(record).map_err(|reason| ReplayError { stamp, reason })?;
        self.offset = stamp.offset;
        self.epoch = stamp.epoch;
        Ok(())
    }

    fn apply(&mut self, record: &MetadataRecord) -> Outcome {
        match record {
            MetadataRecord::RegisterBroker(record) => self.register_broker(record),
            MetadataRecord::UnregisterBroker(record) => {
                self.broker_of(record.broker_id, record.broker_epoch)?;
                self.brokers.remove(&NodeId(record.broker_id));
            }
            MetadataRecord::BrokerRegistrationChange(record) => return self.change_broker(record),
            MetadataRecord::FenceBroker(record) => return self.fence(record.id, record.epoch, true),
            MetadataRecord::UnfenceBroker(record) => return self.fence(record.id, record.epoch, false),
            MetadataRecord::RegisterController(record) => self.register_controller(record),
            MetadataRecord::Topic(record) => return self.add_topic(&record.name, record.topic_id),
            MetadataRecord::RemoveTopic(record) => return self.remove_topic(TopicId(record.topic_id)),
            MetadataRecord::Partition(record) => return self.set_partition(record),
            MetadataRecord::PartitionChange(record) => return self.change_partition(record),
            MetadataRecord::ClearElr(record) => return self.clear_elr(&record.topic_name),
            MetadataRecord::Config(record) => return self.set_config(record),
            MetadataRecord::FeatureLevel(record) => {
                let name = record.name.as_str();
                match record.feature_level {
                    0 => self.features.remove(name),
                    level => self.features.insert(name.into(), level),
                };
            }
            MetadataRecord::ProducerIds(record) => return self.set_next_producer_id(record.next_producer_id),
            MetadataRecord::ClientQuota(record) => self.set_quota(record),
            MetadataRecord::AccessControlEntry(record) => {
                self.acls.insert(record.id, Arc::new(record.clone()));
            }
            MetadataRecord::RemoveAccessControlEntry(record) => {
                self.acls.remove(&record.id).ok_or_else(|| format!("no ACL has the id {}", record.id))?;
            }
            MetadataRecord::UserScramCredential(record) => {
                self.scram.insert((record.name.as_str().into(), record.mechanism), Arc::new(record.clone()));
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                self.scram.remove(&(Arc::from(record.name.as_str()), record.mechanism));
            }
            MetadataRecord::DelegationToken(record) => {
                self.delegation_tokens.insert(record.token_id.as_str().into(), Arc::new(record.clone()));
            }
            MetadataRecord::RemoveDelegationToken(record) => {
                self.delegation_tokens.remove(record.token_id.as_str());
            }
            MetadataRecord::NoOp(_)
            | MetadataRecord::ZkMigrationState(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => {}
        }
        Ok(())
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        let features = record.features.iter().map(|feature| {
            let range =
                SupportedVersions { min: feature.min_supported_version, max: feature.max_supported_version };
            (feature.name.clone(), range)
        });
        let broker = Broker {
            id: NodeId(record.broker_id),
            epoch: BrokerEpoch(record.broker_epoch),
            incarnation_id: record.incarnation_id,
            endpoints: endpoints.collect(),
            features: features.collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            is_migrating_zk_broker: record.is_migrating_zk_broker,
            directories: sorted_directories(&record.log_dirs),
            cordoned_directories: record.cordoned_log_dirs.as_deref().map(sorted_directories),
        };
        self.brokers.insert(broker.id, Arc::new(broker));
    }

    fn broker_of(&self, id: i32, epoch: i64) -> Result<&Arc<Broker>, String> {
        let broker = self.brokers.get(&NodeId(id)).ok_or_else(|| format!("no broker {id} is registered"))?;
        if broker.epoch != BrokerEpoch(epoch) {
            return Err(format!("broker {id} is registered with epoch {}, not {epoch}", broker.epoch));
        }
        Ok(broker)
    }

    fn change_broker(&mut self, record: &BrokerRegistrationChangeRecord) -> Outcome {
        let mut broker = Broker::clone(self.broker_of(record.broker_id, record.broker_epoch)?);
        match record.fenced {
            0 => {}
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            other => return Err(format!("unknown value {other} of fenced")),
        }
        match record.in_controlled_shutdown {
            0 => {}
            1 => broker.in_controlled_shutdown = true,
            other => return Err(format!("unknown value {other} of inControlledShutdown")),
        }
        if !record.log_dirs.is_empty() {
            broker.directories = sorted_directories(&record.log_dirs);
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            broker.cordoned_directories = Some(sorted_directories(cordoned));
        }
        self.brokers.insert(broker.id, Arc::new(broker));
        Ok(())
    }

    fn fence(&mut self, id: i32, epoch: i64, fenced: bool) -> Outcome {
        let broker = Broker { fenced, ..Broker::clone(self.broker_of(id, epoch)?) };
        self.brokers.insert(broker.id, Arc::new(broker));
        Ok(())
    }

    fn register_controller(&mut self, record: &RegisterControllerRecord) {
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
        });
        let features = record.features.iter().map(|feature| {
            let range =
                SupportedVersions { min: feature.min_supported_version, max: feature.max_supported_version };
            (feature.name.clone(), range)
        });
        let controller = Controller {
            id: NodeId(record.controller_id),
            incarnation_id: record.incarnation_id,
            zk_migration_ready: record.zk_migration_ready,
            endpoints: endpoints.collect(),
            features: features.collect::<BTreeMap<_, _>>(),
        };
        self.controllers.insert(controller.id, Arc::new(controller));
    }

    fn add_topic(&mut self, name: &str, id: Uuid) -> Outcome {
        let id = TopicId(id);
        if let Some(other) = self.topic_ids.get(name) {
            return Err(format!("topic {name} with id {id} is there already, with id {other}"));
        }
        let name: Arc<str> = name.into();
        let topic = Topic { id, name: name.clone(), partitions: OrdMap::new() };
        if self.topics.insert(id, Arc::new(topic)).is_some() {
            return Err(format!("topic id {id} is there already"));
        }
        if let Some(key) = collision_key(&name) {
            let mut names = self.colliding.get(key.as_str()).cloned().unwrap_or_default();
            names.insert(name.clone());
            self.colliding.insert(key.into(), names);
        }
        self.topic_ids.insert(name, id);
        Ok(())
    }

    fn remove_topic(&mut self, id: TopicId) -> Outcome {
        let topic = self.topics.remove(&id).ok_or_else(|| no_topic(id))?;
        self.topic_ids.remove(&topic.name);
        if let Some(key) = collision_key(&topic.name)
            && let Some(names) = self.colliding.get_mut(key.as_str())
        {
            names.remove(&topic.name);
            if names.is_empty() {
                self.colliding.remove(key.as_str());
            }
        }
        self.configs.remove(&Resource::topic(topic.name.clone()));
        self.partition_count -= topic.partitions.len();
        Ok(())
    }

    fn set_partition(&mut self, record: &PartitionRecord) -> Outcome {
        let id = TopicId(record.topic_id);
        let topic = Arc::make_mut(self.topics.get_mut(&id).ok_or_else(|| no_topic(id))?);
        let partition = Partition::from_record(record)?;
        if topic.partitions.insert(PartitionIndex(record.partition_id), Arc::new(partition)).is_none() {
            self.partition_count += 1;
        }
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Outcome {
        let id = TopicId(record.topic_id);
        let topic = Arc::make_mut(self.topics.get_mut(&id).ok_or_else(|| no_topic(id))?);
        let index = PartitionIndex(record.partition_id);
        let partition = topic.partitions.get_mut(&index);
        let partition = partition.ok_or_else(|| format!("topic {} has no partition {index}", topic.name))?;
        Arc::make_mut(partition).change(record)
    }

    fn clear_elr(&mut self, name: &str) -> Outcome {
        let topics: Vec<TopicId> = if name.is_empty() {
            self.topic_ids.values().copied().collect()
        } else {
            vec![*self.topic_ids.get(name).ok_or_else(|| format!("there is no topic {name}"))?]
        };
        for id in topics {
            let Some(topic) = self.topics.get_mut(&id) else { continue };
            let has_elr =
                |partition: &Partition| !partition.elr.is_empty() || !partition.last_known_elr.is_empty();
            let changed: Vec<_> = topic
                .partitions
                .iter()
                .filter(|(_, partition)| has_elr(partition))
                .map(|(index, _)| *index)
                .collect();
            for index in changed {
                let Some(partition) = Arc::make_mut(topic).partitions.get_mut(&index) else { continue };
                let partition = Arc::make_mut(partition);
                partition.elr.clear();
                partition.last_known_elr.clear();
            }
        }
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigRecord) -> Outcome {
        let Some(kind) = ResourceType::from_number(record.resource_type) else {
            return Err(format!("unknown resource type {} of a config", record.resource_type));
        };
        let resource = Resource { kind, name: record.resource_name.as_str().into() };
        let mut overrides = self.configs.get(&resource).cloned().unwrap_or_default();
        match &record.value {
            Some(value) => overrides.insert(record.name.as_str().into(), value.as_str().into()),
            None => overrides.remove(record.name.as_str()),
        };
        if overrides.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource, overrides);
        }
        Ok(())
    }

    fn set_next_producer_id(&mut self, next: i64) -> Outcome {
        let next = ProducerId(next);
        if self.next_producer_id.is_some_and(|known| next <= known) {
            return Err(format!("next producer id {next} is not above {}", self.next_producer_id()));
        }
        self.next_producer_id = Some(next);
        Ok(())
    }

    fn set_quota(&mut self, record: &ClientQuotaRecord) {
        let entity = record.entity.iter().map(|part| {
            let name = part.entity_name.as_deref().map(Arc::from);
            (Arc::from(part.entity_type.as_str()), name)
        });
        let mut entity: Vec<_> = entity.collect();
        entity.sort();
        let mut quotas = self.client_quotas.get(&entity).cloned().unwrap_or_default();
        if record.remove {
            quotas.remove(record.key.as_str());
        } else {
            quotas.insert(record.key.as_str().into(), record.value);
        }
        if quotas.is_empty() {
            self.client_quotas.remove(&entity);
        } else {
            self.client_quotas.insert(entity, quotas);
        }
    }
}

impl Partition {
    fn from_record(record: &PartitionRecord) -> Result<Self, String> {
        let replicas = nodes(&record.replicas);
        Ok(Self {
            directories: directories(&record.directories, replicas.len())?,
            replicas,
            isr: nodes(&record.isr),
            removing_replicas: nodes(&record.removing_replicas),
            adding_replicas: nodes(&record.adding_replicas),
            elr: record.eligible_leader_replicas.as_deref().map(nodes).unwrap_or_default(),
            last_known_elr: record.last_known_elr.as_deref().map(nodes).unwrap_or_default(),
            leader: NodeId(record.leader),
            leader_recovery_state: recovery_state(record.leader_recovery_state)?,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
        })
    }

    /// Applies a change: what it does not name stays. Naming a leader raises the leader epoch, even if it is the same.
    fn change(&mut self, record: &PartitionChangeRecord) -> Outcome {
        if let Some(replicas) = &record.replicas {
            // A replica that stays keeps its directory.
            let kept = |id: &NodeId| self.directory(*id).unwrap_or(DirectoryId::UNASSIGNED);
            let replicas = nodes(replicas);
            self.directories = replicas.iter().map(kept).collect();
            self.replicas = replicas;
        }
        if let Some(list) = &record.directories {
            self.directories = directories(list, self.replicas.len())?;
        }
        let fields = [
            (&mut self.isr, &record.isr),
            (&mut self.removing_replicas, &record.removing_replicas),
            (&mut self.adding_replicas, &record.adding_replicas),
            (&mut self.elr, &record.eligible_leader_replicas),
            (&mut self.last_known_elr, &record.last_known_elr),
        ];
        for (field, change) in fields {
            if let Some(change) = change {
                *field = nodes(change);
            }
        }
        if record.leader != NO_LEADER_CHANGE {
            self.leader = NodeId(record.leader);
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0 + 1);
        }
        if record.leader_recovery_state != -1 {
            self.leader_recovery_state = recovery_state(record.leader_recovery_state)?;
        }
        self.partition_epoch += 1;
        Ok(())
    }
}

fn no_topic(id: TopicId) -> String {
    format!("no topic has the id {id}")
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().map(|id| NodeId(*id)).collect()
}

fn sorted_directories(ids: &[Uuid]) -> Vec<DirectoryId> {
    let mut directories: Vec<_> = ids.iter().map(|id| DirectoryId(*id)).collect();
    directories.sort_unstable();
    directories
}

/// One directory per replica; records of versions without directories stand for migrating ones.
fn directories(ids: &[Uuid], replica_count: usize) -> Result<Vec<DirectoryId>, String> {
    if ids.is_empty() {
        return Ok(vec![DirectoryId::MIGRATING; replica_count]);
    }
    if ids.len() != replica_count {
        return Err(format!("{} directories for {replica_count} replicas", ids.len()));
    }
    Ok(ids.iter().map(|id| DirectoryId(*id)).collect())
}

fn recovery_state(number: i8) -> Result<LeaderRecoveryState, String> {
    LeaderRecoveryState::from_number(number).ok_or_else(|| format!("unknown leader recovery state {number}"))
}
