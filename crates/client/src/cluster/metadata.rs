//! What is known of the cluster at one moment: brokers, topics, leaders. A value; a new answer makes a new one.
//!
//! Invariant: for a topic with the same id, a partition's leader epoch never goes back (KIP-320): an answer of a broker that
//! lags behind does not undo what a fresher one said.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};

use crate::record::TopicPartition;

/// The cluster as last heard of.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Counts up with every change; local to this client.
    pub version: u64,
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// Where requests for the controller go.
    pub controller: Option<NodeId>,
    /// Brokers that are alive.
    pub brokers: BTreeMap<NodeId, Broker>,
    /// Topics that were asked for, by name.
    pub topics: HashMap<Arc<str>, Arc<Topic>>,
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: NodeId,
    /// The name or address that it advertises.
    pub host: String,
    /// The port that it advertises.
    pub port: i32,
    /// Where it stands (`broker.rack`).
    pub rack: Option<String>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; [`TopicId::ZERO`] from servers that do not tell.
    pub id: TopicId,
    /// Why nothing else is known of it; [`ErrorCode::NONE`] when all is well.
    pub error: ErrorCode,
    /// Whether the brokers keep it for themselves.
    pub internal: bool,
    /// Its partitions, lowest index first.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its index.
    pub index: PartitionIndex,
    /// What is wrong with it.
    pub error: ErrorCode,
    /// Who leads it.
    pub leader: Option<NodeId>,
    /// Since when; [`LeaderEpoch::NONE`] when unknown.
    pub leader_epoch: LeaderEpoch,
    /// All replicas; the first is the preferred leader.
    pub replicas: Vec<NodeId>,
    /// Replicas that are in sync.
    pub isr: Vec<NodeId>,
    /// Replicas that are offline.
    pub offline_replicas: Vec<NodeId>,
}

impl Broker {
    /// `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Topic {
    /// The partition with this index.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        let place = self.partitions.binary_search_by_key(&index, |partition| partition.index).ok()?;
        self.partitions.get(place)
    }
}

impl Metadata {
    /// The partition, when its topic is known.
    pub fn partition(&self, partition: &TopicPartition) -> Option<&Partition> {
        self.topics.get(&partition.topic)?.partition(partition.partition)
    }

    /// The partition's leader, when it is known and alive.
    pub fn leader(&self, partition: &TopicPartition) -> Option<NodeId> {
        self.partition(partition)?.leader.filter(|leader| self.brokers.contains_key(leader))
    }

    /// The name of the topic with this id.
    pub fn name_of(&self, id: TopicId) -> Option<&Arc<str>> {
        self.topics.values().find(|topic| topic.id == id).map(|topic| &topic.name)
    }

    /// This and what an answer says. Topics that the answer does not name stay as they are.
    pub(crate) fn with(&self, answer: MetadataResponse) -> Self {
        let mut next = Self {
            version: self.version + 1,
            cluster_id: answer.cluster_id.or_else(|| self.cluster_id.clone()),
            controller: node(answer.controller_id),
            brokers: BTreeMap::new(),
            topics: self.topics.clone(),
        };
        for broker in answer.brokers {
            let id = NodeId(broker.node_id);
            next.brokers.insert(id, Broker { id, host: broker.host, port: broker.port, rack: broker.rack });
        }
        for topic in answer.topics {
            let Some(name) = topic.name.as_deref().map(Arc::<str>::from) else { continue };
            let known = self.topics.get(&name);
            let topic = merge(name.clone(), topic, known.map(Arc::as_ref));
            next.topics.insert(name, Arc::new(topic));
        }
        next
    }

