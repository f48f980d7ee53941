//! DescribeLogDirs: the directories of this broker, what lies in them and how full they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::error_code::ErrorCode;
use net::session::Close;
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::broker::Broker;
use crate::dispatch::Call;
use crate::log_dirs::LogDirState;
use crate::partition::PartitionHandle;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DescribeLogDirsRequest = call.decode()?;
    let asked = asked(&request);
    let partitions = call.broker.partitions();
    let dirs = call.broker.log_dirs();
    let results = dirs.iter().map(|dir| describe(call.broker, dir, &partitions, asked.as_ref()));
    let response = DescribeLogDirsResponse { results: results.collect(), ..Default::default() };
    call.answer(&response)
}

/// The partitions asked for; nothing: all.
fn asked(request: &DescribeLogDirsRequest) -> Option<BTreeSet<(&str, i32)>> {
    let mut asked = BTreeSet::new();
    for topic in request.topics.as_ref()? {
        asked.extend(topic.partitions.iter().map(|index| (topic.topic.as_str(), *index)));
    }
    Some(asked)
}

fn describe(
    broker: &Broker,
    dir: &Arc<LogDirState>,
    partitions: &[PartitionHandle],
    asked: Option<&BTreeSet<(&str, i32)>>,
) -> DescribeLogDirsResult {
    let facts = broker.log_dir_facts(dir.path());
    let log_dir = facts.absolute.display().to_string();
    if !dir.is_online() {
        return DescribeLogDirsResult {
            error_code: ErrorCode::KAFKA_STORAGE_ERROR,
            log_dir,
            total_bytes: -1,
            usable_bytes: -1,
            ..DescribeLogDirsResult::default()
        };
    }
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for handle in partitions {
        let shared = &handle.shared;
        let is_asked = asked.is_none_or(|asked| asked.contains(&(shared.topic.as_ref(), shared.index.0)));
        if is_asked && Arc::ptr_eq(&shared.log_dir(), dir) {
            topics.entry(shared.topic.to_string()).or_default().push(DescribeLogDirsPartition {
                partition_index: shared.index.0,
                partition_size: i64::try_from(shared.reader().size_bytes()).unwrap_or(i64::MAX),
                // A leader is never behind itself.
                offset_lag: 0,
                is_future_key: false,
            });
        }
    }
    for moved in broker.moves().all() {
        let shared = &moved.handle.shared;
        let is_asked = asked.is_none_or(|asked| asked.contains(&(shared.topic.as_ref(), shared.index.0)));
        if is_asked && Arc::ptr_eq(&moved.target, dir) {
            topics.entry(shared.topic.to_string()).or_default().push(DescribeLogDirsPartition {
                partition_index: shared.index.0,
                partition_size: i64::try_from(moved.future.size_bytes()).unwrap_or(i64::MAX),
                offset_lag: shared.reader().ends().log_end.0 - moved.future.ends().log_end.0,
                is_future_key: true,
            });
        }
    }
    let topic = |(name, mut partitions): (String, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions }
    };
    DescribeLogDirsResult {
        error_code: ErrorCode::NONE,
        log_dir,
        topics: topics.into_iter().map(topic).collect(),
        total_bytes: facts.total_bytes,
        usable_bytes: facts.usable_bytes,
        is_cordoned: broker.is_cordoned(dir),
    }
}
