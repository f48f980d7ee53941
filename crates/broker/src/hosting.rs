//! The logs of this node follow the metadata: made, configured and deleted as topics are.
//!
//! ```text
//!  publish(image, delta):  new logs made ─► image told ─► deleted topics' logs released, set aside, removed later
//! ```
//! Invariant: a topic is told to clients only when its logs are there, so the first produce after a CreateTopics finds
//! its partition; a deleted topic's logs go only after it is no longer told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use base::config::{Layers, Properties};
use base::ids::{DirectoryId, PartitionIndex, TopicId};
use base::time::{MonoTime, Now};
use base::uuid::Uuid;
use metadata::delta::Delta;
use metadata::image::{ConfigOverrides, Image, Resource, ResourceType, Topic};
use storage::config::LogConfig;
use storage::directory::{DirKind, TopicPartition};
use storage::disk::{Disk, remove_dir_with_files};
use storage::log::{Log, LogSpec};
use storage::log_dir::PartitionDir;
use storage::read::LogReader;

use crate::broker::{Broker, Random};
use crate::log_dirs::LogDirState;
use crate::partition::{PartitionHandle, PartitionShared};
use crate::shard::{Adopt, Op, ShardQueue};
use crate::topic_config::log_config;

pub(crate) mod assignments;
mod failures;
mod moves;

use assignments::Assignments;

/// A log directory with the shards that own its partitions.
pub struct HostedDir {
    state: Arc<LogDirState>,
    shards: Vec<Arc<ShardQueue>>,
    /// How many partitions it holds.
    partitions: usize,
    /// Whether its partitions were taken offline.
    given_up: bool,
}

/// Makes logs, each from its specification, and gives them in the same order. Whoever has threads uses them: each log waits
/// for the disk until its topic's id is noted.
pub type CreateLogs = Box<dyn Fn(Vec<LogSpec>, Now) -> Vec<Result<Log, storage::Error>> + Send>;

/// Makes and unmakes the partitions of a node.
pub struct Hosting {
    broker: Arc<Broker>,
    disk: Arc<dyn Disk>,
    create_logs: CreateLogs,
    dirs: Vec<HostedDir>,
    random: Random,
    /// Directories set aside, and when they are removed; in the order of that time.
    removals: Vec<(MonoTime, PathBuf)>,
    /// Logs found at the start that the first publication has not claimed yet.
    found: BTreeMap<TopicPartition, Vec<Log>>,
    /// Copies on their way into a directory, found at the start.
    futures: Vec<PartitionDir>,
    /// Where logs are to be made that somebody asked to be moved before they were there.
    preferred: BTreeMap<TopicPartition, Arc<LogDirState>>,
    /// The first publication came: a partition that the next one adds has no log yet.
    is_published: bool,
    /// Logs were set aside of which the checkpoints still speak.
    forgotten: bool,
    /// Replicas whose directory the controller does not know yet.
    assignments: Assignments,
}

impl HostedDir {
    /// A directory with its shards, at least one.
    pub fn new(state: Arc<LogDirState>, shards: Vec<Arc<ShardQueue>>) -> Self {
        assert!(!shards.is_empty(), "every directory has a shard");
        Self { state, shards, partitions: 0, given_up: false }
    }
}

/// A partition whose log is to be made, in a directory by its number.
struct NewPartition<'a> {
    topic: &'a Topic,
    index: PartitionIndex,
    dir: usize,
    config: Arc<LogConfig>,
}

impl Hosting {
    /// Hosts nothing yet. `dirs` are those that serve. Logs are made one after the other.
    pub fn new(broker: Arc<Broker>, disk: Arc<dyn Disk>, dirs: Vec<HostedDir>, random: Random) -> Self {
        let assignments = Assignments::new(broker.clone());
        let create_logs: CreateLogs =
            Box::new(|specs, now| specs.into_iter().map(|spec| Log::create(spec, now)).collect());
        Self {
            broker,
            disk,
            create_logs,
            dirs,
            random,
            removals: Vec::new(),
            found: BTreeMap::new(),
            futures: Vec::new(),
            preferred: BTreeMap::new(),
            is_published: false,
            forgotten: false,
            assignments,
        }
    }

    /// Logs are made this way.
    pub fn create_logs_with(&mut self, create_logs: CreateLogs) {
        self.create_logs = create_logs;
    }

