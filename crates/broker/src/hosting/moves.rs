//! Replicas are moved to other log directories: what may be moved, and what is left to do when a move is over.

use std::path::Path;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::PartitionIndex;
use base::time::Now;
use base::uuid::Uuid;
use storage::directory::{DirKind, TopicPartition};
use storage::disk::{remove_dir_with_files, rename_dir};
use storage::log::{Log, LogSpec, Recovery};
use storage::log_dir::PartitionDir;
use storage::partition_metadata;

use super::Hosting;
use crate::log_dirs::LogDirState;
use crate::moves::{Ask, Outcome, ReplicaMove};
use crate::partition::PartitionHandle;

/// The longest name that Linux and Kafka give a directory.
const NAME_MAX: usize = 255;

impl Hosting {
    /// Takes copies that an earlier life of the node had not completed.
    pub fn found_futures(&mut self, futures: Vec<PartitionDir>) {
        self.futures.extend(futures);
    }

    /// Begins the moves that were asked for.
    pub(super) fn begin_asked(&mut self, now: Now) {
        for Ask { wanted, answer } in self.broker.moves().take_asked() {
            let codes =
                wanted.iter().map(|(topic, index, path)| self.alter(topic, *index, path, now)).collect();
            answer(codes);
        }
    }

    fn alter(&mut self, topic: &str, index: i32, path: &str, now: Now) -> ErrorCode {
        match self.try_alter(topic, index, path, now) {
            Ok(()) => ErrorCode::NONE,
            Err(code) => code,
        }
    }

