//! Making, describing and deleting topics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::describe_topic_partitions_request::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use protocol::messages::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};

use super::Admin;
use crate::call::Call;
use crate::error::{Error, Result};

/// A topic to be made.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; the server's default when absent.
    pub partitions: Option<i32>,
    /// How many replicas each; the server's default when absent.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, in the order of the partitions; replaces the two numbers when not empty.
    pub assignments: Vec<Vec<NodeId>>,
    /// Configs of its own.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the server's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With so many partitions.
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// With so many replicas.
    pub fn replication_factor(mut self, replication_factor: i16) -> Self {
        self.replication_factor = Some(replication_factor);
        self
    }

    /// With this config.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(name.into(), value.into());
        self
    }
}

/// A topic that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id.
    pub id: TopicId,
    /// Its partitions; -1 when the server does not tell.
    pub partitions: i32,
    /// Its replicas; -1 when the server does not tell.
    pub replication_factor: i16,
}

/// A topic by its name or its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicName {
    /// By name.
    Name(Arc<str>),
    /// By id.
    Id(TopicId),
}

/// What is known of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    /// Whether the brokers keep it for themselves.
    pub internal: bool,
    /// Its partitions, lowest index first.
    pub partitions: Vec<TopicPartitionDescription>,
}

/// What is known of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPartitionDescription {
    /// Its index.
    pub index: PartitionIndex,
    /// Who leads it.
    pub leader: Option<NodeId>,
    /// Since when.
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Replicas in sync.
    pub isr: Vec<NodeId>,
    /// Replicas that may become leader though out of the ISR (KIP-966); `None` when the server does not tell.
    pub eligible_leader_replicas: Option<Vec<NodeId>>,
    /// Of these, who was last known to be so; `None` when the server does not tell.
    pub last_known_elr: Option<Vec<NodeId>>,
    /// Replicas that are offline.
    pub offline_replicas: Vec<NodeId>,
}

impl Admin {
    /// Makes topics, or with `validate_only` says whether that would work. One result per topic, in their order.
    ///
    /// # Errors
    /// When the controller does not answer in time.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<Result<CreatedTopic>>> {
        let request = CreateTopicsRequest {
            topics: topics.iter().map(creatable).collect(),
            timeout_ms: self.timeout_ms(),
            validate_only,
        };
        let answer = self.ask_controller("creating topics", &request).await?;
        let mut rows: BTreeMap<String, _> =
            answer.topics.into_iter().map(|row| (row.name.clone(), row)).collect();
        Ok(topics
            .iter()
            .map(|topic| {
                let row = rows.remove(&topic.name).ok_or_else(|| unanswered(&topic.name))?;
                Error::check(row.error_code, row.error_message)?;
                Ok(CreatedTopic {
                    id: TopicId(row.topic_id),
                    partitions: row.num_partitions,
                    replication_factor: row.replication_factor,
                })
            })
            .collect())
    }

    /// Deletes topics. One result per topic, in their order.
    ///
    /// # Errors
    /// When the controller does not answer in time, or is too old for ids.
    pub async fn delete_topics(&self, topics: &[TopicName]) -> Result<Vec<Result<()>>> {
        let names = topics.iter().filter_map(|topic| match topic {
            TopicName::Name(name) => Some(name.to_string()),
            TopicName::Id(_) => None,
        });
        let mut request = DeleteTopicsRequest {
            topics: topics.iter().map(delete_state).collect(),
            topic_names: names.collect(),
            timeout_ms: self.timeout_ms(),
        };
        if !self.has_version::<DeleteTopicsRequest>(6).await? {
            request.topics.clear();
        }
        let answer = self.ask_controller("deleting topics", &request).await?;
        let result_of = |topic: &TopicName| {
            let row = answer.responses.iter().find(|row| match topic {
                TopicName::Name(name) => row.name.as_deref() == Some(name),
                TopicName::Id(id) => row.topic_id == id.0,
            });
            let row = row.ok_or_else(|| unanswered("topic"))?;
            Error::check(row.error_code, row.error_message.clone())
        };
        Ok(topics.iter().map(result_of).collect())
    }

    /// Gives a topic more partitions: `count` altogether, the new ones on `assignments` when it is not empty.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the server lacks the api; the server's own refusal.
    pub async fn create_partitions(
        &self,
        topic: &str,
        count: i32,
        assignments: &[Vec<NodeId>],
    ) -> Result<()> {
        let assignments = assignments.iter().map(|nodes| CreatePartitionsAssignment {
            broker_ids: nodes.iter().map(|node| node.0).collect(),
        });
        let assignments: Vec<_> = assignments.collect();
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: topic.to_owned(),
                count,
                assignments: (!assignments.is_empty()).then_some(assignments),
            }],
            timeout_ms: self.timeout_ms(),
            validate_only: false,
        };
        let answer = self.ask_controller("creating partitions", &request).await?;
        let row = answer.results.into_iter().next().ok_or_else(|| unanswered(topic))?;
        Error::check(row.error_code, row.error_message)
    }

    /// Describes topics. One result per topic, in their order.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub async fn describe_topics(&self, names: &[Arc<str>]) -> Result<Vec<Result<TopicDescription>>> {
        let mut rows = match self.describe_by_pages(names).await {
            Err(Error::Unsupported(_)) => self.describe_by_metadata(names).await?,
            rows => rows?,
        };
        let result_of = |name: &Arc<str>| {
            rows.remove(name)
                .unwrap_or_else(|| Err(Error::refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None)))
        };
        Ok(names.iter().map(result_of).collect())
    }

    async fn describe_by_pages(&self, names: &[Arc<str>]) -> Result<Rows> {
        let mut request = DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| TopicRequest { name: name.to_string() }).collect(),
            ..Default::default()
        };
        request.topics.sort_by(|a, b| a.name.cmp(&b.name));
        let mut rows = Rows::new();
        loop {
            let what = "describing topics";
            let answer = self.cluster.retry(what, || async { self.cluster.call_any(&request).await }).await?;
            for topic in answer.topics {
                add_page(&mut rows, topic);
            }
            let Some(next) = answer.next_cursor else { return Ok(rows) };
            request.topics.retain(|topic| topic.name >= next.topic_name);
            request.cursor =
                Some(Cursor { topic_name: next.topic_name, partition_index: next.partition_index });
        }
    }

    async fn describe_by_metadata(&self, names: &[Arc<str>]) -> Result<Rows> {
        let what = "describing topics";
        let asked = || async { self.cluster.ask_metadata(Some(names), false).await };
        let answer = self.cluster.retry(what, asked).await?;
        let mut rows = Rows::new();
        for topic in answer.topics {
            let name: Arc<str> = topic.name.clone().unwrap_or_default().into();
            let checked = Error::check(topic.error_code, None);
            rows.insert(name.clone(), checked.map(|()| from_metadata(name, topic)));
        }
        Ok(rows)
    }

    async fn ask_controller<R: Call>(&self, what: &str, request: &R) -> Result<R::Response> {
        self.cluster.retry(what, || async { self.cluster.call_controller(request).await }).await
    }

    async fn has_version<R: Call>(&self, version: i16) -> Result<bool> {
        let connection = self.cluster.retry("connecting", || async { self.cluster.any_connection().await });
        Ok(connection.await?.version_of::<R>()? >= version)
    }

    fn timeout_ms(&self) -> i32 {
        let time: Duration = self.cluster.options().request_timeout;
        i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
    }
}

