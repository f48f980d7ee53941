//! A whole node without threads: the broker's values, driven one piece at a time by whoever calls.
//!
//! ```text
//!  sessions ─► shard queues ─► run_shard ─► sync jobs ─► run_sync ─► shard queues
//!     └► controller queue ─► run_controller ─► sync job ─► run_controller_sync
//! ```
//! Each piece does what its thread on the roof does between two waits. Invariant: nothing happens but in a call, so the
//! order of calls is the whole truth about what ran beside what.

mod connections;
mod controller;
mod shards;
mod start;
mod stop;
mod wake;

use std::collections::HashMap;
use std::sync::Arc;

use base::ids::TopicId;
use base::time::{MonoTime, Now};
use broker::broker::Broker;
use broker::log_dirs::LogDirs;
use storage::Ends;
use storage::sync::SyncJob;

use crate::content;
use crate::event::{Event, LogState};
use crate::ledger::Place;
use crate::network::ConnectionId;

use connections::Connections;
use controller::Controller;
use shards::Shards;
pub use stop::Stopped;
pub use wake::Flag;

/// A running node.
pub struct Node {
    broker: Arc<Broker>,
    controller: Controller,
    shards: Shards,
    connections: Connections,
    dirs: LogDirs,
    /// The ends of every log as they were noted last.
    ends: HashMap<(Place, TopicId), Ends>,
}

/// A sync that was asked for and has not been done.
pub struct PendingSync {
    /// The shard that asked.
    shard: usize,
    slot: broker::partition::Slot,
    job: SyncJob,
}

impl Node {
    /// Whether its broker is registered and let in.
    pub fn is_serving(&self) -> bool {
        self.controller.serving().is_some()
    }

    /// Connections that something can be done for.
    pub fn busy_connections(&self, network: &crate::network::Network, now: Now) -> Vec<ConnectionId> {
        self.connections.busy(network, now)
    }

    /// Shards that something can be done for.
    pub fn busy_shards(&self, now: Now) -> Vec<usize> {
        self.shards.busy(now)
    }

    /// How many syncs wait to be done.
    pub fn pending_syncs(&self) -> usize {
        self.shards.pending.len()
    }

    /// Whether the controller has something to do.
    pub fn is_controller_busy(&self, now: Now) -> bool {
        self.controller.is_busy(now)
    }

    /// Whether the metadata log waits for a sync.
    pub fn has_controller_sync(&self) -> bool {
        self.controller.has_sync()
    }

    /// When something is due by itself.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        let timeouts =
            [self.connections.next_timeout(), self.shards.next_timeout(), self.controller.next_timeout()];
        timeouts.into_iter().flatten().min()
    }

    /// Lets a shard run once.
    pub fn run_shard(&mut self, index: usize, now: Now, events: &mut Vec<Event>) {
        self.shards.run(index, now);
        self.note_ends(events);
    }

    /// Does one of the pending syncs.
    pub fn run_sync(&mut self, index: usize) {
        self.shards.run_sync(index);
    }

    /// Lets the controller run once.
    ///
    /// # Errors
    /// The metadata log failed: the node halts.
    pub fn run_controller(&mut self, now: Now) -> Result<(), String> {
        if self.controller.checkpoint_due(now) {
            self.dirs.write_checkpoints(&self.broker);
        }
        self.controller.run(now, &self.dirs)
    }

    /// Does the sync of the metadata log.
    ///
    /// # Errors
    /// It failed: the node halts.
    pub fn run_controller_sync(&mut self, now: Now) -> Result<(), String> {
        self.controller.run_sync(now)
    }

    /// Takes up new connections, and lets one that is busy read, answer and send.
    pub fn serve(
        &mut self,
        id: ConnectionId,
        network: &mut crate::network::Network,
        random: &mut crate::random::Random,
        now: Now,
    ) {
        self.connections.serve(id, &self.broker, network, random, now);
    }

    /// Every log as its readers see it, in order.
    pub fn logs(&self) -> Vec<LogState> {
        let mut logs: Vec<LogState> =
            self.broker.partitions().iter().map(|handle| state_of(&handle.shared)).collect();
        logs.sort_by(|a, b| a.place.cmp(&b.place));
        logs
    }

    /// The ends of a log, if it can be read.
    pub fn ends(&self, place: &Place) -> Option<Ends> {
        let handles = self.broker.partitions().into_iter();
        let mut found =
            handles.filter(|handle| place_of(&handle.shared) == *place && !handle.shared.is_offline());
        found.next().map(|handle| handle.shared.reader().ends())
    }

    /// Every topic of the metadata, in order.
    pub fn topics(&self) -> Vec<(String, TopicId)> {
        let image = self.broker.image();
        let mut topics: Vec<_> = image.topics().map(|topic| (topic.name.to_string(), topic.id)).collect();
        topics.sort();
        topics
    }

    /// The partitions of the metadata that it does not host because a directory failed, in order.
    pub fn away(&self) -> Vec<Place> {
        if self.dirs.states().iter().all(|dir| dir.is_online()) {
            return Vec::new();
        }
        let image = self.broker.image();
        let partitions =
            image.topics().flat_map(|topic| topic.partitions.keys().map(move |index| (topic, *index)));
        let away = partitions.filter(|(topic, index)| self.broker.hosted(topic.id, *index).is_none());
        let mut away: Vec<_> =
            away.map(|(topic, index)| Place { topic: topic.name.clone(), partition: index.0 }).collect();
        away.sort();
        away
    }

    fn note_ends(&mut self, events: &mut Vec<Event>) {
        let mut changed = Vec::new();
        for handle in self.broker.partitions() {
            let place = place_of(&handle.shared);
            let (id, ends) = (handle.shared.topic_id, handle.shared.reader().ends());
            if self.ends.insert((place.clone(), id), ends) != Some(ends) {
                changed.push((place, id, ends));
            }
        }
        changed.sort_by(|a, b| a.0.cmp(&b.0));
        events.extend(changed.into_iter().map(|(place, id, ends)| Event::Ends(place, id, ends)));
    }
}

fn place_of(shared: &broker::partition::PartitionShared) -> Place {
    Place { topic: shared.topic.clone(), partition: shared.index.0 }
}

fn state_of(shared: &broker::partition::PartitionShared) -> LogState {
    let reader = shared.reader();
    let ends = reader.ends();
    let mut records = Vec::new();
    let mut from = ends.log_start;
    let mut wrong = None;
    while from < ends.log_end && wrong.is_none() {
        let read = reader.read(from, ends.log_end, 1 << 30, true).map_err(|error| error.to_string());
        let bytes = read.and_then(|read| match read.records {
            Some(piece) => piece.to_bytes().map_err(|error| error.to_string()),
            None => Err(format!("nothing at offset {from}, but the log ends at {}", ends.log_end)),
        });
        match bytes.and_then(|bytes| content::read(&bytes, false)) {
            Ok(read) if read.is_empty() => wrong = Some(format!("no record at offset {from}")),
            Ok(read) => {
                from = base::ids::Offset(read[read.len() - 1].offset + 1);
                records.extend(read);
            }
            Err(error) => wrong = Some(error),
        }
    }
    LogState {
        place: place_of(shared),
        topic_id: shared.topic_id,
        ends,
        offline: shared.is_offline(),
        records: wrong.map_or(Ok(records), Err),
    }
}
