//! The partitions of a consumer: where each is read, what is fetched ahead, what is wrong with it. Pure.
//!
//! ```text
//!            position            fetch_offset
//!               │ buffered chunks    │ asked for next
//! ──────────────▼────────────────────▼──────────► offsets
//! ```
//! Invariant: a partition's `version` changes with every seek; an answer that was asked for under another version is
//! dropped, so that nothing from before a seek is ever given out after it.

use std::collections::{BTreeMap, VecDeque};

use base::ids::{LeaderEpoch, NodeId, Offset};
use tokio::time::Instant;
use wire::compress::Decompressors;

use super::chunk::{Chunk, End};
use super::session::Wanted;
use crate::admin::OffsetSpec;
use crate::cluster::Metadata;
use crate::error::{Error, Result};
use crate::record::{ConsumerRecord, TopicPartition};

/// Where a partition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// At this offset.
    At(Offset),
    /// Where this is found to be.
    Unresolved(OffsetSpec),
    /// Nobody said, and `auto.offset.reset` is none.
    Missing,
}

pub(super) struct Assigned {
    pub(super) position: Position,
    pub(super) version: u64,
    pub(super) fetch_offset: Offset,
    pub(super) last_fetched_epoch: LeaderEpoch,
    pub(super) paused: bool,
    pub(super) high_watermark: Offset,
    /// Its position is being looked for.
    pub(super) resolving: bool,
    /// It is not asked for before.
    pub(super) not_before: Option<Instant>,
    pub(super) error: Option<Error>,
    chunks: VecDeque<(Chunk, usize)>,
    buffered: usize,
}

impl Assigned {
    fn new(position: Position, version: u64) -> Self {
        let mut new = Self {
            position,
            version,
            fetch_offset: Offset::NONE,
            last_fetched_epoch: LeaderEpoch::NONE,
            paused: false,
            high_watermark: Offset::NONE,
            resolving: false,
            not_before: None,
            error: None,
            chunks: VecDeque::new(),
            buffered: 0,
        };
        new.move_to(position, version);
        new
    }

    /// Reads from there on; what was fetched ahead is dropped.
    pub(super) fn move_to(&mut self, position: Position, version: u64) {
        self.position = position;
        self.version = version;
        self.fetch_offset = if let Position::At(offset) = position { offset } else { Offset::NONE };
        self.last_fetched_epoch = LeaderEpoch::NONE;
        self.resolving = false;
        self.not_before = None;
        self.error = None;
        self.chunks.clear();
        self.buffered = 0;
    }

    /// Takes what an answer brought.
    pub(super) fn push(&mut self, chunk: Chunk, end: End) {
        self.chunks.push_back((chunk, end.length));
        self.buffered += end.length;
        self.fetch_offset = end.next_offset;
        self.last_fetched_epoch = end.leader_epoch;
    }

    fn next(
        &mut self,
        partition: &TopicPartition,
        tools: &mut Decompressors,
    ) -> Result<Option<ConsumerRecord>> {
        let Position::At(mut offset) = self.position else { return Ok(None) };
        while let Some((chunk, length)) = self.chunks.front_mut() {
            let read = chunk.next(&mut offset, tools);
            self.position = Position::At(offset);
            match read? {
                Some(read) => {
                    return Ok(Some(ConsumerRecord {
                        topic: partition.topic.clone(),
                        partition: partition.partition,
                        offset: read.record.offset,
                        leader_epoch: read.leader_epoch,
                        timestamp: read.record.timestamp,
                        timestamp_type: read.timestamp_type,
                        key: read.record.key,
                        value: read.record.value,
                        headers: read.record.headers,
                    }));
                }
                None => {
                    self.buffered -= *length;
                    self.chunks.pop_front();
                }
            }
        }
        Ok(None)
    }
}

/// All partitions of a consumer.
#[derive(Default)]
pub(super) struct State {
    pub(super) partitions: BTreeMap<TopicPartition, Assigned>,
    versions: u64,
    /// The partition that the next poll begins after.
    last: Option<TopicPartition>,
    decompressors: Decompressors,
}

/// What is to be asked for now.
#[derive(Default)]
pub(super) struct Plan {
    /// By leader: what is fetched.
    pub(super) fetches: BTreeMap<NodeId, BTreeMap<TopicPartition, Wanted>>,
    /// Leaders of which some partition is left out because enough of it is fetched ahead.
    pub(super) left_out: Vec<NodeId>,
    /// Positions to look for, with the versions under which they are looked for.
    pub(super) unresolved: Vec<(TopicPartition, OffsetSpec, u64)>,
    /// Whether some partition has no known leader.
    pub(super) leaderless: bool,
    /// When some backoff is over.
    pub(super) wake: Option<Instant>,
}

