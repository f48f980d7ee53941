//! The file `quorum-state`: the epoch, leader and vote that a replica must not forget.
//!
//! One line of JSON with Kafka's keys, written as a whole and renamed into place:
//! ```text
//! {"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}
//! ```
//! Version 0 goes with `kraft.version` 0: it names the static voters instead of a directory.

use base::ids::{DirectoryId, LeaderEpoch, NodeId};
use base::uuid::Uuid;
use serde_json::Value;

use crate::error::Error;
use crate::voters::{ReplicaKey, VoterSet};

/// The file's name, in the directory of the metadata log.
pub const NAME: &str = "quorum-state";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// The highest epoch seen.
    pub leader_epoch: LeaderEpoch,
    /// Its leader, when known.
    pub leader_id: Option<NodeId>,
    /// Whom this replica voted for in that epoch.
    pub voted: Option<ReplicaKey>,
}

impl StateFile {
    /// What stands for a file that is not there.
    pub const NOTHING: Self = Self { leader_epoch: LeaderEpoch(0), leader_id: None, voted: None };

    /// The file's text for a level of `kraft.version`.
    pub fn to_json(&self, kraft_version: i16, voters: &VoterSet) -> String {
        let leader = self.leader_id.unwrap_or(NodeId::NONE);
        let epoch = self.leader_epoch;
        let voted = self.voted.map_or(NodeId::NONE, |key| key.id);
        if kraft_version == 0 {
            let voters: Vec<_> =
                voters.iter().map(|voter| format!("{{\"voterId\":{}}}", voter.key.id)).collect();
            return format!(
                "{{\"clusterId\":\"\",\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\
                 \"appliedOffset\":0,\"currentVoters\":[{}],\"data_version\":0}}",
                voters.join(",")
            );
        }
        let directory = self.voted.map_or(DirectoryId::MIGRATING, |key| key.directory);
        format!(
            "{{\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\
             \"votedDirectoryId\":\"{directory}\",\"data_version\":1}}"
        )
    }

    /// Reads the file's text, of either version.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let json: Value =
            serde_json::from_slice(text).map_err(|error| Error::StateFile(error.to_string()))?;
        let number = |key: &str| {
            let number = json.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
            number.ok_or_else(|| Error::StateFile(format!("no 32-bit number {key}")))
        };
        let data_version = number("data_version")?;
        let directory = match data_version {
            0 => DirectoryId::MIGRATING,
            1 => DirectoryId(uuid(&json, "votedDirectoryId")?),
            other => return Err(Error::StateFile(format!("unknown data_version {other}"))),
        };
        let node = |id: i32| (id >= 0).then_some(NodeId(id));
        let epoch = number("leaderEpoch")?;
        if epoch < 0 {
            return Err(Error::StateFile(format!("negative leaderEpoch {epoch}")));
        }
        Ok(Self {
            leader_epoch: LeaderEpoch(epoch),
            leader_id: node(number("leaderId")?),
            voted: node(number("votedId")?).map(|id| ReplicaKey::new(id, directory)),
        })
    }
}

fn uuid(json: &Value, key: &str) -> Result<Uuid, Error> {
    let text = json.get(key).and_then(Value::as_str);
    let uuid = text.and_then(|text| text.parse().ok());
    uuid.ok_or_else(|| Error::StateFile(format!("no UUID {key}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voters::Voter;

    const LEADER: StateFile =
        StateFile { leader_epoch: LeaderEpoch(2), leader_id: Some(NodeId(1)), voted: None };

    #[test]
    fn text_is_that_of_apache_kafka() {
        let voters: VoterSet = [Voter {
            key: ReplicaKey::new(NodeId(1), DirectoryId::MIGRATING),
            endpoints: Vec::new(),
            kraft_versions: (0, 1),
        }]
        .into_iter()
        .collect();
        let check = |state: StateFile, kraft_version: i16, expect: &str| {
            assert_eq!(state.to_json(kraft_version, &voters), expect);
            assert_eq!(StateFile::from_json(expect.as_bytes()), Ok(state));
        };
        check(
            LEADER,
            1,
            r#"{"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
        );
        let directory = DirectoryId(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        check(
            StateFile {
                leader_epoch: LeaderEpoch(7),
                leader_id: None,
                voted: Some(ReplicaKey::new(NodeId(3), directory)),
            },
            1,
            r#"{"leaderId":-1,"leaderEpoch":7,"votedId":3,"votedDirectoryId":"ASNFZ4mrze8BI0VniavN7w","data_version":1}"#,
        );
        check(
            LEADER,
            0,
            r#"{"clusterId":"","leaderId":1,"leaderEpoch":2,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#,
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let check = |text: &str, expect: &str| {
            let error = StateFile::from_json(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("", "EOF");
        check("[]", "data_version");
        check(r#"{"data_version":2}"#, "unknown data_version 2");
        check(r#"{"leaderEpoch":1,"leaderId":1,"votedId":1,"data_version":1}"#, "votedDirectoryId");
        check(r#"{"leaderEpoch":-3,"leaderId":1,"votedId":1,"data_version":0}"#, "negative");
        check(r#"{"leaderEpoch":99999999999,"leaderId":1,"votedId":1,"data_version":0}"#, "leaderEpoch");
        check(r#"{"leaderEpoch":1,"votedId":1,"data_version":0}"#, "leaderId");
    }
}
