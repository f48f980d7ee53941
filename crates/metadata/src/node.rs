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

#[cfg(test)]
mod apache;
mod files;
mod load;
mod snapshots;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{DirectoryId, LeaderEpoch, NodeId, Offset, TopicId};
use base::time::{MonoTime, Now, WallTime};
use bytes::Bytes;
use machine::{Failure, Output, Shard};
use protocol::metadata_record::MetadataRecord;
use quorum::{
    Endpoint, Loaded as QuorumLoaded, Quorum, ReplicaKey, Settings as QuorumSettings, Voter, VoterSet,
};
use storage::append::Origin;
use storage::config::{CleanupPolicy, LogConfig};
use storage::directory::{METADATA_TOPIC, TopicPartition};
use storage::disk::Disk;
use storage::log::{Log, LogSpec, Recovery};
use storage::sync::{SyncJob, Synced};
use wire::builder::BatchBuilder;
use wire::compress::Compression;

use crate::bootstrap;
use crate::controller::{Controller, ControllerReply, ControllerRequest, ControllerSettings, Random};
use crate::delta::Delta;
use crate::error::Error;
use crate::image::{Image, METADATA_VERSION};
use crate::version::record_version;
use files::Files;
pub(crate) use files::io_error;
use snapshots::Snapshots;

/// The levels of `kraft.version` that this node can follow.
const KRAFT_VERSIONS: (i16, i16) = (0, 1);

/// Kafka's limit for one batch of the metadata log.
const BATCH_BYTES_MAX: u32 = 8 << 20;

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
    pub(crate) log: Log,
    files: Files,
    quorum: Quorum,
    shard: Shard<Controller>,
    snapshots: Snapshots,
    submitted: Vec<(u64, ControllerRequest)>,
    /// What the shard wants done and was not done yet.
    outputs: Vec<Output<Controller>>,
    /// What the driver must do and was not told yet.
    effects: Vec<NodeEffect>,
    /// What was appended and not published yet.
    unpublished: VecDeque<Appended>,
    /// The image with everything appended: what the next batch's delta is noted against.
    appended: Image,
    published: Arc<Image>,
    /// Whether anything was published in this run.
    has_published: bool,
}

/// One batch of records that is not published yet.
struct Appended {
    /// One past its last record.
    end: Offset,
    delta: Delta,
    timestamp: WallTime,
    size: u64,
}

impl ControllerNode {
    /// Opens the metadata log of a formatted directory, loads what it says and begins a new epoch. Nothing is published
    /// before the first [`ControllerNode::run`] and its sync.
    ///
    /// # Errors
    /// The disk failed, a file is damaged, or the quorum is not one that this node can run.
    pub fn open(
        disk: Arc<dyn Disk>,
        settings: NodeSettings,
        now: Now,
        random: Box<dyn Random>,
    ) -> Result<Self, Error> {
        let bootstrap = bootstrap::read(&*disk, &settings.metadata_dir)?;
        let (mut log, files) = open_log(&disk, &settings, now)?;
        let loaded =
            load::load(&mut log, &files, &settings.cluster_id, settings.static_voters.as_ref(), now)?;
        let quorum = open_quorum(&settings, &log, &files, &loaded)?;
        let controller = Controller::new(settings.controller.clone(), settings.node_id, random, bootstrap);
        let mut shard = Shard::new(loaded.committed.clone(), controller);
        let log_end = log.ends().log_end;
        shard.load(loaded.committed, loaded.committed_end, loaded.state.clone(), log_end);
        let snapshots = Snapshots::new(&settings, loaded.snapshots, loaded.bytes_since_snapshot, now);
        let mut node = Self {
            log,
            files,
            quorum,
            shard,
            snapshots,
            submitted: Vec::new(),
            outputs: Vec::new(),
            effects: Vec::new(),
            unpublished: VecDeque::new(),
            appended: loaded.state.image().clone(),
            published: Arc::new(Image::empty(settings.cluster_id)),
            has_published: false,
        };
        node.snapshots.set_last_timestamp(loaded.last_timestamp);
        let mut effects = Vec::new();
        node.quorum.start(now, &mut effects);
        node.apply(effects, now)?;
        Ok(node)
    }

    /// Takes a request; `id` comes back with the answer.
    pub fn submit(&mut self, request: ControllerRequest, id: u64) {
        self.submitted.push((id, request));
    }

    /// Decides on everything submitted and every timer due, and writes. Call it after each `submit`, `synced`, and when
    /// [`ControllerNode::next_timeout`] has come.
    ///
    /// # Errors
    /// The metadata log failed: the process must halt.
    pub fn run(&mut self, now: Now, effects: &mut Vec<NodeEffect>) -> Result<(), Error> {
        self.shard.tick(now, &mut self.outputs);
        self.handle_outputs(now);
        for (id, request) in std::mem::take(&mut self.submitted) {
            self.shard.submit(id, request, now, &mut self.outputs);
            self.handle_outputs(now);
        }
        self.log.write_staged(now)?;
        self.maintain(now)?;
        effects.append(&mut self.effects);
        effects.extend(self.log.sync_job().map(NodeEffect::Sync));
        Ok(())
    }

