//! One replica's part in the quorum: its role, its epoch, and what is committed.
//!
//! ```text
//!           start, alone in the voter set                    durable end > epoch start
//!  Unattached ──────────────► Candidate ──majority──► Leader ─────────────► high watermark
//!      epoch e                epoch e+1, votes for itself      moves with the durable end
//! ```
//! Invariants: an epoch or vote is written down and durable before anything is done under it; the epoch only grows; the
//! high watermark never falls, and counts a leader's own log only as far as it is durable (Apache counts its log end
//! before its own sync, so that a quorum of one can lose what it has acknowledged).

use std::collections::BTreeMap;

use base::ids::{LeaderEpoch, NodeId, Offset};
use base::time::Now;
use bytes::Bytes;
use protocol::records::kraft_version_record::KRaftVersionRecord;
use protocol::records::leader_change_message::{self, LeaderChangeMessage};

use crate::control::{ControlRecord, control_batch};
use crate::error::Error;
use crate::state_file::StateFile;
use crate::voters::{ReplicaKey, Voter, VoterHistory, VoterSet};

#[cfg(test)]
mod tests;

/// What a replica is told about itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This replica as it wants to be known: key, endpoints and range of `kraft.version`.
    pub local: Voter,
}

/// What was found on disk.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The state file; `None` if there is none.
    pub state: Option<StateFile>,
    /// Levels and voters that snapshot and log say.
    pub history: VoterHistory,
    /// One past the last record of the log.
    pub log_end: Offset,
    /// The epoch of the log's last batch, or of the snapshot when the log is empty.
    pub last_epoch: LeaderEpoch,
}

/// What the caller must do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make this the state file's text; it must be durable before the next effect is looked at.
    WriteState(String),
    /// Append this control batch, which begins at `base` and ends before `end`.
    Append {
        /// The offset of its first record.
        base: Offset,
        /// One past its last record.
        end: Offset,
        /// The batch.
        batch: Bytes,
    },
    /// This replica leads in this epoch: records may be appended from the end of the control batch on.
    Elected(LeaderEpoch),
    /// Everything below this offset is committed.
    HighWatermark(Offset),
}

/// What a replica does in its epoch.
#[derive(Clone, Debug, PartialEq)]
enum Role {
    /// Knows an epoch, but no leader.
    Unattached,
    /// Asks for votes.
    Candidate { granted: BTreeMap<NodeId, ReplicaKey> },
    /// Leads.
    Leader {
        /// The offset of the epoch's first record: nothing is committed before it is.
        epoch_start: Offset,
        /// How far each voter's log is durable.
        durable: BTreeMap<NodeId, Offset>,
    },
}

/// A replica of the metadata quorum.
pub struct Quorum {
    local: Voter,
    history: VoterHistory,
    role: Role,
    state: StateFile,
    log_end: Offset,
    durable_end: Offset,
    high_watermark: Option<Offset>,
}

impl Quorum {
    /// A replica on what its disk says. It does nothing before [`Quorum::start`].
    ///
    /// # Errors
    /// When this replica is not the only voter.
    pub fn open(settings: Settings, loaded: Loaded) -> Result<Self, Error> {
        let Loaded { state, history, log_end, last_epoch } = loaded;
        let local = settings.local;
        check_voters(history.voters(), local.key)?;
        let mut state = state.unwrap_or(StateFile::NOTHING);
        // A log of a later epoch than the state file: the file was lost or restored. The log knows better.
        if state.leader_epoch < last_epoch {
            state = StateFile { leader_epoch: last_epoch, leader_id: None, voted: None };
        }
        Ok(Self {
            local,
            history,
            role: Role::Unattached,
            state,
            log_end,
            durable_end: Offset::ZERO,
            high_watermark: None,
        })
    }

    /// Begins. A voter that is alone has a majority with its own vote and leads at once, in a new epoch: it cannot know
    /// what it did in the old one.
    pub fn start(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let key = self.local.key;
        let epoch = LeaderEpoch(self.state.leader_epoch.0 + 1);
        self.state = StateFile { leader_epoch: epoch, leader_id: None, voted: Some(key) };
        self.role = Role::Candidate { granted: BTreeMap::from([(key.id, key)]) };
        effects.push(self.write_state());
        self.elect_on_majority(now, effects);
    }

    /// The caller has appended records of its own: the log now ends at `log_end`.
    pub fn appended(&mut self, log_end: Offset) {
        debug_assert!(self.log_end <= log_end);
        self.log_end = log_end;
    }

