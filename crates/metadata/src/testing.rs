//! A controller node on a disk in memory, for tests: formatted, driven call by call, crashed and opened again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::config::{Layers, Properties};
use base::error_code::ErrorCode;
use base::ids::NodeId;
use base::time::{MonoTime, Now, WallTime};
use base::uuid::Uuid;
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use protocol::messages::broker_registration_request::{BrokerRegistrationRequest, Listener};
use quorum::Endpoint;
use storage::disk::Disk;
use storage::disk::memory::MemoryDisk;
use storage::log_dir::LogDir;

use crate::controller::{ControllerReply, ControllerRequest, ControllerSettings, ControllerVerb, Random};
use crate::delta::Delta;
use crate::error::Error;
use crate::features::{registered, supported};
use crate::format::{EmptyFormat, format_empty};
use crate::image::Image;
use crate::node::{ControllerNode, NodeEffect, NodeSettings};

/// Where the harness keeps its log directory.
pub(crate) const DIR: &str = "/data";
pub(crate) const CLUSTER_ID: &str = "b3R0bGEtb3JhY2xlLTAwMQ";

/// 1, 2, 3 … in the upper bits, so that ids can be told apart by eye.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counting(pub(crate) u64);

impl Random for Counting {
    fn bits(&mut self) -> u128 {
        self.0 += 1;
        u128::from(self.0) << 64
    }
}

/// A node, its disk, and what came out of it.
pub(crate) struct Harness {
    pub(crate) disk: MemoryDisk,
    pub(crate) settings: NodeSettings,
    pub(crate) now: Now,
    pub(crate) node: Option<ControllerNode>,
    pub(crate) published: Vec<(Arc<Image>, Delta)>,
    pub(crate) replies: Vec<(u64, Result<ControllerReply, ErrorCode>)>,
    next_id: u64,
    /// Sync jobs are run as soon as they are handed out.
    pub(crate) sync: bool,
}

impl Harness {
    /// A formatted node that was not opened yet.
    pub(crate) fn new() -> Self {
        let disk = MemoryDisk::new();
        let now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(1_000_000_000) };
        let mut harness = Self {
            settings: settings(Path::new(DIR)),
            disk,
            now,
            node: None,
            published: Vec::new(),
            replies: Vec::new(),
            next_id: 0,
            sync: true,
        };
        harness.settings.directory_id = format(&harness.disk.shared(), Path::new(DIR), now);
        harness
    }

    /// A node that leads and whose broker 1 is registered and unfenced.
    pub(crate) fn serving() -> Self {
        let mut harness = Self::new();
        harness.open().expect("a formatted directory");
        harness.run();
        harness.register(1, 1);
        harness.heartbeat(1);
        assert!(harness.image().is_active(NodeId(1)));
        harness
    }

    pub(crate) fn open(&mut self) -> Result<(), Error> {
        let random = Box::new(Counting(1000 * (self.next_id + 1)));
        let node = ControllerNode::open(self.disk.shared(), self.settings.clone(), self.now, random)?;
        self.node = Some(node);
        Ok(())
    }

    pub(crate) fn node(&mut self) -> &mut ControllerNode {
        self.node.as_mut().expect("it was opened")
    }

    /// Runs until nothing is left to do, or only an unwanted sync.
    pub(crate) fn run(&mut self) {
        self.try_run().expect("the disk is well");
    }

    pub(crate) fn try_run(&mut self) -> Result<(), Error> {
        let now = self.now;
        loop {
            let mut effects = Vec::new();
            let mut synced = None;
            self.node().run(now, &mut effects)?;
            for effect in effects {
                match effect {
                    NodeEffect::Publish { image, delta } => self.published.push((image, delta)),
                    NodeEffect::Reply { id, response } => self.replies.push((id, response)),
                    NodeEffect::Sync(job) if self.sync => synced = Some(job.run()),
                    NodeEffect::Sync(job) => drop(job),
                }
            }
            match synced {
                Some(synced) => self.node().synced(synced, now)?,
                None => return Ok(()),
            }
        }
    }

    /// Submits and runs; the number the answer comes with.
    pub(crate) fn submit(&mut self, request: ControllerRequest) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.node().submit(request, id);
        self.run();
        id
    }

    /// Submits, runs, and gives the answer, which must be there.
    pub(crate) fn call(&mut self, verb: ControllerVerb) -> ControllerReply {
        self.call_as(ControllerRequest::internal(verb))
    }

    pub(crate) fn call_as(&mut self, request: ControllerRequest) -> ControllerReply {
        let id = self.submit(request);
        let (answered, reply) = self.replies.pop().expect("an answer");
        assert_eq!(answered, id);
        reply.expect("this node leads")
    }

    pub(crate) fn register(&mut self, broker: i32, incarnation: u128) -> ControllerReply {
        let request = registration(broker, incarnation);
        self.call(ControllerVerb::RegisterBroker(request))
    }

    /// A heartbeat of a broker that has read everything published and wants to serve.
    pub(crate) fn heartbeat(&mut self, broker: i32) -> ControllerReply {
        let image = self.image();
        let request = BrokerHeartbeatRequest {
            broker_id: broker,
            broker_epoch: image.broker(NodeId(broker)).expect("it is registered").epoch.0,
            current_metadata_offset: image.offset().0,
            ..Default::default()
        };
        self.call(ControllerVerb::Heartbeat(request))
    }

    pub(crate) fn image(&mut self) -> Arc<Image> {
        self.node().image()
    }

    pub(crate) fn advance(&mut self, ms: i64) {
        self.now.mono = self.now.mono.plus_ms(ms);
        self.now.wall = self.now.wall.plus_ms(ms);
    }
}