    /// Takes the end of a sync job.
    ///
    /// # Errors
    /// The sync failed: the process must halt, because nobody knows what of the log survives.
    pub fn synced(&mut self, synced: Synced, now: Now) -> Result<(), Error> {
        self.log.synced(synced, now)?;
        let mut effects = Vec::new();
        self.quorum.durable(self.log.ends().durable_end, &mut effects);
        self.apply(effects, now)
    }

    /// When [`ControllerNode::run`] has something to do by itself.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        let timers = [self.shard.next_timeout(), self.snapshots.next_timeout()];
        timers.into_iter().flatten().min()
    }

    /// The image published last; the empty one before the first.
    pub fn image(&self) -> Arc<Image> {
        self.published.clone()
    }

    /// The leader of the metadata quorum and its epoch, as DescribeCluster and logs want them.
    pub fn leader(&self) -> (NodeId, LeaderEpoch) {
        (self.quorum.leader().unwrap_or(NodeId::NONE), self.quorum.epoch())
    }

    /// Closes the log cleanly. Syncs what is not yet durable.
    ///
    /// # Errors
    /// The disk failed.
    pub fn close(mut self, now: Now) -> Result<(), Error> {
        if self.snapshots.is_worth_at_stop() {
            self.snapshot(now)?;
        }
        self.log.close(now)?;
        Ok(())
    }

    /// Does what the quorum says.
    fn apply(&mut self, effects: Vec<quorum::Effect>, now: Now) -> Result<(), Error> {
        for effect in effects {
            match effect {
                quorum::Effect::WriteState(text) => self.files.write_state(&text)?,
                quorum::Effect::Append { base, end, batch } => {
                    let staged = self.log.stage(now, self.quorum.epoch(), batch, Origin::RaftLeader);
                    let staged = staged.map_err(|refusal| {
                        let reason = refusal.message.unwrap_or_default();
                        Error::Refused(format!("{}: {reason}", self.log.dir().display()))
                    })?;
                    assert_eq!((staged.first_offset, staged.last_offset.next()), (base, end));
                    self.log.write_staged(now)?;
                }
                quorum::Effect::Elected(epoch) => {
                    tracing::info!(epoch = epoch.0, "this node leads the metadata quorum");
                    self.shard.elected(epoch, self.log.ends().log_end, now, &mut self.outputs);
                    self.handle_outputs(now);
                    self.log.write_staged(now)?;
                }
                quorum::Effect::HighWatermark(offset) => self.commit(offset),
            }
        }
        Ok(())
    }

    /// Publishes what became committed, then lets out the replies that waited for it.
    fn commit(&mut self, high_watermark: Offset) {
        self.log.set_high_watermark(high_watermark);
        let mut outputs = Vec::new();
        self.shard.committed_to(self.quorum.epoch(), high_watermark, &mut outputs);
        self.publish(high_watermark);
        for output in outputs {
            self.release(output);
        }
    }

    fn publish(&mut self, high_watermark: Offset) {
        let mut delta = Delta::default();
        while let Some(appended) = self.unpublished.pop_front_if(|appended| appended.end <= high_watermark) {
            delta.merge(appended.delta);
            self.snapshots.committed(appended.size, appended.timestamp);
        }
        let image = self.shard.committed().published();
        if self.has_published && image.offset() == self.published.offset() {
            return;
        }
        let image = Arc::new(image.clone());
        if !self.has_published {
            delta = Delta::from_nothing(&image);
            self.has_published = true;
        }
        self.published = image.clone();
        self.effects.push(NodeEffect::Publish { image, delta });
    }

    /// Appends what the shard decided. Each batch is appended before the next decision is made, so that one that the log
    /// refuses takes nothing else with it.
    fn handle_outputs(&mut self, now: Now) {
        while !self.outputs.is_empty() {
            for output in std::mem::take(&mut self.outputs) {
                match output {
                    Output::Append { epoch, base, records } => self.append(epoch, base, &records, now),
                    other => self.release(other),
                }
            }
        }
    }

    fn append(&mut self, epoch: LeaderEpoch, base: Offset, records: &[MetadataRecord], now: Now) {
        let end = base.plus(records.len() as i64);
        let metadata_version = self.shard.hard().image().feature(METADATA_VERSION);
        let staged = encode(epoch, base, records, metadata_version, now.wall).and_then(|batch| {
            let size = batch.len() as u64;
            let staged = self.log.stage(now, epoch, batch, Origin::RaftLeader);
            staged.map(|_| size).map_err(|refusal| refusal.message.unwrap_or_default())
        });
        let size = match staged {
            Ok(size) => size,
            Err(reason) => {
                tracing::error!(%base, reason, "a batch of metadata records was not appended");
                return self.shard.append_failed(epoch, base, &mut self.outputs);
            }
        };
        self.quorum.appended(end);
        let mut delta = Delta::default();
        records.iter().for_each(|record| delta.note(&self.appended, record));
        self.appended = self.shard.hard().image().clone();
        self.unpublished.push_back(Appended { end, delta, timestamp: now.wall, size });
    }

    fn release(&mut self, output: Output<Controller>) {
        match output {
            Output::Reply(id, result) => {
                let response = result.map_err(|failure| match failure {
                    Failure::NotLeader => ErrorCode::NOT_CONTROLLER,
                    Failure::AppendFailed => ErrorCode::UNKNOWN_SERVER_ERROR,
                });
                self.effects.push(NodeEffect::Reply { id, response });
            }
            Output::Effect(never) => match never {},
            Output::Append { .. } => unreachable!("nothing is appended by a commit"),
        }
    }

    /// Writes a snapshot when one is due, and lets go of what older ones and the log before them hold.
    fn maintain(&mut self, now: Now) -> Result<(), Error> {
        if self.snapshots.is_due(now) {
            self.snapshot(now)?;
        }
        self.log.remove_deleted_files(now)?;
        Ok(())
    }

    fn snapshot(&mut self, now: Now) -> Result<(), Error> {
        let state = self.shard.committed();
        if self.has_published && state.open_transaction().is_none() {
            let image = state.image().clone();
            self.snapshots.write(&image, self.quorum.history(), &self.files, now)?;
            self.snapshots.clean(&mut self.log, &mut self.quorum, &self.files, now)?;
        }
        Ok(())
    }
}

