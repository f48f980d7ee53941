//! An image as records: what a snapshot holds.
//!
//! Replaying them into an empty image gives the same image, except for offset and epoch. What the level of
//! `metadata.version` has no field for is left out.

use protocol::metadata_record::MetadataRecord;
use protocol::records::client_quota_record::{ClientQuotaRecord, EntityData};
use protocol::records::config_record::ConfigRecord;
use protocol::records::feature_level_record::FeatureLevelRecord;
use protocol::records::partition_record::PartitionRecord;
use protocol::records::producer_ids_record::ProducerIdsRecord;
use protocol::records::register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord};
use protocol::records::register_controller_record::{
    ControllerEndpoint, ControllerFeature, RegisterControllerRecord,
};
use protocol::records::topic_record::TopicRecord;

use super::{Broker, Controller, Image, METADATA_VERSION, Partition, Topic};
use crate::version::level;

impl Image {
    /// Hands out the records, `metadata.version` first, then in Kafka's order: features, brokers, controllers, topics,
    /// configs, quotas, producer ids, ACLs, SCRAM, tokens.
    pub fn for_each_record(&self, mut take: impl FnMut(MetadataRecord)) {
        let metadata_version = self.feature(METADATA_VERSION);
        self.write_features(metadata_version, &mut take);
        for broker in self.brokers() {
            take(MetadataRecord::RegisterBroker(broker.to_record(metadata_version)));
        }
        if metadata_version >= level::CONTROLLER_REGISTRATION {
            self.controllers().for_each(|one| take(MetadataRecord::RegisterController(one.to_record())));
        }
        for topic in self.topics() {
            topic.write(metadata_version, &mut take);
        }
        self.write_configs(&mut take);
        self.write_quotas(&mut take);
        if let Some(next) = self.next_producer_id {
            take(MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: -1,
                broker_epoch: -1,
                next_producer_id: next.0,
                ..Default::default()
            }));
        }
        self.acls().for_each(|record| take(MetadataRecord::AccessControlEntry(record.clone())));
        self.scram_credentials().for_each(|record| take(MetadataRecord::UserScramCredential(record.clone())));
        self.delegation_tokens().for_each(|record| take(MetadataRecord::DelegationToken(record.clone())));
    }

    /// The level of `metadata.version` comes first: readers need it to judge the rest.
    fn write_features(&self, metadata_version: i16, take: &mut impl FnMut(MetadataRecord)) {
        if metadata_version > 0 {
            take(feature_level(METADATA_VERSION, metadata_version));
        }
        for (name, level) in &self.features {
            if name.as_ref() != METADATA_VERSION {
                take(feature_level(name, *level));
            }
        }
    }

    fn write_configs(&self, take: &mut impl FnMut(MetadataRecord)) {
        for (resource, overrides) in &self.configs {
            for (name, value) in overrides {
                take(MetadataRecord::Config(ConfigRecord {
                    resource_type: resource.kind.number(),
                    resource_name: resource.name.to_string(),
                    name: name.to_string(),
                    value: Some(value.to_string()),
                    ..Default::default()
                }));
            }
        }
    }

    fn write_quotas(&self, take: &mut impl FnMut(MetadataRecord)) {
        for (entity, key, value) in self.client_quotas() {
            let part = |(kind, name): &(std::sync::Arc<str>, Option<std::sync::Arc<str>>)| EntityData {
                entity_type: kind.to_string(),
                entity_name: name.as_ref().map(ToString::to_string),
                ..Default::default()
            };
            take(MetadataRecord::ClientQuota(ClientQuotaRecord {
                entity: entity.iter().map(part).collect(),
                key: key.to_owned(),
                value,
                remove: false,
                ..Default::default()
            }));
        }
    }
}

/// The record that finalizes a feature's level.
pub(crate) fn feature_level(name: &str, level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: name.to_owned(),
        feature_level: level,
        ..Default::default()
    })
}

impl Topic {
    fn write(&self, metadata_version: i16, take: &mut impl FnMut(MetadataRecord)) {
        take(MetadataRecord::Topic(TopicRecord {
            name: self.name.to_string(),
            topic_id: self.id.0,
            ..Default::default()
        }));
        for (index, partition) in &self.partitions {
            let record = partition.to_record(self.id.0, index.0, metadata_version);
            take(MetadataRecord::Partition(record));
        }
    }
}

impl Partition {
    /// The record that sets this partition as a whole.
    pub(crate) fn to_record(
        &self,
        topic: base::uuid::Uuid,
        index: i32,
        metadata_version: i16,
    ) -> PartitionRecord {
        let ids = |nodes: &[base::ids::NodeId]| nodes.iter().map(|node| node.0).collect::<Vec<_>>();
        let some = |nodes: &[base::ids::NodeId]| (!nodes.is_empty()).then(|| ids(nodes));
        let with_elr = metadata_version >= level::ELIGIBLE_LEADER_REPLICAS;
        let with_directories = metadata_version >= level::DIRECTORY_ASSIGNMENT;
        PartitionRecord {
            partition_id: index,
            topic_id: topic,
            replicas: ids(&self.replicas),
            isr: ids(&self.isr),
            removing_replicas: ids(&self.removing_replicas),
            adding_replicas: ids(&self.adding_replicas),
            leader: self.leader.0,
            leader_recovery_state: self.leader_recovery_state.number(),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: if with_directories {
                self.directories.iter().map(|id| id.0).collect()
            } else {
                Vec::new()
            },
            eligible_leader_replicas: some(&self.elr).filter(|_| with_elr),
            last_known_elr: some(&self.last_known_elr).filter(|_| with_elr),
            ..Default::default()
        }
    }
}

impl Broker {
    /// The record that registers this broker.
    pub(crate) fn to_record(&self, metadata_version: i16) -> RegisterBrokerRecord {
        let endpoints = self.endpoints.iter().map(|endpoint| BrokerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
            ..Default::default()
        });
        let features = self.features.iter().map(|(name, range)| BrokerFeature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        });
        let with_directories = metadata_version >= level::DIRECTORY_ASSIGNMENT;
        let cordoned =
            self.cordoned_directories.as_ref().filter(|_| metadata_version >= level::CORDONED_LOG_DIRS);
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch.0,
            end_points: endpoints.collect(),
            features: features.collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: if with_directories {
                self.directories.iter().map(|id| id.0).collect()
            } else {
                Vec::new()
            },
            cordoned_log_dirs: cordoned.map(|list| list.iter().map(|id| id.0).collect()),
            ..Default::default()
        }
    }
}

impl Controller {
    /// The record that registers this controller.
    pub(crate) fn to_record(&self) -> RegisterControllerRecord {
        let endpoints = self.endpoints.iter().map(|endpoint| ControllerEndpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
            ..Default::default()
        });
        let features = self.features.iter().map(|(name, range)| ControllerFeature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        });
        RegisterControllerRecord {
            controller_id: self.id.0,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: self.zk_migration_ready,
            end_points: endpoints.collect(),
            features: features.collect(),
            ..Default::default()
        }
    }
}
