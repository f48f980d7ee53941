//! AssignReplicasToDirs (73): a broker says in which of its directories its replicas lie (KIP-858).
//!
//! The controller leaves the directory of a new replica open when the broker has several; the broker chooses, and tells it
//! here, as it does when it has moved a replica. A replica in a directory that is not online does not count.

use base::error_code::ErrorCode;
use base::ids::{BrokerEpoch, DirectoryId, NodeId, PartitionIndex, TopicId};
use base::refusal::Refusal;
use protocol::messages::assign_replicas_to_dirs_request::{AssignReplicasToDirsRequest, TopicData};
use protocol::messages::assign_replicas_to_dirs_response as response;
use protocol::messages::assign_replicas_to_dirs_response::AssignReplicasToDirsResponse;
use protocol::metadata_record::MetadataRecord;

use super::brokers::Brokers;
use super::election::reassign_directory;
use crate::image::METADATA_VERSION;
use crate::version::level;

impl Brokers<'_> {
    /// Decides where the replicas are.
    ///
    /// # Errors
    /// The broker's epoch is not the present one, or the cluster's metadata has no directories yet: nothing is done.
    pub(crate) fn assign_replicas(
        &self,
        request: &AssignReplicasToDirsRequest,
    ) -> Result<(Vec<MetadataRecord>, AssignReplicasToDirsResponse), Refusal> {
        let broker = NodeId(request.broker_id);
        if self.state.image().feature(METADATA_VERSION) < level::DIRECTORY_ASSIGNMENT {
            let message = "Directory assignment is not supported yet.";
            return Err(Refusal::new(ErrorCode::UNSUPPORTED_VERSION, message));
        }
        self.check_epoch(broker, BrokerEpoch(request.broker_epoch))?;
        let mut records = Vec::new();
        let mut directories = Vec::new();
        for directory in &request.directories {
            let id = DirectoryId(directory.id);
            let topics =
                directory.topics.iter().map(|topic| self.assign_topic(broker, id, topic, &mut records));
            directories.push(response::DirectoryData { id: directory.id, topics: topics.collect() });
        }
        Ok((records, AssignReplicasToDirsResponse { directories, ..Default::default() }))
    }

    fn assign_topic(
        &self,
        broker: NodeId,
        directory: DirectoryId,
        topic: &TopicData,
        records: &mut Vec<MetadataRecord>,
    ) -> response::TopicData {
        let mut assign = |index: i32| {
            let error_code =
                match self.assign(broker, directory, TopicId(topic.topic_id), PartitionIndex(index)) {
                    Ok(record) => {
                        records.extend(record);
                        ErrorCode::NONE
                    }
                    Err(code) => code,
                };
            response::PartitionData { partition_index: index, error_code }
        };
        let partitions = topic.partitions.iter().map(|partition| assign(partition.partition_index)).collect();
        response::TopicData { topic_id: topic.topic_id, partitions }
    }

    fn assign(
        &self,
        broker: NodeId,
        directory: DirectoryId,
        topic: TopicId,
        index: PartitionIndex,
    ) -> Result<Option<MetadataRecord>, ErrorCode> {
        let image = self.state.image();
        let topic = image.topic_by_id(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let partition = topic.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        if !partition.replicas.contains(&broker) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let record = reassign_directory(image, topic, index, (broker, directory), self.defaults);
        Ok(record.map(MetadataRecord::PartitionChange))
    }
}