impl State {
    /// Exactly these partitions; those that stay keep their positions, new ones begin at `position`.
    pub(super) fn assign(&mut self, partitions: Vec<TopicPartition>, position: Position) {
        let mut old = std::mem::take(&mut self.partitions);
        for partition in partitions {
            self.versions += 1;
            let kept = old.remove(&partition);
            let assigned = kept.unwrap_or_else(|| Assigned::new(position, self.versions));
            self.partitions.insert(partition, assigned);
        }
    }

    /// The partition, if it is assigned.
    pub(super) fn assigned(&mut self, partition: &TopicPartition) -> Result<&mut Assigned> {
        self.partitions
            .get_mut(partition)
            .ok_or_else(|| Error::Invalid(format!("No current assignment for partition {partition}")))
    }

    /// Reads the partition from there on.
    pub(super) fn seek(&mut self, partition: &TopicPartition, position: Position) -> Result<()> {
        self.versions += 1;
        let version = self.versions;
        self.assigned(partition)?.move_to(position, version);
        Ok(())
    }

    /// What is to be fetched or found out at `now`. `ahead` is how many bytes of a partition are fetched ahead.
    pub(super) fn plan(&mut self, now: Instant, metadata: &Metadata, ahead: i32) -> Plan {
        let mut plan = Plan::default();
        for (partition, assigned) in &mut self.partitions {
            if let Some(at) = assigned.not_before.filter(|at| *at > now) {
                plan.wake = Some(plan.wake.map_or(at, |wake| wake.min(at)));
                continue;
            }
            if assigned.error.is_some() {
                continue;
            }
            let leader = metadata.leader(partition);
            plan.leaderless |= leader.is_none();
            let Some(leader) = leader else { continue };
            match assigned.position {
                Position::Missing => {}
                Position::Unresolved(spec) if !assigned.resolving => {
                    assigned.resolving = true;
                    plan.unresolved.push((partition.clone(), spec, assigned.version));
                }
                Position::Unresolved(_) => {}
                Position::At(_) if assigned.paused || assigned.buffered >= ahead as usize => {
                    plan.left_out.push(leader);
                }
                Position::At(_) => {
                    let (topic, row) = (metadata.topics.get(&partition.topic), metadata.partition(partition));
                    let wanted = Wanted {
                        topic_id: topic.map(|topic| topic.id).unwrap_or_default(),
                        offset: assigned.fetch_offset,
                        leader_epoch: row.map_or(LeaderEpoch::NONE, |row| row.leader_epoch),
                        last_fetched_epoch: assigned.last_fetched_epoch,
                        max_bytes: ahead,
                    };
                    plan.fetches.entry(leader).or_default().insert(partition.clone(), wanted);
                }
            }
        }
        plan
    }

    /// At most `most` records that are there, from one partition after the other so that none starves; an error only when
    /// there is nothing to give before it.
    pub(super) fn take(&mut self, most: usize) -> Result<Vec<ConsumerRecord>> {
        let mut records = Vec::new();
        let order: Vec<TopicPartition> = match &self.last {
            None => self.partitions.keys().cloned().collect(),
            Some(last) => {
                use std::ops::Bound::{Excluded, Included, Unbounded};
                let after = self.partitions.range((Excluded(last.clone()), Unbounded));
                let before = self.partitions.range((Unbounded, Included(last.clone())));
                after.chain(before).map(|(partition, _)| partition.clone()).collect()
            }
        };
        for partition in order {
            let assigned = self.partitions.get_mut(&partition).expect("it was there just now");
            if assigned.paused {
                continue;
            }
            while records.len() < most {
                match assigned.next(&partition, &mut self.decompressors) {
                    Ok(Some(record)) => records.push(record),
                    Ok(None) => break,
                    Err(error) => {
                        assigned.error = Some(error);
                        break;
                    }
                }
            }
            if records.is_empty() {
                if let Some(error) = &assigned.error {
                    return Err(error.clone());
                }
                if assigned.position == Position::Missing {
                    return Err(no_position(&partition));
                }
            } else {
                self.last = Some(partition);
            }
            if records.len() >= most {
                break;
            }
        }
        Ok(records)
    }
}

pub(super) fn no_position(partition: &TopicPartition) -> Error {
    Error::Invalid(format!("Undefined offset with no reset policy for partitions: [{partition}]"))
}

#[cfg(test)]
mod tests;