    fn try_alter(&mut self, topic: &str, index: i32, path: &str, now: Now) -> Result<(), ErrorCode> {
        let name = TopicPartition::new(topic, index);
        if name.renamed_dir(DirKind::Future, Uuid::ZERO).len() > NAME_MAX {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        let target = self.find_dir(path).ok_or(ErrorCode::LOG_DIR_NOT_FOUND)?;
        if !target.is_online() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        if self.broker.is_cordoned(&target) {
            return Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT);
        }
        let (image, index) = (self.broker.image(), PartitionIndex(index));
        let known = image.topic_by_name(topic).filter(|topic| topic.partition(index).is_some());
        let Some(handle) = known.and_then(|topic| self.broker.hosted(topic.id, index)) else {
            // Where it is to be made when it is.
            self.preferred.insert(name, target);
            let here = ErrorCode::REPLICA_NOT_AVAILABLE;
            return Err(known.map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |_| here));
        };
        if handle.shared.is_offline() {
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        if let Some(before) = self.broker.moves().get(handle.shared.replica()) {
            if Arc::ptr_eq(&before.target, &target) {
                return Ok(());
            }
            before.cancel();
            self.tidy_up(&before, now);
        }
        if Arc::ptr_eq(&handle.shared.log_dir(), &target) {
            return Ok(());
        }
        if self.broker.offline_log_dir_count() > 0 {
            // The same replica may be on its way to a directory that is offline.
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        self.begin_move(handle, target, now)
    }

    fn find_dir(&self, path: &str) -> Option<Arc<LogDirState>> {
        let dirs = self.broker.log_dirs();
        dirs.into_iter().find(|dir| self.broker.log_dir_facts(dir.path()).absolute == Path::new(path))
    }

    fn begin_move(
        &mut self,
        handle: PartitionHandle,
        target: Arc<LogDirState>,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let shared = &handle.shared;
        let name = TopicPartition::new(shared.topic.as_ref(), shared.index.0);
        let image = self.broker.image();
        let topic = image.topic_by_id(shared.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let unique = || Uuid::from_u128((self.random)());
        let future_dir = target.path().join(name.renamed_dir(DirKind::Future, unique()));
        let set_aside = shared.reader().dir().with_file_name(name.renamed_dir(DirKind::Deleted, unique()));
        let spec = LogSpec {
            disk: self.disk.clone(),
            dir: future_dir,
            topic_partition: name.clone(),
            topic_id: Some(shared.topic_id),
            config: Arc::new(self.config_of(&image, topic)),
        };
        let log = Log::create_future(spec, shared.reader(), now).map_err(|error| {
            tracing::error!(partition = %name, %error, "a replica cannot be moved");
            target.observe(&error);
            error.code()
        })?;
        tracing::info!(partition = %name, to = %target.path().display(), "a replica is moved");
        let moved = ReplicaMove::new(handle, target, log, set_aside);
        self.broker.moves().insert(moved.replica(), moved);
        Ok(())
    }

    /// Does what is left to do for moves that are over, or that a failed directory ends.
    pub(super) fn end_moves(&mut self, now: Now) {
        for moved in self.broker.moves().all() {
            let is_broken = !moved.source.is_online() || !moved.target.is_online();
            if is_broken {
                moved.cancel();
            }
            if moved.outcome().is_some() {
                self.tidy_up(&moved, now);
            }
        }
    }

    /// The topic is gone.
    pub(super) fn cancel_move(&mut self, handle: &PartitionHandle, now: Now) {
        if let Some(moved) = self.broker.moves().get(handle.shared.replica()) {
            moved.cancel();
            self.tidy_up(&moved, now);
        }
    }

    fn tidy_up(&mut self, moved: &ReplicaMove, now: Now) {
        let shared = &moved.handle.shared;
        let name = TopicPartition::new(shared.topic.as_ref(), shared.index.0);
        self.broker.moves().remove(moved.replica());
        let outcome = moved.outcome();
        if outcome == Some(Outcome::Swapped) {
            tracing::info!(partition = %name, to = %moved.target.path().display(), "a replica was moved");
            for (dir, by) in [(&moved.source, -1), (&moved.target, 1)] {
                let hosted = self.dirs.iter_mut().find(|hosted| Arc::ptr_eq(&hosted.state, dir));
                hosted
                    .into_iter()
                    .for_each(|hosted| hosted.partitions = hosted.partitions.wrapping_add_signed(by));
            }
            self.forgotten = true;
            return self.remove_later(moved.set_aside.clone(), now);
        }
        // A copy of what lies in a failed directory may be all that is left of it.
        if moved.source.is_online() {
            self.set_aside(&name, &moved.future, DirKind::Deleted, now);
        }
        let image = self.broker.image();
        let partition = image.partition(shared.topic_id, shared.index);
        self.assignments
            .compare(&moved.handle, partition.and_then(|partition| partition.directory(self.broker.node())));
    }

    /// The copy that was on its way into directory `dir` when the node ended, if the replica itself is nowhere: it becomes
    /// the replica. Not while a directory is offline, which may hold it.
    pub(super) fn promote(
        &mut self,
        name: &TopicPartition,
        topic: base::ids::TopicId,
        dir: usize,
        now: Now,
    ) -> Option<Log> {
        if self.broker.offline_log_dir_count() > 0 {
            return None;
        }
        let target = self.dirs[dir].state.clone();
        let is_it = |future: &PartitionDir| {
            future.topic_partition == *name
                && future.path.parent() == Some(target.path())
                && self.topic_of(future) == Some(topic)
        };
        let place = self.futures.iter().position(is_it)?;
        let future = self.futures.remove(place);
        let path = target.path().join(name.dir_name());
        tracing::warn!(partition = %name, dir = %target.path().display(), "a copy takes the place of a replica that is gone");
        let opened = rename_dir(&*self.disk, &future.path, &path).and_then(|()| {
            let spec = LogSpec {
                disk: self.disk.clone(),
                dir: path,
                topic_partition: name.clone(),
                topic_id: Some(topic),
                config: Arc::default(),
            };
            Log::open(spec, Recovery { clean: false, ..Recovery::NEW }, now)
        });
        opened.inspect_err(|error| target.observe(error)).ok()
    }

    /// Copies that were on their way when the node ended begin anew: how far they had come nobody wrote down.
    pub(super) fn resume_moves(&mut self, now: Now) {
        for future in std::mem::take(&mut self.futures) {
            let Some(dir) = self.dir_of(&future.path) else { continue };
            let target = self.dirs[dir].state.clone();
            let hosted = self
                .topic_of(&future)
                .and_then(|topic| self.broker.hosted(topic, future.topic_partition.partition));
            if hosted.is_none() && self.broker.offline_log_dir_count() > 0 {
                continue;
            }
            if let Err(error) = remove_dir_with_files(&*self.disk, &future.path) {
                target.observe(&error);
                continue;
            }
            if let Some(handle) = hosted.filter(|handle| !Arc::ptr_eq(&handle.shared.log_dir(), &target)) {
                // What is in the way was told; the replica stays where it is.
                let _ = self.begin_move(handle, target, now);
            }
        }
    }

    fn topic_of(&self, future: &PartitionDir) -> Option<base::ids::TopicId> {
        partition_metadata::read(&*self.disk, &future.path.join(partition_metadata::FILE_NAME)).ok().flatten()
    }
}