type Rows = BTreeMap<Arc<str>, Result<TopicDescription>>;

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assignments = topic.assignments.iter().zip(0..).map(|(nodes, partition_index)| {
        CreatableReplicaAssignment { partition_index, broker_ids: nodes.iter().map(|node| node.0).collect() }
    });
    let configs = topic.configs.iter();
    let (partitions, factor) = match topic.assignments.is_empty() {
        true => (topic.partitions.unwrap_or(-1), topic.replication_factor.unwrap_or(-1)),
        false => (-1, -1),
    };
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: partitions,
        replication_factor: factor,
        assignments: assignments.collect(),
        configs: configs
            .map(|(name, value)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) })
            .collect(),
    }
}

fn delete_state(topic: &TopicName) -> DeleteTopicState {
    match topic {
        TopicName::Name(name) => DeleteTopicState { name: Some(name.to_string()), ..Default::default() },
        TopicName::Id(id) => DeleteTopicState { name: None, topic_id: id.0 },
    }
}

fn unanswered(name: &str) -> Error {
    Error::Corrupt(format!("the server's answer says nothing about {name}"))
}

fn nodes(ids: Vec<i32>) -> Vec<NodeId> {
    ids.into_iter().map(NodeId).collect()
}

fn leader(id: i32) -> Option<NodeId> {
    (id >= 0).then_some(NodeId(id))
}

/// A topic with many partitions comes in several pages.
fn add_page(rows: &mut Rows, topic: DescribeTopicPartitionsResponseTopic) {
    let name: Arc<str> = topic.name.unwrap_or_default().into();
    if let Err(error) = Error::check(topic.error_code, None) {
        rows.insert(name, Err(error));
        return;
    }
    let row = rows.entry(name.clone()).or_insert_with(|| {
        let id = TopicId(topic.topic_id);
        Ok(TopicDescription { name, id, internal: topic.is_internal, partitions: Vec::new() })
    });
    if let Ok(description) = row {
        description.partitions.extend(topic.partitions.into_iter().map(from_page));
        description.partitions.sort_by_key(|partition| partition.index);
    }
}

fn from_page(row: DescribeTopicPartitionsResponsePartition) -> TopicPartitionDescription {
    TopicPartitionDescription {
        index: PartitionIndex(row.partition_index),
        leader: leader(row.leader_id),
        leader_epoch: LeaderEpoch(row.leader_epoch),
        replicas: nodes(row.replica_nodes),
        isr: nodes(row.isr_nodes),
        eligible_leader_replicas: row.eligible_leader_replicas.map(nodes),
        last_known_elr: row.last_known_elr.map(nodes),
        offline_replicas: nodes(row.offline_replicas),
    }
}

fn from_metadata(name: Arc<str>, topic: MetadataResponseTopic) -> TopicDescription {
    let mut partitions: Vec<_> = topic.partitions.into_iter().map(from_metadata_row).collect();
    partitions.sort_by_key(|partition: &TopicPartitionDescription| partition.index);
    TopicDescription { name, id: TopicId(topic.topic_id), internal: topic.is_internal, partitions }
}

fn from_metadata_row(row: MetadataResponsePartition) -> TopicPartitionDescription {
    TopicPartitionDescription {
        index: PartitionIndex(row.partition_index),
        leader: leader(row.leader_id),
        leader_epoch: LeaderEpoch(row.leader_epoch),
        replicas: nodes(row.replica_nodes),
        isr: nodes(row.isr_nodes),
        eligible_leader_replicas: None,
        last_known_elr: None,
        offline_replicas: nodes(row.offline_replicas),
    }
}
