//! Registered brokers and controllers.

use std::collections::BTreeMap;

use base::ids::{BrokerEpoch, DirectoryId, NodeId};
use base::uuid::Uuid;

/// A broker's registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its `node.id`.
    pub id: NodeId,
    /// The epoch of this incarnation.
    pub epoch: BrokerEpoch,
    /// What the process drew at its start: another one means another incarnation.
    pub incarnation_id: Uuid,
    /// Where it can be reached, by listener name as registered.
    pub endpoints: Vec<Endpoint>,
    /// The feature levels it supports.
    pub features: BTreeMap<String, SupportedVersions>,
    /// Its `broker.rack`.
    pub rack: Option<String>,
    /// Whether it must not lead nor be listed: it has not caught up, or its session expired.
    pub fenced: bool,
    /// Whether it asked to shut down and hands its leaderships over.
    pub in_controlled_shutdown: bool,
    /// Whether it is a ZooKeeper broker in migration; only in very old logs.
    pub is_migrating_zk_broker: bool,
    /// The ids of its log directories that are online, sorted.
    pub directories: Vec<DirectoryId>,
    /// Those of them that must not get new replicas; `None` while the broker has not said (KIP-1066).
    pub cordoned_directories: Option<Vec<DirectoryId>>,
}

/// A controller's registration (KIP-919).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Its `node.id`.
    pub id: NodeId,
    /// What the process drew at its start.
    pub incarnation_id: Uuid,
    /// Whether it could have taken part in a migration from ZooKeeper.
    pub zk_migration_ready: bool,
    /// Where it can be reached.
    pub endpoints: Vec<Endpoint>,
    /// The feature levels it supports.
    pub features: BTreeMap<String, SupportedVersions>,
}

/// Where a listener is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: u16,
    /// The number of its security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// A range of feature levels, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedVersions {
    /// The lowest.
    pub min: i16,
    /// The highest.
    pub max: i16,
}

impl Broker {
    /// Whether leadership may be given to it.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// The endpoint of one listener.
    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.name == listener)
    }

    /// Whether the directory is online. A broker that registered none has only online ones.
    pub fn has_online_directory(&self, directory: DirectoryId) -> bool {
        self.directories.is_empty()
            || directory == DirectoryId::UNASSIGNED
            || directory == DirectoryId::MIGRATING
            || self.directories.binary_search(&directory).is_ok()
    }
}

impl SupportedVersions {
    /// Whether the level is in the range.
    pub fn contains(self, level: i16) -> bool {
        self.min <= level && level <= self.max
    }
}
