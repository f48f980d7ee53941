//! What changed between two images, named rather than compared, so that a change of one partition among many costs as
//! much as one partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::ids::{NodeId, PartitionIndex, TopicId};
use protocol::metadata_record::MetadataRecord;

use crate::image::{Image, Resource, ResourceType};

/// What changed. Everything is looked up in the images: an id that the new image does not know was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Topics that were created, with all their partitions.
    pub topics_created: BTreeSet<TopicId>,
    /// Topics that were deleted, with the names they had. A topic that was created and deleted since is in neither.
    pub topics_deleted: BTreeMap<TopicId, Arc<str>>,
    /// Partitions that changed or were added to topics that were there before.
    pub partitions_changed: BTreeSet<(TopicId, PartitionIndex)>,
    /// Brokers that registered, changed or left.
    pub brokers_changed: BTreeSet<NodeId>,
    /// Resources whose configs changed. A deleted topic's are not named.
    pub configs_changed: BTreeSet<Resource>,
    /// Whether the finalized level of any feature changed.
    pub features_changed: bool,
    /// Whether access control entries changed.
    pub acls_changed: bool,
    /// Whether quotas of client entities changed.
    pub client_quotas_changed: bool,
    /// Whether SCRAM credentials changed.
    pub scram_changed: bool,
    /// Whether delegation tokens changed.
    pub delegation_tokens_changed: bool,
}

impl Delta {
    /// The change from nothing to this image: what the first publication says.
    pub fn from_nothing(image: &Image) -> Self {
        Self {
            topics_created: image.topics().map(|topic| topic.id).collect(),
            topics_deleted: BTreeMap::new(),
            partitions_changed: BTreeSet::new(),
            brokers_changed: image.brokers().map(|broker| broker.id).collect(),
            configs_changed: image.configs().map(|(resource, _)| resource.clone()).collect(),
            features_changed: true,
            acls_changed: true,
            client_quotas_changed: true,
            scram_changed: true,
            delegation_tokens_changed: true,
        }
    }

    /// Whether nothing that anybody looks at changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes note of a record; `before` is the image that it was not replayed into yet.
    pub fn note(&mut self, before: &Image, record: &MetadataRecord) {
        match record {
            MetadataRecord::RegisterBroker(record) => self.broker(record.broker_id),
            MetadataRecord::UnregisterBroker(record) => self.broker(record.broker_id),
            MetadataRecord::BrokerRegistrationChange(record) => self.broker(record.broker_id),
            MetadataRecord::FenceBroker(record) => self.broker(record.id),
            MetadataRecord::UnfenceBroker(record) => self.broker(record.id),
            MetadataRecord::Topic(record) => {
                self.topics_created.insert(TopicId(record.topic_id));
            }
            MetadataRecord::RemoveTopic(record) => self.topic_deleted(before, TopicId(record.topic_id)),
            MetadataRecord::Partition(record) => self.partition(record.topic_id.into(), record.partition_id),
            MetadataRecord::PartitionChange(record) => {
                self.partition(record.topic_id.into(), record.partition_id)
            }
            MetadataRecord::ClearElr(record) => self.elr_cleared(before, &record.topic_name),
            MetadataRecord::Config(record) => {
                if let Some(kind) = ResourceType::from_number(record.resource_type) {
                    let name = record.resource_name.as_str().into();
                    self.configs_changed.insert(Resource { kind, name });
                }
            }
            MetadataRecord::FeatureLevel(_) => self.features_changed = true,
            MetadataRecord::AccessControlEntry(_) | MetadataRecord::RemoveAccessControlEntry(_) => {
                self.acls_changed = true;
            }
            MetadataRecord::ClientQuota(_) => self.client_quotas_changed = true,
            MetadataRecord::UserScramCredential(_) | MetadataRecord::RemoveUserScramCredential(_) => {
                self.scram_changed = true;
            }
            MetadataRecord::DelegationToken(_) | MetadataRecord::RemoveDelegationToken(_) => {
                self.delegation_tokens_changed = true;
            }
            MetadataRecord::ProducerIds(_)
            | MetadataRecord::NoOp(_)
            | MetadataRecord::ZkMigrationState(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_)
            | MetadataRecord::RegisterController(_) => {}
        }
    }

    /// Adds what changed after this.
    pub fn merge(&mut self, later: Self) {
        for (id, name) in later.topics_deleted {
            self.forget_topic(id, name);
        }
        self.topics_created.extend(later.topics_created);
        let created = &self.topics_created;
        self.partitions_changed
            .extend(later.partitions_changed.into_iter().filter(|(topic, _)| !created.contains(topic)));
        self.brokers_changed.extend(later.brokers_changed);
        self.configs_changed.extend(later.configs_changed);
        self.features_changed |= later.features_changed;
        self.acls_changed |= later.acls_changed;
        self.client_quotas_changed |= later.client_quotas_changed;
        self.scram_changed |= later.scram_changed;
        self.delegation_tokens_changed |= later.delegation_tokens_changed;
    }

    fn broker(&mut self, id: i32) {
        self.brokers_changed.insert(NodeId(id));
    }

    fn partition(&mut self, topic: TopicId, index: i32) {
        if !self.topics_created.contains(&topic) {
            self.partitions_changed.insert((topic, PartitionIndex(index)));
        }
    }