/// Settings of node 1 with Kafka's defaults.
pub(crate) fn settings(dir: &Path) -> NodeSettings {
    NodeSettings {
        node_id: NodeId(1),
        cluster_id: CLUSTER_ID.to_owned(),
        metadata_dir: dir.to_owned(),
        directory_id: base::ids::DirectoryId::UNASSIGNED,
        endpoints: endpoints(),
        static_voters: None,
        controller: ControllerSettings {
            num_partitions: 1,
            default_replication_factor: 1,
            delete_topic_enable: true,
            broker_session_timeout_ms: 9000,
            configs: Layers::of_static(Properties::new()),
            supported_features: supported(),
        },
        snapshot_bytes: 20 << 20,
        snapshot_interval_ms: 3_600_000,
        retention_bytes: 100 << 20,
        retention_ms: 7 * 24 * 3_600_000,
    }
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: 9093 }]
}

/// Formats an empty directory; gives its id.
pub(crate) fn format(disk: &Arc<dyn Disk>, dir: &Path, now: Now) -> base::ids::DirectoryId {
    let mut dirs = [LogDir::open(disk.clone(), dir).expect("a directory")];
    let format = EmptyFormat {
        node_id: NodeId(1),
        cluster_id: Some(CLUSTER_ID.to_owned()),
        metadata_dir: dir,
        endpoints: &endpoints(),
    };
    let formatted = format_empty(&mut dirs, &format, now.wall, &mut Counting::default()).expect("empty");
    assert_eq!(formatted.len(), 1);
    dirs[0].meta().and_then(|meta| meta.directory_id).expect("formatted")
}

/// A registration as a broker of this kind sends it.
pub(crate) fn registration(broker: i32, incarnation: u128) -> BrokerRegistrationRequest {
    BrokerRegistrationRequest {
        broker_id: broker,
        cluster_id: CLUSTER_ID.to_owned(),
        incarnation_id: Uuid::from_u128(incarnation),
        listeners: vec![Listener {
            name: "PLAINTEXT".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 9092,
            security_protocol: 0,
        }],
        features: registered(&[]),
        log_dirs: vec![Uuid::from_u128(0xd000 + broker as u128)],
        rack: None,
        previous_broker_epoch: -1,
        ..Default::default()
    }
}

/// The metadata log's directory.
pub(crate) fn log_dir() -> PathBuf {
    Path::new(DIR).join("__cluster_metadata-0")
}
