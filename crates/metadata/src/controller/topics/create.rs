//! CreateTopics (19).
//!
//! Every topic succeeds or fails alone, unless the request as a whole is too large; what succeeds is written as one batch. The order of the checks decides which
//! error a topic with several faults gets: duplicates and permission, name, existence, configs, then its shape.

use std::collections::{BTreeMap, BTreeSet};

use base::config::{Layers, Properties, topic as topic_config};
use base::error_code::ErrorCode;
use base::ids::{NodeId, TopicId};
use base::refusal::Refusal;
use base::uuid::Uuid;
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use protocol::metadata_record::MetadataRecord;
use protocol::records::config_record::ConfigRecord;
use protocol::records::topic_record::TopicRecord;

use super::{
    PARTITIONS_PER_REQUEST_MAX, RECORDS_PER_REQUEST_MAX, check_assignment, new_partition, too_many_records,
};
use crate::controller::placement::place;
use crate::controller::request::{Access, ControllerSettings, Random};
use crate::controller::{configs, names};
use crate::image::{Image, METADATA_VERSION, Partition, ResourceType};

/// What is decided on, and with what.
pub(crate) struct CreateTopics<'a> {
    pub(crate) image: &'a Image,
    pub(crate) settings: &'a ControllerSettings,
    pub(crate) local: NodeId,
    pub(crate) access: &'a dyn Access,
    pub(crate) random: &'a mut dyn Random,
}

/// A topic that can be created.
struct Created {
    records: Vec<MetadataRecord>,
    result: CreatableTopicResult,
}