    /// This with another leader for one partition, as Produce and Fetch report it (KIP-951); `None` when it is no news.
    pub(crate) fn with_leader(
        &self,
        partition: &TopicPartition,
        leader: NodeId,
        epoch: LeaderEpoch,
        endpoint: Option<Broker>,
    ) -> Option<Self> {
        let known = self.partition(partition)?;
        if leader.0 < 0 || epoch <= known.leader_epoch {
            return None;
        }
        let mut next = self.clone();
        if let Some(broker) = endpoint {
            next.brokers.insert(broker.id, broker);
        }
        if !next.brokers.contains_key(&leader) {
            return None;
        }
        let topic = Arc::make_mut(next.topics.get_mut(&partition.topic)?);
        let row = topic.partitions.iter_mut().find(|row| row.index == partition.partition)?;
        (row.leader, row.leader_epoch, row.error) = (Some(leader), epoch, ErrorCode::NONE);
        next.version += 1;
        Some(next)
    }
}

fn merge(name: Arc<str>, topic: MetadataResponseTopic, known: Option<&Topic>) -> Topic {
    let id = TopicId(topic.topic_id);
    let known = known.filter(|known| known.id == id);
    let mut partitions: Vec<Partition> = topic.partitions.into_iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.index);
    for partition in &mut partitions {
        if let Some(fresher) = known
            .and_then(|known| known.partition(partition.index))
            .filter(|known| known.leader_epoch > partition.leader_epoch)
        {
            *partition = fresher.clone();
        }
    }
    Topic { name, id, error: topic.error_code, internal: topic.is_internal, partitions }
}

fn partition(row: MetadataResponsePartition) -> Partition {
    Partition {
        index: PartitionIndex(row.partition_index),
        error: row.error_code,
        leader: node(row.leader_id),
        leader_epoch: LeaderEpoch(row.leader_epoch),
        replicas: row.replica_nodes.into_iter().map(NodeId).collect(),
        isr: row.isr_nodes.into_iter().map(NodeId).collect(),
        offline_replicas: row.offline_replicas.into_iter().map(NodeId).collect(),
    }
}

fn node(id: i32) -> Option<NodeId> {
    (id >= 0).then_some(NodeId(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::messages::metadata_response::MetadataResponseBroker;

    fn answer(leader: i32, epoch: i32) -> MetadataResponse {
        let broker = |node_id| MetadataResponseBroker {
            node_id,
            host: "h".to_owned(),
            port: 9000 + node_id,
            ..Default::default()
        };
        MetadataResponse {
            brokers: vec![broker(1), broker(2)],
            controller_id: 1,
            topics: vec![MetadataResponseTopic {
                name: Some("t".to_owned()),
                partitions: vec![MetadataResponsePartition {
                    leader_id: leader,
                    leader_epoch: epoch,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    #[test]
    fn a_leader_epoch_never_goes_back() {
        let partition = TopicPartition::new("t", 0);
        let fresh = Metadata::default().with(answer(2, 5));
        assert_eq!(fresh.leader(&partition), Some(NodeId(2)));
        let stale = fresh.with(answer(1, 4));
        assert_eq!(stale.leader(&partition), Some(NodeId(2)));
        let newer = stale.with(answer(1, 6));
        assert_eq!(newer.leader(&partition), Some(NodeId(1)));
    }

    #[test]
    fn a_leader_that_an_answer_names_is_taken_only_when_newer() {
        let partition = TopicPartition::new("t", 0);
        let known = Metadata::default().with(answer(1, 5));
        let check = |leader, epoch, expect: Option<i32>| {
            let next = known.with_leader(&partition, NodeId(leader), LeaderEpoch(epoch), None);
            assert_eq!(next.and_then(|next| next.leader(&partition)), expect.map(NodeId), "{leader} {epoch}");
        };
        check(2, 6, Some(2));
        check(2, 5, None);
        check(-1, 7, None);
        check(3, 7, None);
        let third = Broker { id: NodeId(3), host: "c".to_owned(), port: 1, rack: None };
        let next = known.with_leader(&partition, NodeId(3), LeaderEpoch(6), Some(third)).unwrap();
        assert_eq!(next.leader(&partition), Some(NodeId(3)));
    }
}
