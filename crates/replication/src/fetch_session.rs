//! Incremental fetch sessions (KIP-227): a fetcher names its partitions once, then only what changed is said.
//!
//! ```text
//!  (id, epoch)   what it means
//!  (0, -1)       full fetch, no session
//!  (any, 0)      full fetch, the old session is dropped, a new one is made if there is room
//!  (id, -1)      full fetch, the session is dropped
//!  (id, n > 0)   incremental: n must be the session's next epoch
//! ```
//! Invariant: after a response, a session's cached ends are exactly what its fetcher was told last, so a partition is
//! left out only when nothing about it changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use base::time::MonoTime;

/// A session idle for this long gives way to a new one, in ms.
const EVICTION_MS: i64 = 120_000;

/// How a fetcher names a topic: by id from version 13 on, by name before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicKey {
    /// Version 13 and later.
    Id(TopicId),
    /// Up to version 12.
    Name(Arc<str>),
}

/// A partition as its fetcher names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey {
    /// Its topic.
    pub topic: TopicKey,
    /// Its index.
    pub index: PartitionIndex,
}

/// What is asked of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// Which one.
    pub key: PartitionKey,
    /// The first offset wanted.
    pub fetch_offset: Offset,
    /// The leader epoch that the fetcher believes in, or none to skip the check.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch of the last record that the fetcher has, or none to skip the divergence check.
    pub last_fetched_epoch: LeaderEpoch,
    /// Where a follower's own log starts; -1 from consumers.
    pub log_start_offset: Offset,
    /// Bytes wanted at most from this partition.
    pub max_bytes: i32,
}

/// What one partition is about to be answered, as far as sessions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The partition's error.
    pub error: ErrorCode,
    /// The high watermark told.
    pub high_watermark: Offset,
    /// The log start offset told.
    pub log_start_offset: Offset,
    /// Whether it has records, a diverging epoch or a preferred replica: reasons to be told in any case.
    pub must_be_told: bool,
}

/// What a fetch request says of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// The session id, 0 for none.
    pub id: i32,
    /// The session epoch.
    pub epoch: i32,
    /// Whether topics go by id (version 13 on).
    pub by_id: bool,
    /// Partitions named in the request.
    pub partitions: Vec<FetchPartition>,
    /// Partitions to forget.
    pub forgotten: Vec<PartitionKey>,
    /// Whether a replica fetches: its sessions are not evicted for a consumer's.
    pub privileged: bool,
}

/// A fetch whose partitions are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFetch {
    /// The session id to answer, 0 for none.
    pub session_id: i32,
    /// Whether partitions without news are left out of the answer.
    pub incremental: bool,
    /// What to read, in the order that is fair.
    pub partitions: Vec<FetchPartition>,
}

/// All sessions of a broker.
#[derive(Debug)]
pub struct FetchSessions {
    slots: usize,
    sessions: HashMap<i32, FetchSession>,
}

#[derive(Debug)]
struct FetchSession {
    next_epoch: i32,
    by_id: bool,
    privileged: bool,
    created: MonoTime,
    last_used: MonoTime,
    /// Reading order: a partition that returned data moves to the end.
    order: BTreeMap<u64, PartitionKey>,
    partitions: HashMap<PartitionKey, Cached>,
    next_place: u64,
}

#[derive(Debug)]
struct Cached {
    place: u64,
    request: FetchPartition,
    high_watermark: Offset,
    log_start_offset: Offset,
}

impl FetchSessions {
    /// No sessions yet; at most `slots` (`max.incremental.fetch.session.cache.slots`).
    pub fn new(slots: usize) -> Self {
        Self { slots, sessions: HashMap::new() }
    }

