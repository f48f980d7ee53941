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
use super::dirs::Dirs;
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

impl Node {
    /// Starts.
    ///
    /// # Errors
    /// What is in the way.
    pub fn start(disk: Arc<dyn Disk>, plan: &Plan, now: Now, mut random: Random) -> Result<Self, String> {
        let config =
            NodeConfig::parse(plan.properties().into_iter().collect()).map_err(|error| error.to_string())?;
        let mut bits = Bits(random.fork());
        let mut dirs = Dirs::open(&disk, &config.log_dirs, |dirs| {
            let empty = EmptyFormat {
                node_id: config.node_id,
                cluster_id: None,
                metadata_dir: Path::new(&config.metadata_log_dir),
                endpoints: &endpoints(),
            };
            format_empty(dirs, &empty, now.wall, &mut bits).map(drop).map_err(|error| error.to_string())
        })?;
        let ids = dirs.ids()?;
        let settings = settings(&config, &dirs, ids[0].1);
        let bits = Box::new(bits);
        let node =
            ControllerNode::open(disk.clone(), settings, now, bits).map_err(|error| error.to_string())?;
        let logs = dirs.open_logs(&Arc::default(), now)?;
        let woken = Flag::default();
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
        let hosted = ids.iter().map(|(path, id)| HostedDir {
            path: path.clone(),
            id: *id,
            shards: (0..plan.shards).map(|_| shards.add()).collect(),
            partitions: 0,
        });
        let hosted = hosted.collect();
        let mut hosting = Hosting::new(broker.clone(), disk, hosted, shared);
        for (log, dir) in logs {
            hosting.found(log, dir);
        }
        let registration = registration(&config, &dirs, &ids, &mut random);
        let controller = Controller::new(node, hosting, broker.clone(), (handle, woken), registration, now);
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

fn settings(config: &NodeConfig, dirs: &Dirs, directory_id: DirectoryId) -> NodeSettings {
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

fn registration(
    config: &NodeConfig,
    dirs: &Dirs,
    ids: &[(std::path::PathBuf, DirectoryId)],
    random: &mut Random,
) -> BrokerRegistrationRequest {
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
        features: features::registered(&[]),
        log_dirs: ids.iter().map(|(_, id)| id.0).collect(),
        previous_broker_epoch: dirs.previous_epoch().0,
        ..BrokerRegistrationRequest::default()
    }
}
