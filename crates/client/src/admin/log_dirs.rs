//! The log directories of brokers.

use base::error_code::ErrorCode;
use base::ids::NodeId;
use protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use protocol::messages::alter_replica_log_dirs_response::AlterReplicaLogDirTopicResult;
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;

use super::Admin;
use crate::error::{Error, Result};
use crate::record::TopicPartition;

/// What is known of a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirDescription {
    /// Its path on the broker.
    pub path: String,
    /// What is wrong with it; [`ErrorCode::NONE`] when it works.
    pub error: ErrorCode,
    /// What lies in it, by topic and partition.
    pub partitions: Vec<LogDirPartition>,
}

/// A replica in a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The size of its segments in bytes.
    pub size: i64,
    /// How many records it is behind.
    pub offset_lag: i64,
    /// Whether it is about to replace the replica in another directory.
    pub is_future: bool,
}

impl Admin {
    /// The log directories of a broker with all that lies in them.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn describe_log_dirs(&self, node: NodeId) -> Result<Vec<LogDirDescription>> {
        let request = DescribeLogDirsRequest { topics: None };
        let call = || async {
            let answer = self.cluster.call(node, &request).await?;
            Error::check(answer.error_code, None)?;
            Ok(answer)
        };
        let answer = self.cluster.retry("describing log directories", call).await?;
        Ok(answer.results.into_iter().map(description).collect())
    }
}

/// A replica to be moved: the partition, and the directory of the broker that it is to lie in.
type ReplicaInLogDir = (TopicPartition, String);

impl Admin {
    /// Has a broker move replicas to other of its log directories; the answer says what was begun, in the given order.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn alter_replica_log_dirs(
        &self,
        node: NodeId,
        replicas: &[ReplicaInLogDir],
    ) -> Result<Vec<(TopicPartition, ErrorCode)>> {
        let dirs = replicas.iter().map(|(partition, path)| AlterReplicaLogDir {
            path: path.clone(),
            topics: vec![AlterReplicaLogDirTopic {
                name: partition.topic.to_string(),
                partitions: vec![partition.partition.0],
            }],
        });
        let request = AlterReplicaLogDirsRequest { dirs: dirs.collect() };
        let answer = self.cluster.call(node, &request).await?;
        let of_topic = |topic: AlterReplicaLogDirTopicResult| {
            let name: std::sync::Arc<str> = topic.topic_name.into();
            topic
                .partitions
                .into_iter()
                .map(move |row| (TopicPartition::new(name.clone(), row.partition_index), row.error_code))
        };
        Ok(answer.results.into_iter().flat_map(of_topic).collect())
    }
}

fn description(row: DescribeLogDirsResult) -> LogDirDescription {
    let mut partitions = Vec::new();
    for topic in row.topics {
        let name: std::sync::Arc<str> = topic.name.into();
        partitions.extend(topic.partitions.into_iter().map(|row| LogDirPartition {
            partition: TopicPartition::new(name.clone(), row.partition_index),
            size: row.partition_size,
            offset_lag: row.offset_lag,
            is_future: row.is_future_key,
        }));
    }
    partitions.sort_by(|a, b| a.partition.cmp(&b.partition));
    LogDirDescription { path: row.log_dir, error: row.error_code, partitions }
}