    /// Everything below `durable_end` survives a loss of power here.
    pub fn durable(&mut self, durable_end: Offset, effects: &mut Vec<Effect>) {
        debug_assert!(durable_end <= self.log_end, "what is durable was appended before");
        self.durable_end = self.durable_end.max(durable_end);
        if let Role::Leader { durable, .. } = &mut self.role {
            durable.insert(self.local.key.id, self.durable_end);
            self.advance_high_watermark(effects);
        }
    }

    /// The log now starts at `start`, where a snapshot ends.
    pub fn trim_to(&mut self, start: Offset) {
        self.history.trim_to(start);
    }

    /// The epoch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.state.leader_epoch
    }

    /// The epoch's leader, when known.
    pub fn leader(&self) -> Option<NodeId> {
        self.state.leader_id
    }

    /// Everything below it is committed; `None` before that is known in this run.
    pub fn high_watermark(&self) -> Option<Offset> {
        self.high_watermark
    }

    /// Levels and voters by offset.
    pub fn history(&self) -> &VoterHistory {
        &self.history
    }

    fn elect_on_majority(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Role::Candidate { granted } = &self.role else { return };
        let voters = self.history.voters();
        let votes = granted.values().filter(|key| voters.contains(**key)).count();
        if votes <= voters.len() / 2 {
            return;
        }
        let granting: Vec<_> = granted.keys().copied().collect();
        self.state.leader_id = Some(self.local.key.id);
        self.state.voted = None;
        effects.push(self.write_state());
        self.role = Role::Leader { epoch_start: self.log_end, durable: BTreeMap::new() };
        effects.push(self.append_epoch_start(&granting, now));
        effects.push(Effect::Elected(self.epoch()));
    }

    /// The batch that begins an epoch. With `kraft.version` 1 the log must hold the voters: they are written when they
    /// stand only in what formatting left, or when this voter can be reached elsewhere than they say.
    fn append_epoch_start(&mut self, granting: &[NodeId], now: Now) -> Effect {
        let voter = |id: NodeId| leader_change_message::Voter { voter_id: id.0, ..Default::default() };
        let mut records = vec![ControlRecord::LeaderChange(LeaderChangeMessage {
            version: 0,
            leader_id: self.local.key.id.0,
            voters: self.history.voters().iter().map(|one| voter(one.key.id)).collect(),
            granting_voters: granting.iter().map(|id| voter(*id)).collect(),
            ..Default::default()
        })];
        let base = self.log_end;
        let level = self.history.kraft_version();
        let in_log = self.history.voters_offset().is_some_and(|offset| offset >= Offset::ZERO);
        let voters = self.history.voters().with(self.local.clone());
        if level > 0 && (!in_log || voters != *self.history.voters()) {
            let version = KRaftVersionRecord { version: 0, kraft_version: level, ..Default::default() };
            records.push(ControlRecord::KRaftVersion(version));
            records.push(ControlRecord::Voters(voters.to_record()));
            self.history.set_kraft_version(base.plus(1), level);
            self.history.set_voters(base.plus(2), voters);
        }
        self.log_end = base.plus(records.len() as i64);
        let batch = control_batch(base, self.epoch(), now.wall, &records);
        Effect::Append { base, end: self.log_end, batch }
    }

    fn advance_high_watermark(&mut self, effects: &mut Vec<Effect>) {
        let Role::Leader { epoch_start, durable } = &self.role else { return };
        let majority = self.history.voters().majority_offset(|voter| durable.get(&voter.key.id).copied());
        // Records of older epochs are committed by the first one of this epoch (Raft, section 5.4.2).
        let Some(majority) = majority.filter(|offset| *offset > *epoch_start) else { return };
        if self.high_watermark.is_none_or(|known| known < majority) {
            self.high_watermark = Some(majority);
            effects.push(Effect::HighWatermark(majority));
        }
    }

    fn write_state(&self) -> Effect {
        Effect::WriteState(self.state.to_json(self.history.kraft_version(), self.history.voters()))
    }
}

fn check_voters(voters: &VoterSet, local: ReplicaKey) -> Result<(), Error> {
    if voters.contains(local) && voters.len() == 1 {
        return Ok(());
    }
    let reason = match voters.get(local.id) {
        _ if voters.is_empty() => {
            "the metadata quorum has no voter: the directory was formatted without one".to_owned()
        }
        Some(voter) if !voter.key.is_same(local) => format!(
            "this node's metadata directory has the id {}, but the metadata quorum knows its voter {} with the directory {}",
            local.directory, local.id, voter.key.directory
        ),
        None => format!(
            "this node {} is no voter of the metadata quorum, which has the voters {voters}",
            local.id
        ),
        Some(_) => {
            format!("the metadata quorum has {} voters ({voters}): only one is supported yet", voters.len())
        }
    };
    Err(Error::Voters(reason))
}
