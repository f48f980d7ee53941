//! A topic and its partitions, as the metadata log says they are.

use std::sync::Arc;

use base::ids::{DirectoryId, LeaderEpoch, NodeId, PartitionIndex, TopicId};
use imbl::OrdMap;

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// What it is known by inside the cluster; never used again after its deletion.
    pub id: TopicId,
    /// What people call it; may be used again after its deletion.
    pub name: Arc<str>,
    /// Its partitions by index: 0, 1, 2 … without a gap once the topic's records are all replayed.
    pub partitions: OrdMap<PartitionIndex, Arc<Partition>>,
}

/// Who has and who leads a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The brokers that should have a copy, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// The log directory of each replica, in the same order.
    pub directories: Vec<DirectoryId>,
    /// The replicas that have everything committed.
    pub isr: Vec<NodeId>,
    /// The replicas that a reassignment takes away.
    pub removing_replicas: Vec<NodeId>,
    /// The replicas that a reassignment adds.
    pub adding_replicas: Vec<NodeId>,
    /// The eligible leader replicas (KIP-966): out of the ISR, yet with everything committed.
    pub elr: Vec<NodeId>,
    /// The last leader, kept while ISR and ELR are empty (KIP-966).
    pub last_known_elr: Vec<NodeId>,
    /// The leader, or [`NodeId::NONE`].
    pub leader: NodeId,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Goes up by one whenever a record names a leader.
    pub leader_epoch: LeaderEpoch,
    /// Goes up by one at every change.
    pub partition_epoch: i32,
}

/// Whether a leader came by a clean election (KIP-704).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LeaderRecoveryState {
    /// It was elected from the ISR, or has recovered since.
    #[default]
    Recovered,
    /// It was elected uncleanly and is alone in the ISR until it has recovered.
    Recovering,
}

impl LeaderRecoveryState {
    /// The state of this number; `None` for a number that is no state.
    pub fn from_number(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Recovered),
            1 => Some(Self::Recovering),
            _ => None,
        }
    }

    /// The number in records and requests.
    pub fn number(self) -> i8 {
        self as i8
    }
}

impl Topic {
    /// The partition of this index.
    pub fn partition(&self, index: PartitionIndex) -> Option<&Partition> {
        self.partitions.get(&index).map(Arc::as_ref)
    }
}

impl Partition {
    /// The directory of one replica; `None` when the broker is no replica.
    pub fn directory(&self, replica: NodeId) -> Option<DirectoryId> {
        let place = self.replicas.iter().position(|id| *id == replica)?;
        self.directories.get(place).copied()
    }
}
