//! Replicas on their way to another log directory of this broker (AlterReplicaLogDirs, KIP-113 and KIP-858).
//!
//! ```text
//!  asked for ─► COPYING ─► little is missing: the controller is told ─► TOLD ─► it knows ─► ACCEPTED ─► SWAPPING ─► over
//!                 ▲             (a thread of its own, turn by turn)                        (the replica's own shard) │
//!                 └─ again when the controller did not take it                          Hosting tidies up ◄──────────┘
//! ```
//! Invariants: the replica is written and read in its old directory until the swap; the controller knows of the new
//! directory before it counts, so that its failure concerns the replica; a move that was cancelled is never completed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use base::error_code::ErrorCode;
use base::ids::DirectoryId;
use base::time::{MonoTime, Now};
use metadata::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use protocol::messages::assign_replicas_to_dirs_response::AssignReplicasToDirsResponse;
use storage::Error;
use storage::future::MoveError;
use storage::log::Log;
use storage::read::LogReader;

use crate::broker::Broker;
use crate::controller::Answer;
use crate::hosting::assignments;
use crate::log_dirs::LogDirState;
use crate::partition::{PartitionHandle, Replica};
use crate::shard::Op;

/// What may be missing when the shard takes over: it copies the rest while its producers wait.
const REST_BYTES: u64 = 256 << 10;
/// All moves under way.
#[derive(Default)]
pub struct Moves {
    table: Mutex<BTreeMap<Replica, Arc<ReplicaMove>>>,
    asked: Mutex<Vec<Ask>>,
    bells: Mutex<Vec<Waker>>,
}

/// What a client asks for: replicas by topic name, index and directory; and who is told what became of it, in that order.
pub(crate) struct Ask {
    pub(crate) wanted: Vec<(String, i32, String)>,
    pub(crate) answer: Box<dyn FnOnce(Vec<ErrorCode>) + Send>,
}

/// One replica on its way.
pub struct ReplicaMove {
    pub(crate) handle: PartitionHandle,
    pub(crate) source: Arc<LogDirState>,
    pub(crate) target: Arc<LogDirState>,
    /// The log to be.
    pub(crate) future: Arc<LogReader>,
    /// What becomes the name of the old one.
    pub(crate) set_aside: PathBuf,
    copying: Mutex<Copying>,
    /// Held during the swap: whoever cancels comes before or after.
    outcome: Mutex<Option<Outcome>>,
}

struct Copying {
    phase: Phase,
    log: Option<Log>,
    /// Nothing to do before this.
    next: MonoTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Copying,
    Refused,
    Told,
    Accepted,
    Swapping,
}

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The replica lies in the new directory.
    Swapped,
    /// It lies where it was.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

/// What a turn of a move came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// So many bytes were copied; there may be more.
    Copied(usize),
    /// Nothing can be done before this time, or before the bell rings.
    Waits(Option<MonoTime>),
}

