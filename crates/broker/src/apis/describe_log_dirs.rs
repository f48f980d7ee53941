//! DescribeLogDirs: the directories of this broker, what lies in them and how full they are.

use std::collections::{BTreeMap, BTreeSet};

use base::error_code::ErrorCode;
use net::session::Close;
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::broker::{Broker, LogDirFacts};
use crate::dispatch::Call;
use crate::partition::PartitionHandle;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DescribeLogDirsRequest = call.decode()?;
    let asked = asked(&request);
    let partitions = call.broker.partitions();
    let results = call.broker.log_dirs().into_iter().map(|dir| describe(&dir, &partitions, asked.as_ref()));
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
    dir: &LogDirFacts,
    partitions: &[PartitionHandle],
    asked: Option<&BTreeSet<(&str, i32)>>,
) -> DescribeLogDirsResult {
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for handle in partitions {
        let shared = &handle.shared;
        let is_asked = asked.is_none_or(|asked| asked.contains(&(shared.topic.as_ref(), shared.index.0)));
        if is_asked && shared.reader().dir().parent() == Some(dir.path.as_path()) {
            topics.entry(&shared.topic).or_default().push(DescribeLogDirsPartition {
                partition_index: shared.index.0,
                partition_size: i64::try_from(shared.reader().size_bytes()).unwrap_or(i64::MAX),
                // A leader is never behind itself.
                offset_lag: 0,
                is_future_key: false,
            });
        }
    }
    let topic = |(name, mut partitions): (&str, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name: name.to_owned(), partitions }
    };
    DescribeLogDirsResult {
        error_code: ErrorCode::NONE,
        log_dir: dir.absolute.display().to_string(),
        topics: topics.into_iter().map(topic).collect(),
        total_bytes: dir.total_bytes,
        usable_bytes: dir.usable_bytes,
        is_cordoned: false,
    }
}

impl Broker {
    /// The log directories, in the order of the configuration.
    fn log_dirs(&self) -> Vec<LogDirFacts> {
        self.log_dir_paths().iter().map(|path| self.log_dir_facts(path)).collect()
    }
}