    fn topic_deleted(&mut self, before: &Image, id: TopicId) {
        if let Some(topic) = before.topic_by_id(id) {
            self.forget_topic(id, topic.name.clone());
        }
    }

    fn forget_topic(&mut self, id: TopicId, name: Arc<str>) {
        let first = (id, PartitionIndex(0));
        let gone: Vec<_> =
            self.partitions_changed.range(first..).take_while(|(topic, _)| *topic == id).copied().collect();
        for partition in gone {
            self.partitions_changed.remove(&partition);
        }
        self.configs_changed.remove(&Resource::topic(name.clone()));
        if !self.topics_created.remove(&id) {
            self.topics_deleted.insert(id, name);
        }
    }

    fn elr_cleared(&mut self, before: &Image, name: &str) {
        let topics: Vec<_> = if name.is_empty() {
            before.topics().collect()
        } else {
            before.topic_by_name(name).into_iter().collect()
        };
        for topic in topics {
            for (index, partition) in &topic.partitions {
                if !partition.elr.is_empty() || !partition.last_known_elr.is_empty() {
                    self.partition(topic.id, index.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base::uuid::Uuid;
    use machine::Stamp;
    use protocol::records::config_record::ConfigRecord;
    use protocol::records::partition_record::PartitionRecord;
    use protocol::records::remove_topic_record::RemoveTopicRecord;
    use protocol::records::topic_record::TopicRecord;

    use super::*;
    use crate::image::METADATA_VERSION;

    fn topic(id: u128, name: &str) -> MetadataRecord {
        let topic_id = Uuid::from_u128(id);
        MetadataRecord::Topic(TopicRecord { name: name.to_owned(), topic_id, ..Default::default() })
    }

    fn partition(id: u128, index: i32) -> MetadataRecord {
        MetadataRecord::Partition(PartitionRecord {
            partition_id: index,
            topic_id: Uuid::from_u128(id),
            replicas: vec![1],
            ..Default::default()
        })
    }

    fn removal(id: u128) -> MetadataRecord {
        MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: Uuid::from_u128(id), ..Default::default() })
    }

    fn config(topic: &str) -> MetadataRecord {
        MetadataRecord::Config(ConfigRecord {
            resource_type: ResourceType::Topic.number(),
            resource_name: topic.to_owned(),
            name: "retention.ms".to_owned(),
            value: Some("1".to_owned()),
            ..Default::default()
        })
    }

    /// Replays each group of records, noting it in a delta of its own.
    fn deltas(image: &mut Image, groups: &[&[MetadataRecord]]) -> Vec<Delta> {
        let note = |records: &&[MetadataRecord]| {
            let mut delta = Delta::default();
            for record in *records {
                delta.note(image, record);
                let stamp = Stamp::new(image.offset().next(), image.epoch());
                image.replay(stamp, record).expect("records that fit");
            }
            delta
        };
        groups.iter().map(note).collect()
    }

    fn id(number: u128) -> TopicId {
        TopicId(Uuid::from_u128(number))
    }

    #[test]
    fn a_topic_counts_as_a_whole_when_it_is_created() {
        let mut image = Image::empty("cluster");
        let created =
            &deltas(&mut image, &[&[topic(1, "a"), config("a"), partition(1, 0), partition(1, 1)]])[0];
        assert_eq!(created.topics_created, BTreeSet::from([id(1)]));
        assert!(created.partitions_changed.is_empty());
        assert_eq!(created.configs_changed, BTreeSet::from([Resource::topic("a")]));
        let grown = &deltas(&mut image, &[&[partition(1, 2)]])[0];
        assert_eq!(grown.partitions_changed, BTreeSet::from([(id(1), PartitionIndex(2))]));
        assert!(grown.topics_created.is_empty() && !grown.is_empty());
    }

    #[test]
    fn merged_deltas_say_what_changed_from_the_first_image_to_the_last() {
        let mut image = Image::empty("cluster");
        let before: &[_] = &[topic(1, "a"), partition(1, 0), topic(2, "b"), partition(2, 0)];
        let steps: [&[MetadataRecord]; 4] = [
            &[topic(3, "c"), partition(3, 0), config("c")],
            &[partition(3, 1), partition(1, 1), config("b")],
            &[removal(3), removal(2)],
            &[topic(4, "b")],
        ];
        deltas(&mut image, &[before]);
        let mut merged = Delta::default();
        deltas(&mut image, &steps).into_iter().for_each(|delta| merged.merge(delta));
        let expect = Delta {
            topics_created: BTreeSet::from([id(4)]),
            topics_deleted: BTreeMap::from([(id(2), "b".into())]),
            partitions_changed: BTreeSet::from([(id(1), PartitionIndex(1))]),
            ..Delta::default()
        };
        assert_eq!(merged, expect, "what came and went is nowhere");
    }

    #[test]
    fn the_first_delta_names_everything() {
        let mut image = Image::empty("cluster");
        let feature = crate::image::feature_level(METADATA_VERSION, 30);
        deltas(&mut image, &[&[feature, topic(1, "a"), partition(1, 0), config("a")]]);
        let delta = Delta::from_nothing(&image);
        assert_eq!(delta.topics_created, BTreeSet::from([id(1)]));
        assert_eq!(delta.configs_changed, BTreeSet::from([Resource::topic("a")]));
        assert!(delta.features_changed);
    }
}