/// One batch of records, each in the version that the level of `metadata.version` asks for.
fn encode(
    epoch: LeaderEpoch,
    base: Offset,
    records: &[MetadataRecord],
    metadata_version: i16,
    now: WallTime,
) -> Result<Bytes, String> {
    let mut batch = BatchBuilder::new(Compression::None).base_offset(base).partition_leader_epoch(epoch);
    for record in records {
        let mut value = wire::output::Output::new();
        let version = record_version(record, metadata_version);
        record.encode(version, &mut value).map_err(|error| error.to_string())?;
        let value = value.to_bytes().map_err(|error| error.to_string())?;
        batch.append(now.0, None, Some(&value), &[]);
    }
    Ok(batch.finish())
}

fn open_log(disk: &Arc<dyn Disk>, settings: &NodeSettings, now: Now) -> Result<(Log, Files), Error> {
    let topic_partition = TopicPartition::new(METADATA_TOPIC, 0);
    let dir = settings.metadata_dir.join(topic_partition.dir_name());
    disk.create_dir_all(&dir).map_err(|error| io_error("create", &dir, error))?;
    let files = Files::new(disk.clone(), dir.clone());
    files.remove_leftovers()?;
    // Age and size of snapshots decide what goes; segments go only below the log start.
    let config = LogConfig {
        retention_ms: -1,
        retention_bytes: -1,
        max_message_bytes: BATCH_BYTES_MAX,
        timestamp_after_max_ms: i64::MAX,
        cleanup_policy: CleanupPolicy::DELETE,
        ..LogConfig::default()
    };
    let spec = LogSpec {
        disk: disk.clone(),
        dir,
        topic_partition,
        topic_id: Some(TopicId::METADATA),
        config: Arc::new(config),
    };
    // Nothing says how the metadata log was left: it is small, so it is always looked at.
    let recovery = Recovery { clean: false, ..Recovery::NEW };
    Ok((Log::open(spec, recovery, now)?, files))
}

fn open_quorum(
    settings: &NodeSettings,
    log: &Log,
    files: &Files,
    loaded: &load::Loaded,
) -> Result<Quorum, Error> {
    let is_static = loaded.history.kraft_version() == 0;
    let directory = if is_static { DirectoryId::MIGRATING } else { settings.directory_id };
    let local = Voter {
        key: ReplicaKey::new(settings.node_id, directory),
        endpoints: settings.endpoints.clone(),
        kraft_versions: KRAFT_VERSIONS,
    };
    let loaded = QuorumLoaded {
        state: files.read_state()?,
        history: loaded.history.clone(),
        log_end: log.ends().log_end,
        last_epoch: loaded.last_epoch,
    };
    let opened = Quorum::open(QuorumSettings { local }, loaded);
    opened.map_err(|error| Error::Quorum { path: log.dir().to_path_buf(), error })
}
