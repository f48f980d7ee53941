//! Deleting the oldest records of partitions.

use std::collections::BTreeMap;

use base::error_code::ErrorCode;
use base::ids::{NodeId, Offset};
use protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

use super::Admin;
use crate::error::{Error, Result};
use crate::record::TopicPartition;

/// Partitions with their new log start, or why they have none.
type Deleted = BTreeMap<TopicPartition, Result<Offset>>;

impl Admin {
    /// Deletes the records before these offsets; -1 is all that consumers may read. Each partition's leader is asked, and
    /// says where the partition starts now.
    ///
    /// # Errors
    /// When metadata cannot be had.
    pub async fn delete_records(&self, before: &BTreeMap<TopicPartition, Offset>) -> Result<Deleted> {
        for partition in before.keys() {
            self.cluster.track(&partition.topic);
        }
        self.cluster.retry("asking for metadata", || async { self.cluster.refresh().await }).await?;
        let metadata = self.cluster.metadata();
        let mut deleted = Deleted::new();
        let mut by_leader: BTreeMap<NodeId, Vec<(&TopicPartition, Offset)>> = BTreeMap::new();
        for (partition, offset) in before {
            match metadata.leader(partition) {
                Some(leader) => by_leader.entry(leader).or_default().push((partition, *offset)),
                None => {
                    let code = match metadata.partition(partition) {
                        Some(_) => ErrorCode::LEADER_NOT_AVAILABLE,
                        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    };
                    deleted.insert(partition.clone(), Err(Error::refused(code, None)));
                }
            }
        }
        for (leader, partitions) in by_leader {
            let answer = self.ask_to_delete(leader, &partitions).await;
            deleted.extend(answer.unwrap_or_else(|error| {
                partitions.iter().map(|(partition, _)| ((*partition).clone(), Err(error.clone()))).collect()
            }));
        }
        Ok(deleted)
    }

    async fn ask_to_delete(
        &self,
        leader: NodeId,
        partitions: &[(&TopicPartition, Offset)],
    ) -> Result<Deleted> {
        let mut topics: BTreeMap<&str, Vec<DeleteRecordsPartition>> = BTreeMap::new();
        for (partition, offset) in partitions {
            topics
                .entry(&partition.topic)
                .or_default()
                .push(DeleteRecordsPartition { partition_index: partition.partition.0, offset: offset.0 });
        }
        let topic = |(name, partitions): (&str, _)| DeleteRecordsTopic { name: name.to_owned(), partitions };
        let time = self.cluster.options().request_timeout;
        let request = DeleteRecordsRequest {
            topics: topics.into_iter().map(topic).collect(),
            timeout_ms: i32::try_from(time.as_millis()).unwrap_or(i32::MAX),
        };
        let what = "deleting records";
        let answer = self.cluster.retry(what, || async { self.cluster.call(leader, &request).await }).await?;
        let mut deleted = Deleted::new();
        for topic in answer.topics {
            let name: std::sync::Arc<str> = topic.name.into();
            for row in topic.partitions {
                let partition = TopicPartition::new(name.clone(), row.partition_index);
                let result = Error::check(row.error_code, None).map(|()| Offset(row.low_watermark));
                deleted.insert(partition, result);
            }
        }
        Ok(deleted)
    }
}