impl Moves {
    /// `bell` is rung when there may be something to do for a turn.
    pub fn add_bell(&self, bell: Waker) {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).push(bell);
    }

    /// All moves under way.
    pub fn all(&self) -> Vec<Arc<ReplicaMove>> {
        self.table().values().cloned().collect()
    }

    pub(crate) fn get(&self, replica: Replica) -> Option<Arc<ReplicaMove>> {
        self.table().get(&replica).cloned()
    }

    pub(crate) fn insert(&self, replica: Replica, moved: ReplicaMove) {
        self.table().insert(replica, Arc::new(moved));
        self.ring();
    }

    pub(crate) fn remove(&self, replica: Replica) {
        self.table().remove(&replica);
    }

    /// Leaves a request to whoever hosts the replicas.
    pub(crate) fn ask(&self, ask: Ask) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(ask);
    }

    pub(crate) fn take_asked(&self) -> Vec<Ask> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ring(&self) {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Waker::wake_by_ref);
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<Replica, Arc<ReplicaMove>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplicaMove {
    /// A move that begins: `log` is the future log in `target`.
    pub(crate) fn new(
        handle: PartitionHandle,
        target: Arc<LogDirState>,
        log: Log,
        set_aside: PathBuf,
    ) -> Self {
        let future = log.reader();
        let copying = Copying { phase: Phase::Copying, log: Some(log), next: MonoTime(0) };
        Self {
            source: handle.shared.log_dir(),
            handle,
            target,
            future,
            set_aside,
            copying: Mutex::new(copying),
            outcome: Mutex::default(),
        }
    }

    /// Which replica.
    pub fn replica(&self) -> Replica {
        self.handle.shared.replica()
    }

    /// How it ended, if it did.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        *self.outcome_slot()
    }

    /// Ends it, unless it has ended; how it has.
    pub(crate) fn cancel(&self) -> Outcome {
        *self.outcome_slot().get_or_insert(Outcome::Cancelled)
    }

    /// Does a piece of it, on the calling thread: copies at most `max_bytes`, or goes on to the next phase.
    pub fn turn(self: &Arc<Self>, broker: &Broker, max_bytes: usize, now: Now) -> Turn {
        let mut copying = self.copying();
        if self.outcome().is_some() {
            return Turn::Waits(None);
        }
        if copying.phase == Phase::Refused {
            copying.phase = Phase::Copying;
            copying.next = now.mono.plus_ms(assignments::RETRY_MS);
        }
        if now.mono < copying.next {
            return Turn::Waits(Some(copying.next));
        }
        if matches!(copying.phase, Phase::Told | Phase::Swapping) {
            return Turn::Waits(None);
        }
        let Some(log) = copying.log.as_mut() else { return Turn::Waits(None) };
        let (bytes, left) = match self.copy(log, max_bytes, now) {
            Ok(copied) => copied,
            Err(error) => {
                copying.log = None;
                drop(copying);
                self.fail(&error, broker);
                return Turn::Waits(None);
            }
        };
        if left > REST_BYTES {
            return Turn::Copied(bytes);
        }
        if copying.phase == Phase::Copying {
            copying.phase = Phase::Told;
            drop(copying);
            self.tell_controller(broker);
        } else {
            copying.phase = Phase::Swapping;
            let log = copying.log.take().expect("it was there just now");
            drop(copying);
            self.swap(log, broker);
        }
        Turn::Copied(bytes)
    }

    /// Copies; how many bytes, and about how many are left.
    fn copy(&self, log: &mut Log, max_bytes: usize, now: Now) -> Result<(usize, u64), MoveError> {
        let source = self.handle.shared.reader();
        let bytes = log.copy_from(source, max_bytes, now)?;
        let (end, ends) = (log.ends().log_end, source.ends());
        let left = if end < ends.log_end { source.bytes_between(end, ends.log_end) } else { 0 };
        // All that can be synced now need not be by the shard, with producers waiting.
        let job = if left > REST_BYTES { log.background_sync_job() } else { log.sync_job() };
        if let Some(job) = job {
            log.synced(job.run(), now).map_err(MoveError::Target)?;
        }
        Ok((bytes, left))
    }

    /// From now on a failure of the new directory concerns the replica.
    fn tell_controller(self: &Arc<Self>, broker: &Broker) {
        let target = self.target.id().unwrap_or(DirectoryId::UNASSIGNED);
        let request = assignments::request(broker, &BTreeMap::from([(self.replica(), target)]));
        let (this, moves) = (self.clone(), broker.moves().clone());
        let on_reply = Box::new(move |answer: Answer| {
            let accepted = matches!(&answer, Ok(ControllerReply::AssignReplicasToDirs(response)) if is_accepted(response));
            if !accepted {
                tracing::warn!(?answer, "the controller does not take the new directory of a replica");
            }
            this.copying().phase = if accepted { Phase::Accepted } else { Phase::Refused };
            moves.ring();
        });
        let verb = ControllerVerb::AssignReplicasToDirs(request);
        broker.controller().submit(ControllerRequest::internal(verb), on_reply);
    }

    fn swap(self: &Arc<Self>, log: Log, broker: &Broker) {
        let (this, waker) = (self.clone(), broker.controller().waker());
        let visit = move |source: &mut Log, now: Now| {
            let result = this.swap_here(source, log, now);
            waker.wake_by_ref();
            result
        };
        self.handle.shard.submit_one(Op::Visit(self.handle.slot, Box::new(visit)));
    }

    /// On the thread that owns the log. An error is one of the directory that it lies in.
    fn swap_here(&self, source: &mut Log, future: Log, now: Now) -> Result<(), Error> {
        let mut outcome = self.outcome_slot();
        if outcome.is_some() {
            return Ok(());
        }
        match source.replace_by(future, &self.set_aside, now) {
            Ok(old) => {
                *outcome = Some(Outcome::Swapped);
                self.handle.shared.set_log_dir(self.target.clone());
                if let Err(error) = old {
                    // The replica is elsewhere by now.
                    self.source.observe(&error);
                }
                Ok(())
            }
            Err(MoveError::Target(error)) => {
                *outcome = Some(Outcome::Failed);
                self.target.observe(&error);
                Ok(())
            }
            Err(MoveError::Source(error)) => {
                *outcome = Some(Outcome::Failed);
                Err(error)
            }
        }
    }

    fn fail(&self, error: &MoveError, broker: &Broker) {
        let shared = &self.handle.shared;
        tracing::error!(topic = %shared.topic, partition = %shared.index, %error, "a replica cannot be moved");
        self.outcome_slot().get_or_insert(Outcome::Failed);
        match error {
            MoveError::Source(error) => shared.observe_read(error),
            MoveError::Target(error) => self.target.observe(error),
        }
        broker.controller().waker().wake_by_ref();
    }

    fn copying(&self) -> MutexGuard<'_, Copying> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome_slot(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_accepted(response: &AssignReplicasToDirsResponse) -> bool {
    let mut partitions =
        response.directories.iter().flat_map(|dir| &dir.topics).flat_map(|topic| &topic.partitions);
    response.error_code == ErrorCode::NONE
        && partitions.all(|partition| partition.error_code == ErrorCode::NONE)
}
