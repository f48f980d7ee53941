//! AlterReplicaLogDirs: replicas of this broker are moved to other log directories of it, while they are used.
//!
//! The answer says what was begun; DescribeLogDirs shows how far it is.

use base::error_code::ErrorCode;
use net::session::Close;
use protocol::messages::alter_replica_log_dirs_request::AlterReplicaLogDirsRequest;
use protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};

use crate::dispatch::{self, Call};
use crate::moves::Ask;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: AlterReplicaLogDirsRequest = call.decode()?;
    let wanted = wanted(&request);
    let named: Vec<(String, i32)> = wanted.iter().map(|(topic, index, _)| (topic.clone(), *index)).collect();
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let answer = move |codes: Vec<ErrorCode>| {
        replies.answer(ticket, dispatch::reply(&context, &response(named, codes)));
    };
    call.broker.moves().ask(Ask { wanted, answer: Box::new(answer) });
    call.broker.controller().waker().wake_by_ref();
    Ok(())
}

/// Every partition once; of several directories for one the last counts.
fn wanted(request: &AlterReplicaLogDirsRequest) -> Vec<(String, i32, String)> {
    let mut wanted: Vec<(String, i32, String)> = Vec::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for index in &topic.partitions {
                match wanted.iter_mut().find(|(name, known, _)| *name == topic.name && known == index) {
                    Some((.., path)) => path.clone_from(&dir.path),
                    None => wanted.push((topic.name.clone(), *index, dir.path.clone())),
                }
            }
        }
    }
    wanted
}

fn response(named: Vec<(String, i32)>, codes: Vec<ErrorCode>) -> AlterReplicaLogDirsResponse {
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    for ((topic_name, partition_index), error_code) in named.into_iter().zip(codes) {
        let row = AlterReplicaLogDirPartitionResult { partition_index, error_code };
        match results.iter_mut().find(|topic| topic.topic_name == topic_name) {
            Some(topic) => topic.partitions.push(row),
            None => results.push(AlterReplicaLogDirTopicResult { topic_name, partitions: vec![row] }),
        }
    }
    AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() }
}
