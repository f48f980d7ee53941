//! The start of a node on what its disk holds, in the order of the roof.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base::config::NodeConfig;
use base::ids::DirectoryId;
use base::time::Now;
use base::uuid::Uuid;
use broker::broker::Broker;
use broker::controller::ControllerHandle;
use broker::hosting::{HostedDir, Hosting};
use broker::lifecycle::Lifecycle;
use broker::log_dirs::{LogDirState, LogDirs, Workers};
use metadata::controller::ControllerSettings;
use metadata::features;
use metadata::format::{EmptyFormat, format_empty};
use metadata::image::Image;
use metadata::node::{ControllerNode, NodeSettings};
use protocol::messages::broker_registration_request::{BrokerRegistrationRequest, Listener};
use quorum::Endpoint;
use storage::disk::Disk;

use super::connections::Connections;
use super::controller::Controller;
use super::shards::Shards;
use super::{Flag, Node};
use crate::plan::Plan;
use crate::random::Random;

/// The node's random bits.
struct Bits(Random);

impl metadata::controller::Random for Bits {
    fn bits(&mut self) -> u128 {
        self.0.bits()
    }
}

/// Does one after the other.
pub(super) struct Alone;

impl Workers for Alone {
    fn map<T: Send, R: Send>(&self, _threads: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        items.into_iter().map(work).collect()
    }
}

impl Node {
    /// Starts.
    ///
    /// # Errors
    /// What is in the way.
    pub fn start(disk: Arc<dyn Disk>, plan: &Plan, now: Now, mut random: Random) -> Result<Self, String> {
        let config =
            NodeConfig::parse(plan.properties().into_iter().collect()).map_err(|error| error.to_string())?;
        let mut bits = Bits(random.fork());
        let woken = Flag::default();
        let mut dirs = LogDirs::open(&disk, &config, &woken.waker(), |dirs| {
            let empty = EmptyFormat {
                node_id: config.node_id,
                cluster_id: None,
                metadata_dir: Path::new(&config.metadata_log_dir),
                endpoints: &endpoints(),
            };
            format_empty(dirs, &empty, now.wall, &mut bits).map(drop).map_err(|error| error.to_string())
        })?;
        let metadata_id =
            dirs.id_of(Path::new(&config.metadata_log_dir)).ok_or("the metadata directory is gone")?;
        let settings = settings(&config, &dirs, metadata_id);
        let bits = Box::new(bits);
        let node =
            ControllerNode::open(disk.clone(), settings, now, bits).map_err(|error| error.to_string())?;
        let found = dirs.open_logs(&Alone, 1, &Arc::default(), now)?;
        let handle = Arc::new(ControllerHandle::new(woken.waker()));
        let shared = shared(random.fork());
        let broker = Arc::new(Broker::new(
            config.node_id,
            Arc::new(config.broker.clone()),
            config.layers.clone(),
            Arc::new(Image::empty(dirs.cluster_id())),
            handle.clone(),
            shared.clone(),
        ));
        let mut shards = Shards::default();
        let mut add = |dir: &Arc<LogDirState>| {
            HostedDir::new(dir.clone(), (0..plan.shards).map(|_| shards.add()).collect())
        };
        let hosted = dirs.online().map(&mut add).collect();
        broker.set_log_dirs(dirs.states().to_vec());
        let mut hosting = Hosting::new(broker.clone(), disk, hosted, shared);
        found.logs.into_iter().for_each(|log| hosting.found(log));
        hosting.found_futures(found.futures);
        let lifecycle = Lifecycle::new(broker.clone(), registration(&config, &dirs, &mut random));
        let controller = Controller::new(node, hosting, lifecycle, (handle, woken), now);
        let (connections, ends) = (Connections::default(), Default::default());
        Ok(Self { broker, controller, shards, connections, dirs, ends })
    }
}

/// How the controller is reached.
fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: 9093 }]
}

/// Random bits for many.
fn shared(random: Random) -> broker::broker::Random {
    let random = Mutex::new(random);
    Arc::new(move || random.lock().unwrap_or_else(PoisonError::into_inner).bits())
}

fn settings(config: &NodeConfig, dirs: &LogDirs, directory_id: DirectoryId) -> NodeSettings {
    let broker = &config.broker;
    NodeSettings {
        node_id: config.node_id,
        cluster_id: dirs.cluster_id().to_owned(),
        metadata_dir: Path::new(&config.metadata_log_dir).to_owned(),
        directory_id,
        endpoints: endpoints(),
        static_voters: None,
        controller: ControllerSettings {
            num_partitions: broker.num_partitions,
            default_replication_factor: broker.default_replication_factor as i16,
            delete_topic_enable: broker.delete_topic_enable,
            broker_session_timeout_ms: i64::from(broker.broker_session_timeout_ms),
            configs: config.layers.clone(),
            supported_features: features::supported(),
        },
        // So small that a run makes several.
        snapshot_bytes: 3000,
        snapshot_interval_ms: 3_600_000,
        retention_bytes: 20_000,
        retention_ms: 3_600_000,
    }
}

fn registration(config: &NodeConfig, dirs: &LogDirs, random: &mut Random) -> BrokerRegistrationRequest {
    BrokerRegistrationRequest {
        broker_id: config.node_id.0,
        cluster_id: dirs.cluster_id().to_owned(),
        incarnation_id: Uuid::from_u128(random.bits()),
        listeners: vec![Listener {
            name: "PLAINTEXT".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 9092,
            security_protocol: 0,
        }],
        log_dirs: dirs.online().filter_map(|dir| Some(dir.id()?.0)).collect(),
        previous_broker_epoch: dirs.previous_epoch().0,
        ..BrokerRegistrationRequest::default()
    }
}
