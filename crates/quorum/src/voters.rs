//! Voters, voter sets, and what the log said about them at which offset.
//!
//! With `kraft.version` 1 the voter set lives in the log (KIP-853): a `VotersRecord` counts from the moment it is appended,
//! before it is committed, and no longer when the log is truncated below it. With `kraft.version` 0 it is
//! `controller.quorum.voters` of the configuration.

use std::collections::BTreeMap;
use std::fmt;

use base::ids::{DirectoryId, NodeId, Offset};
use protocol::records::voters_record;

use crate::error::Error;

/// One replica of the metadata log: a node and the directory in which it keeps the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// The node.
    pub id: NodeId,
    /// Its metadata log's directory; [`DirectoryId::MIGRATING`] when nobody said which, as with static voters.
    pub directory: DirectoryId,
}

/// Where a voter's listener is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Which replica.
    pub key: ReplicaKey,
    /// Its controller listeners, the default one first.
    pub endpoints: Vec<Endpoint>,
    /// The levels of `kraft.version` that it supports, both inclusive.
    pub kraft_versions: (i16, i16),
}

/// The voters of one moment, by node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoterSet(BTreeMap<NodeId, Voter>);

/// The level of `kraft.version` and the voter sets, by the offset of the record that said so.
#[derive(Clone, Debug, Default)]
pub struct VoterHistory {
    levels: BTreeMap<Offset, i16>,
    sets: BTreeMap<Offset, VoterSet>,
    configured: VoterSet,
}

impl ReplicaKey {
    /// A replica.
    pub fn new(id: NodeId, directory: DirectoryId) -> Self {
        Self { id, directory }
    }

    /// Whether both name the same replica: a directory that nobody knows agrees with any.
    pub fn is_same(self, other: Self) -> bool {
        let unknown = |key: Self| key.directory == DirectoryId::MIGRATING;
        self.id == other.id && (unknown(self) || unknown(other) || self.directory == other.directory)
    }
}

impl fmt::Display for ReplicaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.directory == DirectoryId::MIGRATING {
            return write!(f, "{}", self.id);
        }
        write!(f, "{}-{}", self.id, self.directory)
    }
}

impl FromIterator<Voter> for VoterSet {
    fn from_iter<T: IntoIterator<Item = Voter>>(voters: T) -> Self {
        Self(voters.into_iter().map(|voter| (voter.key.id, voter)).collect())
    }
}

impl VoterSet {
    /// The voters, sorted by node.
    pub fn iter(&self) -> impl Iterator<Item = &Voter> {
        self.0.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The voter of this node.
    pub fn get(&self, id: NodeId) -> Option<&Voter> {
        self.0.get(&id)
    }

    /// Whether the replica votes.
    pub fn contains(&self, key: ReplicaKey) -> bool {
        self.get(key.id).is_some_and(|voter| voter.key.is_same(key))
    }

    /// The set with this voter in the place of the one of its node.
    #[must_use]
    pub fn with(&self, voter: Voter) -> Self {
        let mut set = self.clone();
        set.0.insert(voter.key.id, voter);
        set
    }

    /// The offset that a majority has reached, given each voter's; `None` while too many are unknown.
    pub fn majority_offset(&self, reached: impl Fn(&Voter) -> Option<Offset>) -> Option<Offset> {
        let mut offsets: Vec<_> = self.iter().filter_map(reached).collect();
        offsets.sort_unstable_by(|left, right| right.cmp(left));
        offsets.get(self.len() / 2).copied()
    }

    /// The record that says so.
    pub fn to_record(&self) -> voters_record::VotersRecord {
        let voters = self.iter().map(|voter| voters_record::Voter {
            voter_id: voter.key.id.0,
            voter_directory_id: voter.key.directory.0,
            endpoints: voter.endpoints.iter().map(Endpoint::to_record).collect(),
            kraft_version_feature: voters_record::KRaftVersionFeature {
                min_supported_version: voter.kraft_versions.0,
                max_supported_version: voter.kraft_versions.1,
                ..Default::default()
            },
            ..Default::default()
        });
        voters_record::VotersRecord { version: 0, voters: voters.collect(), ..Default::default() }
    }

    /// What the record says.
    ///
    /// # Errors
    /// When it names a node twice or nobody.
    pub fn from_record(record: &voters_record::VotersRecord) -> Result<Self, Error> {
        let set: Self = record.voters.iter().map(Voter::from_record).collect();
        if set.is_empty() || set.len() != record.voters.len() {
            return Err(Error::Voters("a VotersRecord names no voter, or one twice".to_owned()));
        }
        Ok(set)
    }
}

impl fmt::Display for VoterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|voter| voter.key.to_string()).collect();
        f.write_str(&names.join(", "))
    }
}

