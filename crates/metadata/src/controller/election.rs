//! What happens to partitions when a broker comes, goes or loses a directory.
//!
//! The leader stays while it can. Otherwise the first replica of the assignment that is in the ISR (or among the eligible
//! leader replicas, when the ISR is empty) and can lead takes over; failing that the last leader, if nobody else may have
//! more; failing that any replica, where the topic allows unclean elections; failing that nobody.
//!
//! Without ELR (KIP-966) the ISR is never emptied: its last member is the only one that has everything. With it, whoever
//! leaves an ISR below `min.insync.replicas` stays eligible, unless it was not stopped cleanly and may have lost records.

use base::ids::{DirectoryId, NodeId, PartitionIndex, TopicId};
use protocol::metadata_record::MetadataRecord;
use protocol::records::partition_change_record::PartitionChangeRecord;

use crate::features::ELIGIBLE_LEADER_REPLICAS;
use crate::image::{Image, LeaderRecoveryState, Partition, Resource, Topic};

/// The config that allows elections outside of the ISR.
const UNCLEAN_LEADER_ELECTION: &str = "unclean.leader.election.enable";
/// The config whose change makes every eligible leader replica doubtful (KIP-966).
pub(crate) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
/// What topics mean that say nothing of their own: the node's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    /// `unclean.leader.election.enable`.
    pub(crate) unclean: bool,
    /// `min.insync.replicas`.
    pub(crate) min_insync_replicas: i32,
}

/// What changes in the cluster. At most one of the fields is set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    /// This broker cannot lead any more and leaves every ISR.
    pub(crate) leaving: Option<NodeId>,
    /// The same of a broker that was not stopped cleanly: it is not eligible either.
    pub(crate) unclean: Option<NodeId>,
    /// This broker can lead from now on.
    pub(crate) joining: Option<NodeId>,
    /// This broker's directory is lost.
    pub(crate) lost: Option<(NodeId, DirectoryId)>,
}

/// The records for all partitions that the change concerns.
pub(crate) fn elect(image: &Image, change: Change, defaults: Defaults) -> Vec<MetadataRecord> {
    let has_elr = image.feature(ELIGIBLE_LEADER_REPLICAS) > 0;
    let mut records = Vec::new();
    for topic in image.topics() {
        let concerned = topic.partitions.iter().filter(|(_, partition)| change.concerns(partition));
        let mut election = None;
        for (index, partition) in concerned {
            let election =
                election.get_or_insert_with(|| Election::of(image, topic, change, has_elr, defaults));
            let record = election.run(topic.id, *index, partition);
            records.extend(record.map(MetadataRecord::PartitionChange));
        }
    }
    records
}

/// The record by which a replica lies in another directory of its broker; `None` if it lies there already. In one that is
/// not online the replica is lost; out of one that was not, it may lead again.
pub(crate) fn reassign_directory(
    image: &Image,
    topic: &Topic,
    index: PartitionIndex,
    (replica, directory): (NodeId, DirectoryId),
    defaults: Defaults,
) -> Option<PartitionChangeRecord> {
    let mut partition = topic.partition(index)?.clone();
    let place = partition.replicas.iter().position(|id| *id == replica)?;
    if partition.directories.get(place) == Some(&directory) {
        return None;
    }
    partition.directories.resize(partition.replicas.len(), DirectoryId::UNASSIGNED);
    partition.directories[place] = directory;
    let is_online = image.broker(replica).is_some_and(|broker| broker.has_online_directory(directory));
    let change = if is_online { Change::default() } else { Change::lost(replica, directory) };
    let has_elr = image.feature(ELIGIBLE_LEADER_REPLICAS) > 0;
    let election = Election::of(image, topic, change, has_elr, defaults);
    let elects = change.concerns(&partition) || partition.leader == NodeId::NONE;
    let record = elects.then(|| election.run(topic.id, index, &partition)).flatten();
    let mut record = record.unwrap_or_else(|| PartitionChangeRecord {
        partition_id: index.0,
        topic_id: topic.id.0,
        ..Default::default()
    });
    record.directories = Some(partition.directories.iter().map(|directory| directory.0).collect());
    Some(record)
}

/// Whether any partition is led by the broker.
pub(crate) fn leads_any(image: &Image, broker: NodeId) -> bool {
    image.topics().any(|topic| topic.partitions.values().any(|partition| partition.leader == broker))
}

/// The elections of a topic's partitions.
struct Election<'a> {
    image: &'a Image,
    change: Change,
    unclean: bool,
    /// `min.insync.replicas`, where ELR is on.
    min_insync_replicas: Option<usize>,
}

/// Who leads.
enum Leader {
    /// It has everything committed.
    Clean(NodeId),
    /// It may lack some of it.
    Unclean(NodeId),
    Nobody,
}

impl Change {
    /// A broker that cannot lead any more.
    pub(crate) fn leaving(broker: NodeId) -> Self {
        Self { leaving: Some(broker), ..Self::default() }
    }