impl CreateTopics<'_> {
    /// The records and the answer.
    pub(crate) fn decide(
        mut self,
        request: &CreateTopicsRequest,
    ) -> (Vec<MetadataRecord>, CreateTopicsResponse) {
        let duplicates = duplicates(request);
        let considered = |topic: &&CreatableTopic| {
            !duplicates.contains(topic.name.as_str())
                && topic.name != names::CLUSTER_METADATA
                && self.access.may_create(&topic.name)
        };
        let topics: Vec<_> = request.topics.iter().filter(considered).collect();
        let mut response = CreateTopicsResponse::default();
        match self.check_size(&topics).and_then(|()| self.create_all(&topics, &mut response)) {
            Ok(records) => {
                self.answer_others(request, &duplicates, &mut response);
                (if request.validate_only { Vec::new() } else { records }, response)
            }
            Err(refusal) => {
                let all = request.topics.iter().map(|topic| failure(&topic.name, refusal.clone()));
                (Vec::new(), CreateTopicsResponse { topics: all.collect(), ..Default::default() })
            }
        }
    }

    /// What the request as a whole must not ask for.
    fn check_size(&self, topics: &[&CreatableTopic]) -> Result<(), Refusal> {
        let partitions = |topic: &&CreatableTopic| match (topic.assignments.len(), topic.num_partitions) {
            (0, -1) => i64::from(self.settings.num_partitions),
            (0, count) => i64::from(count.max(0)),
            (assigned, _) => assigned as i64,
        };
        if topics.iter().map(partitions).sum::<i64>() > PARTITIONS_PER_REQUEST_MAX {
            let message = "Excessively large number of partitions per request.";
            return Err(Refusal::new(ErrorCode::POLICY_VIOLATION, message));
        }
        Ok(())
    }

    /// The records of all topics that can be created, and an answer for each topic.
    fn create_all(
        &mut self,
        topics: &[&CreatableTopic],
        response: &mut CreateTopicsResponse,
    ) -> Result<Vec<MetadataRecord>, Refusal> {
        let mut records = Vec::new();
        for topic in topics {
            response.topics.push(match self.create(topic) {
                Ok(created) => {
                    records.extend(created.records);
                    created.result
                }
                Err(refusal) => failure(&topic.name, refusal),
            });
            if records.len() > RECORDS_PER_REQUEST_MAX {
                return Err(too_many_records());
            }
        }
        Ok(records)
    }

    fn create(&mut self, topic: &CreatableTopic) -> Result<Created, Refusal> {
        self.check_name(&topic.name)?;
        let overrides = self.check_configs(topic)?;
        let partitions = self.partitions(topic)?;
        let id = self.draw_topic_id();
        let result = self.success(topic, id, &partitions, &overrides);
        let metadata_version = self.image.feature(METADATA_VERSION);
        let mut records = vec![MetadataRecord::Topic(TopicRecord {
            name: topic.name.clone(),
            topic_id: id.0,
            ..Default::default()
        })];
        records.extend(overrides.iter().map(|(name, value)| config_record(&topic.name, name, value)));
        records.extend(partitions.iter().map(|(index, partition)| {
            MetadataRecord::Partition(partition.to_record(id.0, *index, metadata_version))
        }));
        Ok(Created { records, result })
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        names::validate(name).map_err(|reason| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, reason))?;
        if self.image.topic_by_name(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
        }
        match self.image.colliding_topic(name) {
            Some(other) => {
                let message = format!("Topic '{name}' collides with existing topic: {other}");
                Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message))
            }
            None => Ok(()),
        }
    }

    fn check_configs(&self, topic: &CreatableTopic) -> Result<Properties, Refusal> {
        let invalid = |message: String| Refusal::new(ErrorCode::INVALID_CONFIG, message);
        let without_value = topic.configs.iter().filter(|config| config.value.is_none());
        let without_value: Vec<_> = without_value.map(|config| config.name.as_str()).collect();
        if !without_value.is_empty() {
            let names = without_value.join(",");
            return Err(invalid(format!("Null value not supported for topic configs: {names}")));
        }
        let pair = |name: &String, value: &String| (name.clone(), value.clone());
        let overrides: Properties = topic
            .configs
            .iter()
            .filter_map(|config| config.value.as_ref().map(|value| pair(&config.name, value)))
            .collect();
        overrides.values().try_for_each(|value| configs::check::length(value))?;
        topic_config::check(&overrides, &self.layers()).map_err(|error| invalid(error.to_string()))?;
        Ok(overrides)
    }

    fn layers(&self) -> Layers {
        self.settings.layers(self.image, self.local)
    }

    fn partitions(&mut self, topic: &CreatableTopic) -> Result<BTreeMap<i32, Partition>, Refusal> {
        if !topic.assignments.is_empty() {
            return self.assigned_partitions(topic);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(Refusal::new(
                ErrorCode::INVALID_REPLICATION_FACTOR,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            return Err(Refusal::new(
                ErrorCode::INVALID_PARTITIONS,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        let or_default = |asked: i32, default: i32| if asked == -1 { default } else { asked };
        let count = or_default(topic.num_partitions, self.settings.num_partitions);
        let factor = match topic.replication_factor {
            -1 => self.settings.default_replication_factor,
            asked => asked,
        };
        let cannot = |reason: String| {
            let message = format!("Unable to replicate the partition {factor} time(s): {reason}");
            Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message)
        };
        let placed = place(self.image, count.max(0) as usize, factor, self.random).map_err(cannot)?;
        let partitions = placed.into_iter().zip(0..).map(|(replicas, index)| {
            let partition = new_partition(self.image, replicas);
            let partition = partition.ok_or_else(|| {
                cannot("All brokers are currently fenced or in controlled shutdown.".to_owned())
            });
            partition.map(|partition| (index, partition))
        });
        partitions.collect()
    }

    fn assigned_partitions(&self, topic: &CreatableTopic) -> Result<BTreeMap<i32, Partition>, Refusal> {
        let given = |what: &str| {
            let message =
                format!("A manual partition assignment was specified, but {what} was not set to -1.");
            Refusal::new(ErrorCode::INVALID_REQUEST, message)
        };
        if topic.replication_factor != -1 {
            return Err(given("replication factor"));
        }
        if topic.num_partitions != -1 {
            return Err(given("numPartitions"));
        }
        let invalid = |message: String| Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message);
        let mut partitions = BTreeMap::new();
        let mut factor = None;
        for assignment in &topic.assignments {
            let index = assignment.partition_index;
            if partitions.contains_key(&index) {
                return Err(invalid(format!(
                    "Found multiple manual partition assignments for partition {index}"
                )));
            }
            let replicas: Vec<_> = assignment.broker_ids.iter().map(|id| NodeId(*id)).collect();
            check_assignment(self.image, &replicas, factor).map_err(invalid)?;
            factor = Some(replicas.len());
            let partition = new_partition(self.image, replicas).ok_or_else(|| {
                invalid(format!(
                    "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                     controlled shutdown."
                ))
            })?;
            partitions.insert(index, partition);
        }
        if !partitions.keys().copied().eq(0..partitions.len() as i32) {
            return Err(invalid("partitions should be a consecutive 0-based integer sequence".to_owned()));
        }
        Ok(partitions)
    }

    fn draw_topic_id(&mut self) -> TopicId {
        loop {
            let id = Uuid::from_random(self.random.bits()).map(TopicId);
            if let Some(id) = id.filter(|id| self.image.topic_by_id(*id).is_none()) {
                return id;
            }
        }
    }

    fn success(
        &self,
        topic: &CreatableTopic,
        id: TopicId,
        partitions: &BTreeMap<i32, Partition>,
        overrides: &Properties,
    ) -> CreatableTopicResult {
        let result = CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: id.0,
            error_message: None,
            ..Default::default()
        };
        if !self.access.may_describe_configs(&topic.name) {
            return CreatableTopicResult {
                topic_config_error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
                configs: Some(Vec::new()),
                ..result
            };
        }
        let configs =
            self.layers().created_topic(overrides).into_iter().map(|config| CreatableTopicConfigs {
                name: config.name.to_owned(),
                value: config.value,
                read_only: false,
                config_source: config.source as i8,
                is_sensitive: config.sensitive,
            });
        CreatableTopicResult {
            num_partitions: partitions.len() as i32,
            replication_factor: partitions.values().next().map_or(-1, |one| one.replicas.len() as i16),
            configs: Some(configs.collect()),
            ..result
        }
    }

    /// The topics that were not considered at all come last, as Kafka answers them.
    fn answer_others(
        &self,
        request: &CreateTopicsRequest,
        duplicates: &BTreeSet<&str>,
        response: &mut CreateTopicsResponse,
    ) {
        let invalid =
            |name: &str, message: &str| failure(name, Refusal::new(ErrorCode::INVALID_REQUEST, message));
        response.topics.extend(duplicates.iter().map(|name| invalid(name, "Duplicate topic name.")));
        for topic in request.topics.iter().filter(|topic| !duplicates.contains(topic.name.as_str())) {
            if topic.name == names::CLUSTER_METADATA {
                let message = "Creation of internal topic __cluster_metadata is prohibited.";
                response.topics.push(invalid(&topic.name, message));
            } else if !self.access.may_create(&topic.name) {
                let denied = Refusal::new(ErrorCode::TOPIC_AUTHORIZATION_FAILED, "Authorization failed.");
                response.topics.push(failure(&topic.name, denied));
            }
        }
    }
}

fn duplicates(request: &CreateTopicsRequest) -> BTreeSet<&str> {
    let mut seen = BTreeSet::new();
    let names = request.topics.iter().map(|topic| topic.name.as_str());
    names.filter(|name| !seen.insert(*name)).collect()
}

fn failure(name: &str, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_owned(),
        error_code: refusal.code,
        error_message: refusal.message,
        configs: Some(Vec::new()),
        ..Default::default()
    }
}

fn config_record(topic: &str, name: &str, value: &str) -> MetadataRecord {
    MetadataRecord::Config(ConfigRecord {
        resource_type: ResourceType::Topic.number(),
        resource_name: topic.to_owned(),
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..Default::default()
    })
}