impl Voter {
    fn from_record(record: &voters_record::Voter) -> Self {
        let endpoint = |endpoint: &voters_record::Endpoint| Endpoint {
            name: endpoint.name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
        };
        let range = &record.kraft_version_feature;
        Self {
            key: ReplicaKey::new(NodeId(record.voter_id), DirectoryId(record.voter_directory_id)),
            endpoints: record.endpoints.iter().map(endpoint).collect(),
            kraft_versions: (range.min_supported_version, range.max_supported_version),
        }
    }
}

impl Endpoint {
    fn to_record(&self) -> voters_record::Endpoint {
        voters_record::Endpoint {
            name: self.name.clone(),
            host: self.host.clone(),
            port: self.port,
            ..Default::default()
        }
    }
}

impl VoterHistory {
    /// A history that knows only the configuration's static voters; none with dynamic ones.
    pub fn new(configured: VoterSet) -> Self {
        Self { configured, ..Self::default() }
    }

    /// The record at `offset` sets the level of `kraft.version`. Offsets only grow; -1 stands for the formatting.
    pub fn set_kraft_version(&mut self, offset: Offset, level: i16) {
        debug_assert!(self.levels.last_key_value().is_none_or(|(last, _)| *last <= offset));
        self.levels.insert(offset, level);
    }

    /// The record at `offset` sets the voters.
    pub fn set_voters(&mut self, offset: Offset, voters: VoterSet) {
        debug_assert!(self.sets.last_key_value().is_none_or(|(last, _)| *last <= offset));
        self.sets.insert(offset, voters);
    }

    /// The level of `kraft.version` now.
    pub fn kraft_version(&self) -> i16 {
        self.levels.last_key_value().map_or(0, |(_, level)| *level)
    }

    /// The voters now.
    pub fn voters(&self) -> &VoterSet {
        self.sets.last_key_value().map_or(&self.configured, |(_, set)| set)
    }

    /// The offset of the record that set the voters; negative when formatting did, `None` when the configuration does.
    pub fn voters_offset(&self) -> Option<Offset> {
        self.sets.last_key_value().map(|(offset, _)| *offset)
    }

    /// Level and voters as a snapshot that ends at `end` (exclusive) must say them; no voters when they are configured.
    pub fn before(&self, end: Offset) -> (i16, Option<&VoterSet>) {
        let level = self.levels.range(..end).next_back().map_or(0, |(_, level)| *level);
        (level, self.sets.range(..end).next_back().map(|(_, set)| set))
    }

    /// The log now ends at `end`: what was said at or above it never was.
    pub fn truncate_to(&mut self, end: Offset) {
        self.levels.split_off(&end);
        self.sets.split_off(&end);
    }

    /// The log now starts at `start`: of what was said before it only the last counts.
    pub fn trim_to(&mut self, start: Offset) {
        keep_last_below(&mut self.levels, start);
        keep_last_below(&mut self.sets, start);
    }
}

