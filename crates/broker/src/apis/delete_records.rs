//! DeleteRecords: the log start moves forward, and what lies before it is gone for everybody.
//!
//! A partition's own shard moves it, behind all that was appended before. The files go with the next retention check.

use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::{Offset, PartitionIndex};
use net::session::Close;
use protocol::messages::delete_records_request::DeleteRecordsRequest;
use protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use storage::error::Error;
use storage::log::Log;

use super::gather::{Part, gather};
use crate::broker::Broker;
use crate::dispatch::{self, Call};
use crate::partition::{PartitionHandle, PartitionShared};
use crate::shard::Op;

/// Asks for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// Where a partition starts now, or why it does not start where it should.
type Moved = Result<Offset, ErrorCode>;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DeleteRecordsRequest = call.decode()?;
    let wanted = wanted(&request);
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let named: Vec<_> = wanted.iter().map(|(topic, index, _)| ((*topic).to_owned(), *index)).collect();
    let finish = move |moved: Vec<Moved>| {
        let response = response(named, moved);
        replies.answer(ticket, dispatch::reply(&context, &response));
    };
    let parts = gather(wanted.iter().map(|_| Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)).collect(), finish);
    for ((topic, index, offset), part) in wanted.iter().zip(parts) {
        match find(call.broker, topic, *index) {
            Ok(handle) => {
                let shared = handle.shared.clone();
                let offset = Offset(*offset);
                let visit = Box::new(move |log: &mut Log, _| move_start(log, offset, &shared, part));
                call.gathered.push(&handle.shard, Op::Visit(handle.slot, visit));
            }
            Err(code) => part.give(Err(code)),
        }
    }
    Ok(())
}

/// Every partition once; of several offsets for one the last counts.
fn wanted(request: &DeleteRecordsRequest) -> Vec<(&str, i32, i64)> {
    let mut wanted: Vec<(&str, i32, i64)> = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.partition_index);
            match wanted.iter_mut().find(|(name, index, _)| (*name, *index) == key) {
                Some((.., offset)) => *offset = partition.offset,
                None => wanted.push((key.0, key.1, partition.offset)),
            }
        }
    }
    wanted
}

fn find(broker: &Broker, topic: &str, index: i32) -> Result<PartitionHandle, ErrorCode> {
    let image = broker.image();
    let id = image.topic_by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?.id;
    if image.partition(id, PartitionIndex(index)).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    if Broker::is_internal(topic) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    broker.partition(id, PartitionIndex(index))
}

/// On the shard's thread. An error is one of the disk.
fn move_start(
    log: &mut Log,
    offset: Offset,
    shared: &Arc<PartitionShared>,
    part: Part<Moved>,
) -> Result<(), Error> {
    let policy = log.config().cleanup_policy;
    if policy.compact && !policy.delete {
        part.give(Err(ErrorCode::POLICY_VIOLATION));
        return Ok(());
    }
    let wanted = if offset.0 == HIGH_WATERMARK { log.ends().high_watermark } else { offset };
    if wanted < Offset::ZERO {
        part.give(Err(ErrorCode::OFFSET_OUT_OF_RANGE));
        return Ok(());
    }
    match log.advance_log_start(wanted) {
        Ok(()) => {
            // Who waits below the new start must be told.
            shared.wake_all();
            part.give(Ok(log.ends().log_start));
            Ok(())
        }
        Err(Error::OutOfRange { .. }) => {
            part.give(Err(ErrorCode::OFFSET_OUT_OF_RANGE));
            Ok(())
        }
        Err(error) => {
            part.give(Err(ErrorCode::KAFKA_STORAGE_ERROR));
            Err(error)
        }
    }
}

fn response(named: Vec<(String, i32)>, moved: Vec<Moved>) -> DeleteRecordsResponse {
    let mut topics: Vec<DeleteRecordsTopicResult> = Vec::new();
    for ((name, partition_index), moved) in named.into_iter().zip(moved) {
        let (low_watermark, error_code) = match moved {
            Ok(start) => (start.0, ErrorCode::NONE),
            Err(code) => (-1, code),
        };
        let row = DeleteRecordsPartitionResult { partition_index, low_watermark, error_code };
        match topics.iter_mut().find(|topic| topic.name == name) {
            Some(topic) => topic.partitions.push(row),
            None => topics.push(DeleteRecordsTopicResult { name, partitions: vec![row] }),
        }
    }
    DeleteRecordsResponse { topics, ..DeleteRecordsResponse::default() }
}