    /// Takes a log that was found at the start. The first publication says whose it is.
    pub fn found(&mut self, log: Log) {
        self.found.entry(log.topic_partition().clone()).or_default().push(log);
    }

    /// Does what is due: takes partitions of directories offline that failed, tells the controller where replicas are,
    /// removes what was set aside long enough ago.
    ///
    /// # Errors
    /// The last directory failed, or the one that holds the metadata log: the node cannot go on.
    pub fn run(&mut self, now: Now) -> Result<(), String> {
        self.give_up_failed_dirs()?;
        self.begin_asked(now);
        self.end_moves(now);
        self.assignments.submit(now);
        self.remove_set_aside(now);
        Ok(())
    }

    /// The metadata changed. `write_checkpoints` is called when logs were set aside: the checkpoints must forget them before a
    /// log of the same name is made, because to that one their offsets would be a start behind its end and syncs that never
    /// were.
    pub fn publish(
        &mut self,
        image: Arc<Image>,
        delta: &Delta,
        now: Now,
        write_checkpoints: impl Fn(&Broker),
    ) {
        self.follow_broker_configs(&image, delta);
        let before = self.broker.image();
        let deleted = delta.topics_deleted.iter();
        let deleted = deleted.filter_map(|(id, name)| Some((before.topic_by_id(*id)?, name)));
        let (replaced, gone): (Vec<_>, Vec<_>) =
            deleted.partition(|(_, name)| image.topic_by_name(name).is_some());
        for (topic, _) in replaced {
            self.unhost(topic, now);
        }
        self.forget(&write_checkpoints);
        let created = delta.topics_created.iter().filter_map(|id| image.topic_by_id(*id));
        let created = created.flat_map(|topic| topic.partitions.keys().map(move |index| (topic, *index)));
        let changed = delta.partitions_changed.iter();
        let changed = changed.filter_map(|(id, index)| Some((image.topic_by_id(*id)?, *index)));
        let (mut new, mut configs) = (Vec::new(), BTreeMap::new());
        for (topic, index) in created.chain(changed) {
            new.extend(self.host(&image, topic, index, &mut configs, now));
        }
        self.create(new, now);
        for resource in &delta.configs_changed {
            if resource.kind == ResourceType::Topic
                && let Some(topic) = image.topic_by_name(&resource.name)
            {
                self.configure(&image, topic);
            }
        }
        self.set_strays_aside(now);
        self.is_published = true;
        self.broker.set_image(image);
        self.resume_moves(now);
        for (topic, _) in gone {
            self.unhost(topic, now);
        }
        self.forget(&write_checkpoints);
    }

    fn forget(&mut self, write_checkpoints: &impl Fn(&Broker)) {
        if std::mem::take(&mut self.forgotten) {
            write_checkpoints(&self.broker);
        }
    }

    /// Lets go of every partition: its log comes out of the receiver once its shard has done what was submitted before.
    pub fn release_all(self) -> Receiver<Log> {
        let (sender, receiver) = channel();
        for handle in self.broker.partitions() {
            let sender = sender.clone();
            let take = move |log| {
                // The receiver is gone only when nobody wants to close the logs any more.
                let _ = sender.send(log);
            };
            handle.shard.submit_one(Op::Release(handle.slot, Box::new(take)));
        }
        receiver
    }

    fn remove_set_aside(&mut self, now: Now) {
        let due = self.removals.partition_point(|(at, _)| *at <= now.mono);
        for (_, path) in self.removals.drain(..due).collect::<Vec<_>>() {
            if let Err(error) = remove_dir_with_files(&*self.disk, &path) {
                tracing::error!(%error, "a deleted partition's files stay");
                self.observe(&path, &error);
            }
        }
    }

    /// Whether logs that were found wait to be claimed. Until then only the checkpoints know where they begin, and must not
    /// be replaced.
    pub fn has_unclaimed(&self) -> bool {
        !self.found.is_empty()
    }