fn keep_last_below<T>(map: &mut BTreeMap<Offset, T>, start: Offset) {
    if let Some((&last, _)) = map.range(..start).next_back() {
        *map = map.split_off(&last);
    }
}

#[cfg(test)]
mod tests {
    use base::uuid::Uuid;

    use super::*;

    fn voter(id: i32, directory: u128) -> Voter {
        let endpoint = Endpoint { name: "CONTROLLER".to_owned(), host: "host".to_owned(), port: 9093 };
        Voter {
            key: ReplicaKey::new(NodeId(id), DirectoryId(Uuid::from_u128(directory))),
            endpoints: vec![endpoint],
            kraft_versions: (0, 1),
        }
    }

    fn set(ids: &[i32]) -> VoterSet {
        ids.iter().map(|id| voter(*id, 100 + *id as u128)).collect()
    }

    #[test]
    fn records_carry_a_set() {
        let voters = set(&[1, 2, 3]);
        assert_eq!(VoterSet::from_record(&voters.to_record()), Ok(voters));
        assert!(VoterSet::from_record(&VoterSet::default().to_record()).is_err());
        let mut twice = set(&[1]).to_record();
        twice.voters.push(twice.voters[0].clone());
        assert!(VoterSet::from_record(&twice).is_err());
    }

    #[test]
    fn a_directory_that_nobody_knows_agrees_with_any() {
        let voters = set(&[1]);
        let check = |id: i32, directory: u128, expect: bool| {
            let key = ReplicaKey::new(NodeId(id), DirectoryId(Uuid::from_u128(directory)));
            assert_eq!(voters.contains(key), expect, "{key}");
        };
        check(1, 101, true);
        check(1, 0, true);
        check(1, 102, false);
        check(2, 101, false);
    }

    #[test]
    fn a_majority_has_reached_the_offset_in_the_middle() {
        let check = |offsets: &[i64], expect: Option<i64>| {
            let voters: VoterSet = (0..offsets.len()).map(|id| voter(id as i32, 0)).collect();
            let reached =
                |voter: &Voter| Some(Offset(offsets[voter.key.id.0 as usize])).filter(|at| at.0 >= 0);
            assert_eq!(voters.majority_offset(reached), expect.map(Offset), "{offsets:?}");
        };
        check(&[7], Some(7));
        check(&[-1], None);
        check(&[7, 5], Some(5));
        check(&[7, 5, 3], Some(5));
        check(&[7, -1, 3], Some(3));
        check(&[7, -1, -1], None);
        check(&[1, 2, 3, 4], Some(2));
    }

    #[test]
    fn history_rolls_back_with_the_log_and_forgets_with_its_start() {
        let mut history = VoterHistory::new(set(&[9]));
        assert_eq!((history.voters(), history.voters_offset()), (&set(&[9]), None));
        history.set_kraft_version(Offset(-1), 1);
        history.set_voters(Offset(-1), set(&[1]));
        history.set_voters(Offset(10), set(&[1, 2]));
        history.set_voters(Offset(20), set(&[1, 2, 3]));
        assert_eq!(history.voters(), &set(&[1, 2, 3]));
        assert_eq!(history.before(Offset(20)), (1, Some(&set(&[1, 2]))));
        assert_eq!(history.before(Offset(0)), (1, Some(&set(&[1]))));

        let mut truncated = history.clone();
        truncated.truncate_to(Offset(20));
        assert_eq!((truncated.voters(), truncated.voters_offset()), (&set(&[1, 2]), Some(Offset(10))));
        truncated.truncate_to(Offset(0));
        assert_eq!((truncated.voters(), truncated.voters_offset()), (&set(&[1]), Some(Offset(-1))));

        history.trim_to(Offset(15));
        assert_eq!(history.kraft_version(), 1);
        assert_eq!(history.before(Offset(20)), (1, Some(&set(&[1, 2]))));
        assert_eq!(history.before(Offset(10)), (1, None), "of the sets before it only the last is kept");
    }
}