    /// Sessions open at the moment.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Applies the request to its session. `random` yields candidate ids for a new one.
    ///
    /// # Errors
    /// 70 when the session is not there, 71 when the epoch is not the next, 106 when topics went by the other form.
    pub fn open(
        &mut self,
        request: SessionRequest,
        now: MonoTime,
        mut random: impl FnMut() -> i32,
    ) -> Result<OpenFetch, ErrorCode> {
        if request.epoch > 0 {
            return self.open_incremental(request, now);
        }
        self.sessions.remove(&request.id);
        let full = |session_id, partitions| OpenFetch { session_id, incremental: false, partitions };
        if request.epoch < 0 || request.partitions.is_empty() {
            return Ok(full(0, request.partitions));
        }
        if !self.make_room(request.partitions.len(), request.privileged, now) {
            return Ok(full(0, request.partitions));
        }
        let id = loop {
            let id = random();
            if id > 0 && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let mut session = FetchSession::new(request.by_id, request.privileged, now);
        for partition in &request.partitions {
            session.put(partition.clone());
        }
        self.sessions.insert(id, session);
        Ok(full(id, request.partitions))
    }

    fn open_incremental(&mut self, request: SessionRequest, now: MonoTime) -> Result<OpenFetch, ErrorCode> {
        let session = self.sessions.get_mut(&request.id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.next_epoch != request.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != request.by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        for partition in request.partitions {
            session.put(partition);
        }
        for key in &request.forgotten {
            session.forget(key);
        }
        if session.partitions.is_empty() {
            self.sessions.remove(&request.id);
            return Ok(OpenFetch { session_id: 0, incremental: false, partitions: Vec::new() });
        }
        session.next_epoch = if session.next_epoch == i32::MAX { 1 } else { session.next_epoch + 1 };
        session.last_used = now;
        let partitions = session.order.values().map(|key| session.partitions[key].request.clone()).collect();
        Ok(OpenFetch { session_id: request.id, incremental: true, partitions })
    }

    /// Decides for each outcome, in the order of the partitions of `fetch`, whether it is told, and remembers it.
    pub fn answer(&mut self, fetch: &OpenFetch, outcomes: &[Outcome]) -> Vec<bool> {
        debug_assert_eq!(fetch.partitions.len(), outcomes.len());
        let Some(session) = self.sessions.get_mut(&fetch.session_id) else {
            return vec![true; outcomes.len()];
        };
        fetch
            .partitions
            .iter()
            .zip(outcomes)
            .map(|(partition, outcome)| session.tell(&partition.key, outcome) || !fetch.incremental)
            .collect()
    }

    /// Whether a new session may be made, evicting one if Kafka would.
    fn make_room(&mut self, size: usize, privileged: bool, now: MonoTime) -> bool {
        if self.slots == 0 {
            return false;
        }
        if self.sessions.len() < self.slots {
            return true;
        }
        let old = |since: MonoTime| now > since.plus_ms(EVICTION_MS);
        let stale = self.sessions.iter().filter(|(_, session)| old(session.last_used));
        let victim = stale.min_by_key(|(_, session)| session.last_used).or_else(|| {
            let lesser = self.sessions.iter().filter(|(_, session)| {
                old(session.created) && (session.privileged, session.partitions.len()) < (privileged, size)
            });
            lesser.min_by_key(|(_, session)| (session.privileged, session.partitions.len()))
        });
        let Some(id) = victim.map(|(id, _)| *id) else { return false };
        self.sessions.remove(&id);
        true
    }
}

impl FetchSession {
    fn new(by_id: bool, privileged: bool, now: MonoTime) -> Self {
        Self {
            next_epoch: 1,
            by_id,
            privileged,
            created: now,
            last_used: now,
            order: BTreeMap::new(),
            partitions: HashMap::new(),
            next_place: 0,
        }
    }

    fn put(&mut self, request: FetchPartition) {
        if let Some(cached) = self.partitions.get_mut(&request.key) {
            cached.request = request;
            return;
        }
        let place = self.next_place;
        self.next_place += 1;
        self.order.insert(place, request.key.clone());
        let unknown = Offset::NONE;
        let key = request.key.clone();
        self.partitions
            .insert(key, Cached { place, request, high_watermark: unknown, log_start_offset: unknown });
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(cached) = self.partitions.remove(key) {
            self.order.remove(&cached.place);
        }
    }

    fn tell(&mut self, key: &PartitionKey, outcome: &Outcome) -> bool {
        let Some(cached) = self.partitions.get_mut(key) else { return true };
        let news = outcome.must_be_told
            || outcome.error != ErrorCode::NONE
            || cached.high_watermark != outcome.high_watermark
            || cached.log_start_offset != outcome.log_start_offset;
        // After an error the recovery must be told too, so the cached end is made unequal to any.
        let failed = outcome.error != ErrorCode::NONE;
        cached.high_watermark = if failed { Offset::NONE } else { outcome.high_watermark };
        cached.log_start_offset = outcome.log_start_offset;
        if outcome.must_be_told && !failed {
            let place = std::mem::replace(&mut cached.place, self.next_place);
            self.next_place += 1;
            let key = self.order.remove(&place).expect("each partition has its place");
            self.order.insert(cached.place, key);
        }
        news
    }
}

#[cfg(test)]
mod tests;