    /// When [`Hosting::run`] has something to do by itself.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        self.removals.first().map(|(at, _)| *at)
    }

    /// Has every shard look after its logs.
    pub fn maintain(&self) {
        for shard in self.dirs.iter().flat_map(|dir| &dir.shards) {
            shard.submit_one(Op::Maintain);
        }
    }

    fn is_here(&self, partition: &metadata::image::Partition) -> bool {
        partition.replicas.contains(&self.broker.node())
    }

    /// Takes the log of a partition that belongs here, or tells its shard who leads now. If there is no log, one is to be
    /// made. `configs` keeps each topic's for its other partitions.
    fn host<'a>(
        &mut self,
        image: &Image,
        topic: &'a Topic,
        index: PartitionIndex,
        configs: &mut BTreeMap<TopicId, Arc<LogConfig>>,
        now: Now,
    ) -> Option<NewPartition<'a>> {
        let partition = topic.partition(index).filter(|partition| self.is_here(partition))?;
        // One whose disk failed stays as it is: a new log in its place would hide what it holds.
        if let Some(handle) = self.broker.hosted(topic.id, index) {
            let assigned = partition.directory(self.broker.node());
            let on_its_way = self.broker.moves().get((topic.id, index));
            if on_its_way.is_none_or(|moved| moved.target.id() != assigned) {
                self.assignments.compare(&handle, assigned);
            }
            handle.shard.submit_one(Op::Lead(handle.slot, partition.leader_epoch));
            return None;
        }
        let config =
            configs.entry(topic.id).or_insert_with(|| Arc::new(self.config_of(image, topic))).clone();
        let name = TopicPartition::new(topic.name.as_ref(), index.0);
        if let Some(log) = self.take_found(&name, topic, now) {
            let dir = self.dir_of(&log.dir()).expect("it was found in one of them");
            self.adopt_found(log, NewPartition { topic, index, dir, config });
            return None;
        }
        let assigned = partition.directory(self.broker.node()).unwrap_or(DirectoryId::UNASSIGNED);
        let Some(dir) = self.place(assigned, &name, self.is_new(topic.id, index)) else {
            tracing::warn!(partition = %name, directory = %assigned, "not made: it may lie in a directory that is offline");
            return None;
        };
        if let Some(log) = self.promote(&name, topic.id, dir, now) {
            self.adopt_found(log, NewPartition { topic, index, dir, config });
            return None;
        }
        // It counts from now on, so that the next one finds another place.
        self.dirs[dir].partitions += 1;
        Some(NewPartition { topic, index, dir, config })
    }

    fn adopt_found(&mut self, mut log: Log, new: NewPartition<'_>) {
        log.update_config(new.config.clone());
        if let Err(error) = log.assign_topic_id(new.topic.id) {
            // It is offline from here on, and says so to whoever writes.
            tracing::error!(partition = %log.topic_partition(), %error, "its topic's id cannot be noted");
            self.dirs[new.dir].state.observe(&error);
        }
        self.adopt(log, new);
    }

    /// Makes logs.
    fn create(&mut self, new: Vec<NewPartition<'_>>, now: Now) {
        let spec = |new: &NewPartition<'_>| {
            let topic_partition = TopicPartition::new(new.topic.name.as_ref(), new.index.0);
            LogSpec {
                disk: self.disk.clone(),
                dir: self.dirs[new.dir].state.path().join(topic_partition.dir_name()),
                topic_partition,
                topic_id: Some(new.topic.id),
                config: new.config.clone(),
            }
        };
        let created = (self.create_logs)(new.iter().map(spec).collect(), now);
        for (new, created) in new.into_iter().zip(created) {
            self.dirs[new.dir].partitions -= 1;
            match created {
                Ok(log) => self.adopt(log, new),
                Err(error) => {
                    let (topic, partition) = (&new.topic.name, new.index);
                    tracing::error!(%topic, %partition, %error, "a partition cannot be made");
                    self.dirs[new.dir].state.observe(&error);
                }
            }
        }
    }

    /// A log found at the start, if it is of this very topic and not of an earlier one of the same name.
    ///
    /// Two are there when a crash came while a replica was moved to another directory: the moved one has all that the other
    /// has, and whatever was appended later stands in one of them alone.
    fn take_found(&mut self, name: &TopicPartition, topic: &Topic, now: Now) -> Option<Log> {
        let found = self.found.remove(name)?;
        let of_topic = |log: &Log| log.topic_id().is_none_or(|id| id == topic.id);
        let (mut own, strays): (Vec<_>, Vec<_>) = found.into_iter().partition(of_topic);
        for stray in strays {
            tracing::warn!(partition = %name, "a log of an earlier topic of this name is set aside");
            self.set_aside(name, &stray.reader(), DirKind::Stray, now);
        }
        let assigned =
            topic.partition(name.partition).and_then(|partition| partition.directory(self.broker.node()));
        let is_assigned =
            |log: &Log| self.dir_of(&log.dir()).and_then(|dir| self.dirs[dir].state.id()) == assigned;
        own.sort_by_key(|log| (log.ends().log_end, is_assigned(log)));
        let newest = own.pop();
        for older in own {
            tracing::warn!(partition = %name, dir = %older.dir().display(), "set aside: the replica was moved");
            self.set_aside(name, &older.reader(), DirKind::Deleted, now);
        }
        newest
    }

    /// Logs that were found and belong to nothing: after the first publication none is left.
    fn set_strays_aside(&mut self, now: Now) {
        for (name, logs) in std::mem::take(&mut self.found) {
            for log in logs {
                tracing::warn!(partition = %name, "a log of no topic of this cluster is set aside");
                self.set_aside(&name, &log.reader(), DirKind::Stray, now);
            }
        }
    }

    /// Whether a partition that comes here never had a log here. The controller learns later than the disk where a log is, so
    /// of any other one the metadata do not tell whether it lies in a directory that is offline.
    fn is_new(&self, topic: TopicId, index: PartitionIndex) -> bool {
        let before = self.broker.image();
        let known = before.topic_by_id(topic).and_then(|topic| topic.partition(index));
        self.is_published && !known.is_some_and(|partition| self.is_here(partition))
    }

    /// The directory for a log that is not there: the one that the metadata names, or, when it leaves that open, the one
    /// with the fewest partitions that takes new ones. `None` when the log may lie in a directory that is offline.
    fn place(&mut self, assigned: DirectoryId, name: &TopicPartition, is_new: bool) -> Option<usize> {
        let preferred = self.preferred.remove(name);
        let is_online = |dir: &usize| self.dirs[*dir].state.is_online();
        let online = (0..self.dirs.len()).filter(is_online);
        let is_preferred =
            |dir: &usize| Some(self.dirs[*dir].state.path()) == preferred.as_ref().map(|dir| dir.path());
        if let Some(preferred) = online.clone().find(is_preferred) {
            return Some(preferred);
        }
        let any_offline = self.broker.offline_log_dir_count() > 0;
        if any_offline && !is_new {
            return None;
        }
        if let Some(named) = online.clone().find(|dir| self.dirs[*dir].state.id() == Some(assigned)) {
            return Some(named);
        }
        if any_offline && assigned != DirectoryId::UNASSIGNED {
            return None;
        }
        let is_open = |dir: &usize| !self.broker.is_cordoned(&self.dirs[*dir].state);
        let fewest =
            |dirs: &mut dyn Iterator<Item = usize>| dirs.min_by_key(|dir| self.dirs[*dir].partitions);
        fewest(&mut online.clone().filter(is_open)).or_else(|| fewest(&mut online.clone()))
    }

    /// The directory that a partition's directory is in.
    fn dir_of(&self, partition: &Path) -> Option<usize> {
        self.dirs.iter().position(|dir| partition.parent() == Some(dir.state.path()))
    }

    /// An operation on a partition's directory failed.
    fn observe(&self, partition: &Path, error: &storage::Error) {
        if let Some(dir) = self.dir_of(partition) {
            self.dirs[dir].state.observe(error);
        }
    }

    fn adopt(&mut self, log: Log, new: NewPartition<'_>) {
        let NewPartition { topic, index, dir, config } = new;
        let dir = &mut self.dirs[dir];
        dir.partitions += 1;
        let place = topic.id.0.as_u128() as usize ^ index.0 as usize;
        let shard = dir.shards[place % dir.shards.len()].clone();
        let slot = shard.reserve();
        let epoch = topic.partition(index).map(|partition| partition.leader_epoch).unwrap_or_default();
        let reader = log.reader();
        let (name, state) = (topic.name.clone(), dir.state.clone());
        let shared = Arc::new(PartitionShared::new(topic.id, name, index, epoch, reader, state));
        let adopt = Adopt { slot, log, shared: shared.clone(), config };
        shard.submit_one(Op::Adopt(Box::new(adopt)));
        let handle = PartitionHandle { shard, slot, shared };
        let assigned = topic.partition(index).and_then(|partition| partition.directory(self.broker.node()));
        self.assignments.compare(&handle, assigned);
        self.broker.insert_partition(handle);
    }

    /// Configs of this broker, or of all brokers, were set: they count from now on, for topics too.
    fn follow_broker_configs(&self, image: &Image, delta: &Delta) {
        let own = Resource::broker(self.broker.node().to_string());
        let all = Resource::broker("");
        if !delta.configs_changed.contains(&own) && !delta.configs_changed.contains(&all) {
            return;
        }
        let before = (self.broker.layers(), self.broker.config());
        let layers = Layers {
            static_broker: before.0.static_broker.clone(),
            dynamic_default: texts(&image.config(&all)),
            dynamic_broker: texts(&image.config(&own)),
        };
        let config = match layers.broker_config() {
            Ok(config) => config,
            // They were checked before they were written, but perhaps by a broker with other static configs.
            Err(error) => return tracing::error!(%error, "the configs set for this broker are not followed"),
        };
        let topics_before = before.0.topic_config(&Properties::new());
        let topics_change = topics_before != layers.topic_config(&Properties::new())
            || before.1.producer_id_expiration_ms != config.producer_id_expiration_ms;
        self.broker.configure(config, layers);
        if topics_change {
            image.topics().for_each(|topic| self.configure(image, topic));
        }
    }

    fn configure(&self, image: &Image, topic: &Topic) {
        let config = Arc::new(self.config_of(image, topic));
        for index in topic.partitions.keys() {
            if let Some(handle) = self.broker.hosted(topic.id, *index) {
                handle.shard.submit_one(Op::Configure(handle.slot, config.clone()));
            }
        }
    }

    fn config_of(&self, image: &Image, topic: &Topic) -> LogConfig {
        let overrides = texts(&image.topic_config(&topic.name));
        let config = self.broker.layers().topic_config(&overrides).or_else(|error| {
            // The controller checks before it writes; another version's controller may know values that this does not.
            tracing::error!(topic = %topic.name, %error, "the topic's configs are not understood; defaults apply");
            self.broker.layers().topic_config(&Properties::new())
        });
        log_config(&config.expect("the node's own configs were checked"), &self.broker.config())
    }

    fn unhost(&mut self, topic: &Topic, now: Now) {
        for index in topic.partitions.keys() {
            let Some(handle) = self.broker.remove_partition(topic.id, *index) else { continue };
            let name = TopicPartition::new(topic.name.as_ref(), index.0);
            if let Some(dir) = self.dir_of(&handle.shared.reader().dir()) {
                self.dirs[dir].partitions -= 1;
            }
            self.cancel_move(&handle, now);
            self.assignments.forget(&handle);
            self.set_aside(&name, handle.shared.reader(), DirKind::Deleted, now);
            let (shard, slot) = (handle.shard.clone(), handle.slot);
            handle.shard.submit_one(Op::Release(
                slot,
                Box::new(move |log| {
                    drop(log);
                    shard.vacate(slot);
                }),
            ));
        }
    }

    /// Gives a partition's directory a name under which it is never opened again, at once: a new topic may take the old
    /// name while appends that were under way still end in the old files.
    fn set_aside(&mut self, name: &TopicPartition, reader: &LogReader, kind: DirKind, now: Now) {
        if self.dir_of(&reader.dir()).is_some_and(|dir| !self.dirs[dir].state.is_online()) {
            // When the directory is back, the next start finds that it belongs to nothing.
            return;
        }
        let unique = Uuid::from_u128((self.random)());
        let path = reader.dir().with_file_name(name.renamed_dir(kind, unique));
        if let Err(error) = reader.rename_dir(&path) {
            tracing::error!(partition = %name, %error, "the partition cannot be set aside");
            return self.observe(&path, &error);
        }
        self.remove_later(path, now);
        self.forgotten = true;
    }

    fn remove_later(&mut self, path: PathBuf, now: Now) {
        let delay_ms = self.broker.config().log_segment_delete_delay_ms;
        let due = now.mono.plus_ms(delay_ms);
        let place = self.removals.partition_point(|(at, _)| *at <= due);
        self.removals.insert(place, (due, path));
    }
}

fn texts(overrides: &ConfigOverrides) -> Properties {
    overrides.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[cfg(test)]
mod tests;
