//! Finding offsets by time or by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, Offset};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use tokio::task::JoinSet;

use super::Admin;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::record::TopicPartition;

/// Which offset is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that is there: the log start offset.
    Earliest,
    /// The next that will be given out; under read_committed the last stable offset.
    Latest,
    /// That of the record with the greatest timestamp (KIP-734).
    MaxTimestamp,
    /// The first that is on the broker's own disk (KIP-405).
    EarliestLocal,
    /// The last that is in remote storage (KIP-1005).
    LatestTiered,
    /// The first that waits for its copy to remote storage (KIP-1023).
    EarliestPendingUpload,
    /// That of the first record whose timestamp is this or later, in ms since the epoch.
    Timestamp(i64),
}

/// What a partition answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; [`Offset::NONE`] when no record is meant.
    pub offset: Offset,
    /// The record's timestamp when it was looked for; else -1.
    pub timestamp: i64,
    /// The epoch of the record's leader; [`LeaderEpoch::NONE`] when unknown.
    pub leader_epoch: LeaderEpoch,
}

impl OffsetSpec {
    fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            Self::MaxTimestamp => -3,
            Self::EarliestLocal => -4,
            Self::LatestTiered => -5,
            Self::EarliestPendingUpload => -6,
            Self::Timestamp(timestamp) => timestamp,
        }
    }

    /// The first version of ListOffsets that can say it.
    fn version(self) -> i16 {
        match self {
            Self::MaxTimestamp => 7,
            Self::EarliestLocal => 8,
            Self::LatestTiered => 9,
            Self::EarliestPendingUpload => 11,
            _ => 1,
        }
    }
}

/// Partitions with their answers.
pub(crate) type Listed = HashMap<TopicPartition, Result<ListedOffset>>;

impl Admin {
    /// The offsets meant, each partition from its leader. One result per partition.
    ///
    /// # Errors
    /// When metadata cannot be had.
    pub async fn list_offsets(
        &self,
        partitions: &[(TopicPartition, OffsetSpec)],
    ) -> Result<HashMap<TopicPartition, Result<ListedOffset>>> {
        list_offsets(&self.cluster, partitions, 0).await
    }
}

/// Asks each leader for its partitions, all leaders at once; again for those that moved, until `api_timeout` is over.
pub(crate) async fn list_offsets(
    cluster: &Cluster,
    partitions: &[(TopicPartition, OffsetSpec)],
    isolation_level: i8,
) -> Result<Listed> {
    for (partition, _) in partitions {
        cluster.track(&partition.topic);
    }
    if partitions.iter().any(|(partition, _)| cluster.metadata().leader(partition).is_none()) {
        cluster.retry("asking for metadata", || async { cluster.refresh().await }).await?;
    }
    let listed = Mutex::new(Listed::new());
    let finished = cluster.retry("listing offsets", || async {
        let open = still_open(partitions, &listed.lock().unwrap_or_else(PoisonError::into_inner));
        let answers = offsets_once(cluster, open, isolation_level).await;
        let again =
            answers.values().find_map(|one| one.as_ref().err().filter(|error| error.retriable()).cloned());
        listed.lock().unwrap_or_else(PoisonError::into_inner).extend(answers);
        again.map_or(Ok(()), Err)
    });
    match finished.await {
        Ok(()) | Err(Error::TimedOut(_)) => Ok(listed.into_inner().unwrap_or_else(PoisonError::into_inner)),
        Err(error) => Err(error),
    }
}

/// Partitions without an answer, or with one that another attempt may better.
fn still_open(
    partitions: &[(TopicPartition, OffsetSpec)],
    listed: &Listed,
) -> Vec<(TopicPartition, OffsetSpec)> {
    let open = |partition| match listed.get(partition) {
        None => true,
        Some(Ok(_)) => false,
        Some(Err(error)) => error.retriable(),
    };
    partitions.iter().filter(|(partition, _)| open(partition)).cloned().collect()
}

/// Asks each leader once.
pub(crate) async fn offsets_once(
    cluster: &Cluster,
    partitions: Vec<(TopicPartition, OffsetSpec)>,
    isolation_level: i8,
) -> Listed {
    let metadata = cluster.metadata();
    let mut listed = Listed::new();
    let mut by_leader: BTreeMap<NodeId, Vec<(TopicPartition, OffsetSpec)>> = BTreeMap::new();
    for (partition, spec) in partitions {
        match metadata.leader(&partition) {
            Some(leader) => by_leader.entry(leader).or_default().push((partition, spec)),
            None => {
                let code = match metadata.partition(&partition) {
                    Some(_) => ErrorCode::LEADER_NOT_AVAILABLE,
                    None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                };
                listed.insert(partition, Err(Error::refused(code, None)));
            }
        }
    }
    let mut asked = JoinSet::new();
    for (leader, partitions) in by_leader {
        let cluster = cluster.clone();
        asked.spawn(async move {
            let answer = ask_leader(&cluster, leader, &partitions, isolation_level).await;
            answer.unwrap_or_else(|error| {
                partitions.into_iter().map(|(partition, _)| (partition, Err(error.clone()))).collect()
            })
        });
    }
    while let Some(answer) = asked.join_next().await {
        listed.extend(answer.unwrap_or_default());
    }
    listed
}

async fn ask_leader(
    cluster: &Cluster,
    leader: NodeId,
    partitions: &[(TopicPartition, OffsetSpec)],
    isolation_level: i8,
) -> Result<Listed> {
    let connection = cluster.connection(leader).await?;
    let version = connection.version_of::<ListOffsetsRequest>()?;
    let mut listed = Listed::new();
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    let metadata = cluster.metadata();
    for (partition, spec) in partitions {
        if spec.version() > version {
            let text = format!("The broker does not support {spec:?} offsets.");
            listed.insert(partition.clone(), Err(Error::Unsupported(text)));
            continue;
        }
        let epoch = metadata.partition(partition).map_or(LeaderEpoch::NONE, |row| row.leader_epoch);
        topics.entry(&partition.topic).or_default().push(ListOffsetsPartition {
            partition_index: partition.partition.0,
            current_leader_epoch: epoch.0,
            timestamp: spec.timestamp(),
        });
    }
    let time = cluster.options().request_timeout;
    let request = ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: topics
            .into_iter()
            .map(|(name, partitions)| ListOffsetsTopic { name: name.to_owned(), partitions })
            .collect(),
        timeout_ms: i32::try_from(time.as_millis()).unwrap_or(i32::MAX),
    };
    if request.topics.is_empty() {
        return Ok(listed);
    }
    let answer = connection.call_as(version, &request, time).await?;
    for topic in answer.topics {
        let name: std::sync::Arc<str> = topic.name.into();
        for row in topic.partitions {
            let partition = TopicPartition::new(name.clone(), row.partition_index);
            let result = Error::check(row.error_code, None).map(|()| ListedOffset {
                offset: Offset(row.offset),
                timestamp: row.timestamp,
                leader_epoch: LeaderEpoch(row.leader_epoch),
            });
            listed.insert(partition, result);
        }
    }
    Ok(listed)
}
