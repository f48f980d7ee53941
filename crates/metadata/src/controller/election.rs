//! What happens to partitions when a broker comes, goes or loses a directory.
//!
//! The leader stays while it can. Otherwise the first replica of the assignment that is in the ISR (or among the eligible
//! leader replicas, when the ISR is empty) and can lead takes over; failing that any replica, where the topic allows
//! unclean elections; failing that nobody. Without ELR the ISR is never emptied: its last member is the only one that has
//! everything.

use base::ids::{DirectoryId, NodeId, PartitionIndex, TopicId};
use protocol::metadata_record::MetadataRecord;
use protocol::records::partition_change_record::PartitionChangeRecord;

use crate::image::{Image, LeaderRecoveryState, Partition, Resource, Topic};

/// The config that allows elections outside of the ISR.
const UNCLEAN_LEADER_ELECTION: &str = "unclean.leader.election.enable";

/// What changes in the cluster. At most one of the fields is set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    /// This broker cannot lead any more and leaves every ISR.
    pub(crate) leaving: Option<NodeId>,
    /// This broker can lead from now on.
    pub(crate) joining: Option<NodeId>,
    /// This broker's directory is lost.
    pub(crate) lost: Option<(NodeId, DirectoryId)>,
}

/// The records for all partitions that the change concerns.
pub(crate) fn elect(image: &Image, change: Change, unclean_by_default: bool) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    for topic in image.topics() {
        let concerned = topic.partitions.iter().filter(|(_, partition)| change.concerns(partition));
        for (index, partition) in concerned {
            let election = Election { image, change, unclean: unclean(image, topic, unclean_by_default) };
            let record = election.run(topic.id, *index, partition);
            records.extend(record.map(MetadataRecord::PartitionChange));
        }
    }
    records
}

/// Whether any partition is led by the broker.
pub(crate) fn leads_any(image: &Image, broker: NodeId) -> bool {
    image.topics().any(|topic| topic.partitions.values().any(|partition| partition.leader == broker))
}

/// The topic's own config, or the one of all brokers, or what the node was started with.
fn unclean(image: &Image, topic: &Topic, by_default: bool) -> bool {
    let config = |resource: Resource| {
        image.config(&resource).get(UNCLEAN_LEADER_ELECTION).map(|value| &**value == "true")
    };
    config(Resource::topic(topic.name.clone())).or_else(|| config(Resource::broker(""))).unwrap_or(by_default)
}

struct Election<'a> {
    image: &'a Image,
    change: Change,
    unclean: bool,
}

impl Change {
    /// A broker that cannot lead any more.
    pub(crate) fn leaving(broker: NodeId) -> Self {
        Self { leaving: Some(broker), ..Self::default() }
    }

    /// A broker that can lead from now on.
    pub(crate) fn joining(broker: NodeId) -> Self {
        Self { joining: Some(broker), ..Self::default() }
    }

    /// A directory that is lost.
    pub(crate) fn lost(broker: NodeId, directory: DirectoryId) -> Self {
        Self { lost: Some((broker, directory)), ..Self::default() }
    }

    fn concerns(self, partition: &Partition) -> bool {
        let leaves = self.leaving.is_some_and(|broker| partition.isr.contains(&broker));
        let joins = self.joining.is_some() && partition.leader == NodeId::NONE;
        let loses = self.lost.is_some_and(|(broker, directory)| {
            partition.directory(broker) == Some(directory) && partition.isr.contains(&broker)
        });
        leaves || joins || loses
    }

    /// The broker that leaves the ISR of a partition that the change concerns.
    fn removed(self) -> Option<NodeId> {
        self.leaving.or(self.lost.map(|(broker, _)| broker))
    }
}

impl Election<'_> {
    fn run(
        &self,
        topic: TopicId,
        index: PartitionIndex,
        partition: &Partition,
    ) -> Option<PartitionChangeRecord> {
        let removed = self.change.removed();
        let isr: Vec<_> = partition.isr.iter().copied().filter(|id| Some(*id) != removed).collect();
        let mut record =
            PartitionChangeRecord { partition_id: index.0, topic_id: topic.0, ..Default::default() };
        let (leader, clean) = self.leader(partition, &isr);
        if leader != partition.leader {
            record.leader = leader.0;
        }
        let elected_from_elr = clean && leader != NodeId::NONE && !isr.contains(&leader);
        if !clean {
            record.isr = Some(vec![leader.0]);
            if partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering.number();
            }
        } else if elected_from_elr {
            record.isr = Some(vec![leader.0]);
        } else if !isr.is_empty() && isr != partition.isr {
            record.isr = Some(isr.iter().map(|id| id.0).collect());
        }
        if record.isr.is_some() && (elected_from_elr || !clean) {
            // With a new ISR nobody outside of it is eligible any more.
            record.eligible_leader_replicas = (!partition.elr.is_empty()).then(Vec::new);
            record.last_known_elr = (!partition.last_known_elr.is_empty()).then(Vec::new);
        }
        let unchanged = leader == partition.leader && record.isr.is_none();
        (!unchanged).then_some(record)
    }

    /// The leader, and whether it has everything committed.
    fn leader(&self, partition: &Partition, isr: &[NodeId]) -> (NodeId, bool) {
        let eligible =
            |id: &NodeId| isr.contains(id) || (partition.isr.is_empty() && partition.elr.contains(id));
        let can_lead = |id: &NodeId| self.can_lead(partition, *id);
        if eligible(&partition.leader) && can_lead(&partition.leader) {
            return (partition.leader, true);
        }
        if let Some(id) = partition.replicas.iter().find(|id| eligible(id) && can_lead(id)) {
            return (*id, true);
        }
        match partition.replicas.iter().find(|id| self.unclean && can_lead(id)) {
            Some(id) => (*id, false),
            None => (NodeId::NONE, true),
        }
    }

    fn can_lead(&self, partition: &Partition, id: NodeId) -> bool {
        if Some(id) == self.change.removed() {
            return false;
        }
        let Some(broker) = self.image.broker(id) else { return false };
        let online = partition.directory(id).is_some_and(|directory| broker.has_online_directory(directory));
        online && (Some(id) == self.change.joining || broker.is_active())
    }
}
