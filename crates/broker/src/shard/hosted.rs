//! One partition in its shard: its log, and the producers that wait for an end to move.
//!
//! ```text
//!  stage ─► stage ─► settle: write ─► high watermark ─► answers up to the deciding end ─► sync, if one is due
//!                                          ▲                                                │
//!                                          └───────────────── synced ◄──────────────────────┘
//! ```
//! Invariant: `waiting` is sorted by the offset waited for, because appends are.

use std::collections::VecDeque;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, Offset};
use base::time::{MonoTime, Now};
use replication::acks::{Acks, Durability, ReplicaEnds, answering_end, leader_share};
use storage::Ends;
use storage::append::{AppendRefusal, Appended, Origin};
use storage::config::LogConfig;
use storage::error::Error;
use storage::log::Log;
use storage::sync::Synced;

use super::{Adopt, Append, Effects, Visit};
use crate::apis::produce::ProducePart;
use crate::partition::{PartitionShared, Slot};

/// A partition that its shard owns.
pub(super) struct Hosted {
    slot: Slot,
    log: Log,
    shared: Arc<PartitionShared>,
    leader_epoch: LeaderEpoch,
    durability: Durability,
    staged: bool,
    syncing: bool,
    waiting: VecDeque<Waiting>,
}

/// A producer that is answered when its end reaches `needed`.
struct Waiting {
    needed: Offset,
    acks: Acks,
    appended: Appended,
    part: ProducePart,
}

impl Hosted {
    pub(super) fn new(adopt: Adopt) -> Self {
        let durability = durability_of(&adopt.config);
        adopt.shared.set_durability(durability);
        let mut hosted = Self {
            slot: adopt.slot,
            leader_epoch: adopt.shared.leader_epoch(),
            log: adopt.log,
            shared: adopt.shared,
            durability,
            staged: false,
            syncing: false,
            waiting: VecDeque::new(),
        };
        hosted.raise_high_watermark();
        hosted
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// Stages a batch; true when it is the first since the last [`Hosted::settle`].
    pub(super) fn stage(&mut self, append: Append, now: Now, effects: &mut Effects) -> bool {
        match self.log.stage(now, self.leader_epoch, append.batch, Origin::Client) {
            Ok(appended) => {
                let needed = appended.last_offset.next();
                self.waiting.push_back(Waiting { needed, acks: append.acks, appended, part: append.part });
                !std::mem::replace(&mut self.staged, true)
            }
            Err(refusal) => {
                append.part.refuse_at(self.ends().log_start, refusal, effects);
                false
            }
        }
    }

    /// Writes what is staged, moves the ends, answers, and starts a sync if one is due.
    pub(super) fn settle(&mut self, slot: Slot, now: Now, effects: &mut Effects) {
        if std::mem::take(&mut self.staged)
            && let Err(error) = self.log.write_staged(now)
        {
            return self.fail(&error, effects);
        }
        if self.log.is_offline() {
            return self.fail(&Error::Offline(self.log.dir().to_path_buf()), effects);
        }
        self.raise_high_watermark();
        self.answer(effects);
        if !self.syncing {
            let job = if self.wants_sync(now) { self.log.sync_job() } else { self.log.background_sync_job() };
            if let Some(job) = job {
                self.syncing = true;
                effects.syncs.push((slot, job));
            }
        }
    }

    /// A sync ended: [`Hosted::settle`] follows.
    pub(super) fn synced(&mut self, _slot: Slot, synced: Synced, now: Now, effects: &mut Effects) {
        self.syncing = false;
        if let Err(error) = self.log.synced(synced, now) {
            self.fail(&error, effects);
        }
    }

    pub(super) fn configure(&mut self, config: Arc<LogConfig>) {
        self.durability = durability_of(&config);
        self.shared.set_durability(self.durability);
        self.log.update_config(config);
    }

    pub(super) fn lead(&mut self, epoch: LeaderEpoch) {
        self.leader_epoch = epoch;
        self.shared.set_leader_epoch(epoch);
        self.shared.wake_all();
    }

    pub(super) fn visit(&mut self, visit: Visit, now: Now, effects: &mut Effects) {
        if let Err(error) = visit(&mut self.log, now) {
            self.fail(&error, effects);
        }
    }

    /// The log's directory failed: nothing of it is read or written any more, and whoever waits is told.
    pub(super) fn take_offline(&mut self, effects: &mut Effects) {
        self.log.take_offline();
        self.fail(&Error::Offline(self.log.dir().to_path_buf()), effects);
    }

    /// Retention and removal of deleted files; when the next removal is due.
    pub(super) fn maintain(&mut self, now: Now, effects: &mut Effects) -> Option<MonoTime> {
        if self.log.is_offline() {
            return None;
        }
        let start_before = self.ends().log_start;
        let result = self.log.delete_old_segments(now).and_then(|_| self.log.remove_deleted_files(now));
        self.log.release_idle();
        if self.ends().log_start != start_before {
            self.shared.wake_all();
        }
        match result {
            Ok(next) => next,
            Err(error) => {
                self.fail(&error, effects);
                None
            }
        }
    }

    pub(super) fn next_flush_at(&self) -> Option<MonoTime> {
        self.log.next_flush_at()
    }

    /// Gives the log away. Whoever still waits is told to ask again elsewhere.
    pub(super) fn release(mut self, effects: &mut Effects) -> Log {
        for waiting in self.waiting.drain(..) {
            waiting.part.refuse_gone(effects);
        }
        self.shared.wake_all();
        self.log
    }

    fn ends(&self) -> Ends {
        self.shared.reader().ends()
    }

    fn wants_sync(&self, now: Now) -> bool {
        let ends = self.ends();
        let promised = self.durability == Durability::Synced && ends.durable_end < ends.log_end;
        promised || self.log.flush_due(now)
    }

    /// With one replica the leader's own share is the high watermark.
    fn raise_high_watermark(&mut self) {
        let ends = self.ends();
        let share = leader_share(self.durability, ends.log_end, ends.durable_end);
        if share > ends.high_watermark {
            self.log.set_high_watermark(share);
            self.shared.advanced(ends.high_watermark, share);
        }
    }

    fn answer(&mut self, effects: &mut Effects) {
        let ends = self.ends();
        let ends = ReplicaEnds {
            log_end: ends.log_end,
            durable_end: ends.durable_end,
            high_watermark: ends.high_watermark,
        };
        // Both ends that decide move together in a log without followers, so the first that must wait holds the rest.
        while let Some(first) = self.waiting.front() {
            let answered = match answering_end(first.acks, self.durability, ends) {
                Some(end) => end >= first.needed,
                None => true,
            };
            if !answered {
                return;
            }
            let Waiting { appended, part, .. } = self.waiting.pop_front().expect("there is a first");
            part.accept(appended, effects);
        }
    }

    fn fail(&mut self, error: &Error, effects: &mut Effects) {
        self.shared.log_dir().observe(error);
        let reason = error.to_string();
        if !self.shared.is_offline() {
            self.shared.set_offline();
            effects.failures.push(format!("{}: {reason}", self.log.topic_partition()));
        }
        for waiting in self.waiting.drain(..) {
            waiting.part.refuse(AppendRefusal::new(ErrorCode::KAFKA_STORAGE_ERROR, &reason), effects);
        }
    }
}

fn durability_of(config: &LogConfig) -> Durability {
    if config.flush_messages <= 1 { Durability::Synced } else { Durability::Written }
}
