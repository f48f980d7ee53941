//! Reading a snapshot's bytes.

use base::time::WallTime;
use bytes::Bytes;

use super::Snapshot;
use crate::batch::{Content, LogBatches};
use crate::control::ControlRecord;
use crate::error::Error;
use crate::voters::VoterSet;

impl Snapshot {
    /// Reads a whole file.
    ///
    /// # Errors
    /// When a batch is damaged, or header or footer are missing.
    pub fn read(bytes: Bytes) -> Result<Self, Error> {
        let mut snapshot = Self {
            last_contained_log_timestamp: WallTime(-1),
            kraft_version: 0,
            voters: None,
            records: Vec::new(),
        };
        let (mut begun, mut ended) = (false, false);
        for batch in LogBatches::new(bytes) {
            if ended {
                return Err(Error::Snapshot("something follows the footer".to_owned()));
            }
            match batch?.content {
                Content::Control(records) => {
                    for (_, record) in records {
                        begun |= matches!(record, ControlRecord::SnapshotHeader(_));
                        ended |= matches!(record, ControlRecord::SnapshotFooter(_));
                        snapshot.take(record)?;
                    }
                }
                Content::Data(_) if !begun => {
                    return Err(Error::Snapshot("it does not begin with a header".to_owned()));
                }
                Content::Data(records) => {
                    snapshot.records.extend(records.into_iter().map(|(_, value)| value))
                }
            }
        }
        if !begun || !ended {
            let missing = if begun { "footer" } else { "header" };
            return Err(Error::Snapshot(format!("it has no {missing}")));
        }
        Ok(snapshot)
    }

    fn take(&mut self, record: ControlRecord) -> Result<(), Error> {
        match record {
            ControlRecord::SnapshotHeader(header) => {
                self.last_contained_log_timestamp = WallTime(header.last_contained_log_timestamp);
            }
            ControlRecord::KRaftVersion(version) => self.kraft_version = version.kraft_version,
            ControlRecord::Voters(voters) => self.voters = Some(VoterSet::from_record(&voters)?),
            ControlRecord::SnapshotFooter(_) | ControlRecord::LeaderChange(_) | ControlRecord::Other(_) => {}
        }
        Ok(())
    }
}
