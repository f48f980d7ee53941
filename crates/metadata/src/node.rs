//! The controller node: quorum, controller and metadata log as one value that a thread drives.
//!
//! ```text
//! submit(request, id) ─► run(now) ─► Sync(job) ─► the job runs anywhere ─► synced(result) ─► run(now)
//!                                                                                            │
//!                                                    Publish{image, delta} before Reply{id} ◄┘
//! ```
//! It has no thread and no clock: the node on the roof and the simulator drive the same value.
//! Invariant: a reply leaves only after the image that contains what it says was published, and nothing is published
//! before it is durable.

use std::path::PathBuf;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{DirectoryId, LeaderEpoch, NodeId};
use base::time::{MonoTime, Now};
use quorum::{Endpoint, VoterSet};
use storage::disk::Disk;
use storage::sync::{SyncJob, Synced};

use crate::controller::{ControllerReply, ControllerRequest, ControllerSettings, Random};
use crate::delta::Delta;
use crate::error::Error;
use crate::image::Image;

/// What a controller node is and where it keeps its log.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// `node.id`.
    pub node_id: NodeId,
    /// `cluster.id` of `meta.properties`.
    pub cluster_id: String,
    /// The log directory that holds the metadata log: `metadata.log.dir`, or the first of `log.dirs`.
    pub metadata_dir: PathBuf,
    /// `directory.id` of that directory.
    pub directory_id: DirectoryId,
    /// Its controller listeners as others reach them, the default one first.
    pub endpoints: Vec<Endpoint>,
    /// `controller.quorum.voters`; `None` when the log holds the voters.
    pub static_voters: Option<VoterSet>,
    /// What decisions depend on.
    pub controller: ControllerSettings,
    /// `metadata.log.max.record.bytes.between.snapshots`: a snapshot is due after so many bytes of records.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`: or after so long, if there is anything new.
    pub snapshot_interval_ms: i64,
    /// `metadata.max.retention.bytes`: older snapshots and segments go while log and snapshots are larger.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`: older snapshots go, and the log before the oldest that stays.
    pub retention_ms: i64,
}

/// What the driver must do, in this order.
pub enum NodeEffect {
    /// Make this the current image and bring everything that depends on it up to date. Everything in it is committed.
    Publish {
        /// The image.
        image: Arc<Image>,
        /// What is different from the one published before.
        delta: Delta,
    },
    /// Answer a request: `NOT_CONTROLLER` when this node lost its leadership before it could.
    Reply {
        /// The number the request was submitted with.
        id: u64,
        /// The answer.
        response: Result<ControllerReply, ErrorCode>,
    },
    /// Run this anywhere and hand the result to [`ControllerNode::synced`]. There is never a second one under way.
    Sync(SyncJob),
}

/// A controller node.
pub struct ControllerNode {
    _private: (),
}

impl ControllerNode {
    /// Opens the metadata log of a formatted directory and loads what it says. Nothing is published before the first
    /// [`ControllerNode::run`] and its sync.
    ///
    /// # Errors
    /// The disk failed, a file is damaged, or the quorum is not one that this node can run.
    pub fn open(
        _disk: Arc<dyn Disk>,
        _settings: NodeSettings,
        _now: Now,
        _random: Box<dyn Random>,
    ) -> Result<Self, Error> {
        unreachable!()
    }

    /// Takes a request; `id` comes back with the answer.
    pub fn submit(&mut self, _request: ControllerRequest, _id: u64) {
        unreachable!()
    }

    /// Decides on everything submitted and every timer due, and writes. Call it after each `submit`, `synced`, and when
    /// [`ControllerNode::next_timeout`] has come.
    ///
    /// # Errors
    /// The metadata log failed: the process must halt.
    pub fn run(&mut self, _now: Now, _effects: &mut Vec<NodeEffect>) -> Result<(), Error> {
        unreachable!()
    }

    /// Takes the end of a sync job.
    ///
    /// # Errors
    /// The sync failed: the process must halt, because nobody knows what of the log survives.
    pub fn synced(&mut self, _synced: Synced, _now: Now) -> Result<(), Error> {
        unreachable!()
    }

    /// When [`ControllerNode::run`] has something to do by itself.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        unreachable!()
    }

    /// The image published last; the empty one before the first.
    pub fn image(&self) -> Arc<Image> {
        unreachable!()
    }

    /// The leader of the metadata quorum and its epoch, as DescribeCluster and logs want them.
    pub fn leader(&self) -> (NodeId, LeaderEpoch) {
        unreachable!()
    }

    /// Closes the log cleanly. Syncs what is not yet durable.
    ///
    /// # Errors
    /// The disk failed.
    pub fn close(self, _now: Now) -> Result<(), Error> {
        unreachable!()
    }
}
