//! CreatePartitions (37): topics get more partitions.
//!
//! Every topic succeeds or fails alone, unless all together would be too much; what succeeds is written as one batch.

use std::collections::BTreeSet;

use base::error_code::ErrorCode;
use base::ids::{NodeId, PartitionIndex};
use base::refusal::Refusal;
use protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};
use protocol::metadata_record::MetadataRecord;

use super::{RECORDS_PER_REQUEST_MAX, check_assignment, new_partition, too_many_records};
use crate::controller::placement::place;
use crate::controller::request::{Access, Random};
use crate::image::{Image, METADATA_VERSION, Partition, Topic};

/// What is decided on, and with what.
pub(crate) struct CreatePartitions<'a> {
    pub(crate) image: &'a Image,
    pub(crate) access: &'a dyn Access,
    pub(crate) random: &'a mut dyn Random,
}

impl CreatePartitions<'_> {
    /// The records and the answer.
    pub(crate) fn decide(
        mut self,
        request: &CreatePartitionsRequest,
    ) -> (Vec<MetadataRecord>, CreatePartitionsResponse) {
        let mut seen = BTreeSet::new();
        let names = request.topics.iter().map(|topic| topic.name.as_str());
        let duplicates: BTreeSet<&str> = names.filter(|name| !seen.insert(*name)).collect();
        let invalid = Refusal::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
        let mut results: Vec<_> = duplicates.iter().map(|name| result(name, Err(invalid.clone()))).collect();
        let mut records = Vec::new();
        for topic in request.topics.iter().filter(|topic| !duplicates.contains(topic.name.as_str())) {
            let grown = if self.access.may_alter(&topic.name) {
                self.grow(topic, &mut records)
            } else {
                Err(Refusal { code: ErrorCode::TOPIC_AUTHORIZATION_FAILED, message: None })
            };
            results.push(result(&topic.name, grown));
            if records.len() > RECORDS_PER_REQUEST_MAX {
                let all = request.topics.iter().map(|topic| result(&topic.name, Err(too_many_records())));
                return (
                    Vec::new(),
                    CreatePartitionsResponse { results: all.collect(), ..Default::default() },
                );
            }
        }
        let response = CreatePartitionsResponse { results, ..Default::default() };
        (if request.validate_only { Vec::new() } else { records }, response)
    }

    fn grow(
        &mut self,
        request: &CreatePartitionsTopic,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), Refusal> {
        let topic = self
            .image
            .topic_by_name(&request.name)
            .ok_or(Refusal { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message: None })?;
        let additional = additional(topic, request)?;
        let factor = topic.partition(PartitionIndex(0)).map_or(0, |partition| partition.replicas.len());
        let first = topic.partitions.len() as i32;
        let partitions = match &request.assignments {
            Some(assignments) => self.assigned(assignments, factor, first)?,
            None => self.placed(additional, factor)?,
        };
        let metadata_version = self.image.feature(METADATA_VERSION);
        records.extend(partitions.iter().zip(first..).map(|(partition, index)| {
            MetadataRecord::Partition(partition.to_record(topic.id.0, index, metadata_version))
        }));
        Ok(())
    }

    fn assigned(
        &self,
        assignments: &[CreatePartitionsAssignment],
        factor: usize,
        first: i32,
    ) -> Result<Vec<Partition>, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
        let partition = |(assignment, index): (&CreatePartitionsAssignment, i32)| {
            let replicas: Vec<_> = assignment.broker_ids.iter().map(|id| NodeId(*id)).collect();
            check_assignment(self.image, &replicas, Some(factor)).map_err(invalid)?;
            new_partition(self.image, replicas).ok_or_else(|| {
                invalid(format!(
                    "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                     controlled shutdown."
                ))
            })
        };
        assignments.iter().zip(first..).map(partition).collect()
    }

    fn placed(&mut self, additional: usize, factor: usize) -> Result<Vec<Partition>, Refusal> {
        let cannot = |message: String| Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message);
        // They cannot become one batch. Kafka answers the same and yet makes the first 10,000 of them.
        if additional > RECORDS_PER_REQUEST_MAX {
            return Err(Refusal { code: ErrorCode::UNKNOWN_SERVER_ERROR, message: None });
        }
        let placed = place(self.image, additional, factor as i16, self.random).map_err(cannot)?;
        let partition = |replicas| {
            new_partition(self.image, replicas).ok_or_else(|| {
                cannot(format!(
                    "Unable to replicate the partition {factor} time(s): All brokers are currently fenced or in \
                     controlled shutdown."
                ))
            })
        };
        placed.into_iter().map(partition).collect()
    }
}

/// How many partitions the topic is to get.
fn additional(topic: &Topic, request: &CreatePartitionsTopic) -> Result<usize, Refusal> {
    let invalid = |message: String| Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
    let (count, current) = (request.count, topic.partitions.len());
    let additional = match usize::try_from(count) {
        Ok(count) if count == current => {
            return invalid(format!("Topic already has {current} partition(s)."));
        }
        Ok(count) if count > current => count - current,
        _ => {
            return invalid(format!(
                "The topic {} currently has {current} partition(s); {count} would not be an increase.",
                topic.name
            ));
        }
    };
    match &request.assignments {
        Some(assignments) if assignments.len() != additional => {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
        }
        _ => Ok(additional),
    }
}

fn result(name: &str, grown: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = match grown {
        Ok(()) => (ErrorCode::NONE, None),
        Err(refusal) => (refusal.code, refusal.message),
    };
    CreatePartitionsTopicResult { name: name.to_owned(), error_code, error_message }
}