    /// A broker that comes back and was not stopped cleanly.
    pub(crate) fn unclean(broker: NodeId) -> Self {
        Self { unclean: Some(broker), ..Self::default() }
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
        let lacks = self
            .unclean
            .is_some_and(|broker| partition.isr.contains(&broker) || partition.elr.contains(&broker));
        let joins = self.joining.is_some() && partition.leader == NodeId::NONE;
        let loses = self.lost.is_some_and(|(broker, directory)| {
            partition.directory(broker) == Some(directory) && partition.isr.contains(&broker)
        });
        leaves || lacks || joins || loses
    }

    /// The broker that leaves the ISR of a partition that the change concerns.
    fn removed(self) -> Option<NodeId> {
        self.leaving.or(self.unclean).or(self.lost.map(|(broker, _)| broker))
    }
}

impl<'a> Election<'a> {
    /// The topic's own configs, or those of all brokers, or what the node was started with.
    fn of(image: &'a Image, topic: &Topic, change: Change, has_elr: bool, defaults: Defaults) -> Self {
        let of_topic = image.config(&Resource::topic(topic.name.clone()));
        let of_all = image.config(&Resource::broker(""));
        let config = |name: &str| of_topic.get(name).or_else(|| of_all.get(name));
        let unclean = config(UNCLEAN_LEADER_ELECTION).map_or(defaults.unclean, |value| &**value == "true");
        let min_insync_replicas = config(MIN_INSYNC_REPLICAS)
            .and_then(|value| value.parse().ok())
            .unwrap_or(defaults.min_insync_replicas);
        let min_insync_replicas = usize::try_from(min_insync_replicas).unwrap_or(1);
        Self { image, change, unclean, min_insync_replicas: has_elr.then_some(min_insync_replicas) }
    }

    fn run(
        &self,
        topic: TopicId,
        index: PartitionIndex,
        partition: &Partition,
    ) -> Option<PartitionChangeRecord> {
        let removed = self.change.removed();
        let isr: Vec<_> = partition.isr.iter().copied().filter(|id| Some(*id) != removed).collect();
        let (elr, last_known) = self.eligible(partition, &isr);
        let mut record =
            PartitionChangeRecord { partition_id: index.0, topic_id: topic.0, ..Default::default() };
        let leader = self.leader(partition, &isr, &elr);
        let (id, is_clean) = match leader {
            Leader::Clean(id) => (id, true),
            Leader::Unclean(id) => (id, false),
            Leader::Nobody => (NodeId::NONE, true),
        };
        if id != partition.leader {
            record.leader = id.0;
        }
        if !is_clean && partition.leader_recovery_state != LeaderRecoveryState::Recovering {
            record.leader_recovery_state = LeaderRecoveryState::Recovering.number();
        }
        // With a new ISR nobody outside of it is eligible any more.
        let is_alone = id != NodeId::NONE && (!is_clean || !isr.contains(&id));
        let (elr, mut last_known) = if is_alone { Default::default() } else { (elr, last_known) };
        let may_be_empty = self.min_insync_replicas.is_some();
        if is_alone {
            record.isr = Some(vec![id.0]);
        } else if (may_be_empty || !isr.is_empty()) && isr != partition.isr {
            record.isr = Some(numbers(&isr));
            if isr.is_empty() && partition.leader != NodeId::NONE {
                last_known = vec![partition.leader];
            }
        }
        record.eligible_leader_replicas = (elr != partition.elr).then(|| numbers(&elr));
        record.last_known_elr = (last_known != partition.last_known_elr).then(|| numbers(&last_known));
        let unchanged = id == partition.leader
            && record.isr.is_none()
            && record.eligible_leader_replicas.is_none()
            && record.last_known_elr.is_none();
        (!unchanged).then_some(record)
    }

    /// The eligible leader replicas beside this ISR, and the last leader that is known.
    fn eligible(&self, partition: &Partition, isr: &[NodeId]) -> (Vec<NodeId>, Vec<NodeId>) {
        let Some(min_insync_replicas) = self.min_insync_replicas else {
            return (partition.elr.clone(), partition.last_known_elr.clone());
        };
        if isr.len() >= min_insync_replicas.min(partition.replicas.len()) {
            return Default::default();
        }
        let left = partition.isr.iter().filter(|id| !partition.elr.contains(id));
        let mut elr: Vec<_> = partition.elr.iter().chain(left).copied().collect();
        elr.retain(|id| !isr.contains(id) && Some(*id) != self.change.unclean);
        (elr, partition.last_known_elr.clone())
    }

    fn leader(&self, partition: &Partition, isr: &[NodeId], elr: &[NodeId]) -> Leader {
        let eligible = |id: &NodeId| isr.contains(id) || (isr.is_empty() && elr.contains(id));
        let can_lead = |id: &NodeId| self.can_lead(partition, *id);
        if eligible(&partition.leader) && can_lead(&partition.leader) {
            return Leader::Clean(partition.leader);
        }
        if let Some(id) = partition.replicas.iter().find(|id| eligible(id) && can_lead(id)) {
            return Leader::Clean(*id);
        }
        if self.min_insync_replicas.is_some()
            && isr.is_empty()
            && elr.is_empty()
            && let [last] = partition.last_known_elr[..]
            && can_lead(&last)
        {
            return Leader::Unclean(last);
        }
        let any = partition.replicas.iter().find(|id| self.unclean && can_lead(id));
        any.map_or(Leader::Nobody, |id| Leader::Unclean(*id))
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

fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}
