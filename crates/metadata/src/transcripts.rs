//! Plays: what is asked, what is written, what is published and answered, in files that a person can read.
//!
//! ```text
//! > create orders:3:1 audit:1:1:cleanup.policy=compact
//!   9 Topic v0 {"name":"orders",…}
//!   publish 13 +orders +audit
//!   CreateTopics {"topics":[…]}
//! ```
//! A line that starts with `>` is a step, all others down to the next are what it leads to, `#` starts a comment.
//! `UPDATE_TRANSCRIPTS=1 cargo test -p metadata transcripts` writes what happens into the files, to be read before it is
//! committed.

#![expect(clippy::disallowed_methods, reason = "transcripts are files of the source tree")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ids::{NodeId, Offset};
use base::uuid::Uuid;
use protocol::json::{bytes_to_json, to_json};
use protocol::messages::allocate_producer_ids_request::AllocateProducerIdsRequest;
use protocol::messages::alter_configs_request::AlterConfigsRequest;
use protocol::messages::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest;
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use protocol::metadata_record::MetadataRecord;
use quorum::{Content, LogBatches};
use serde_json::Value;
use storage::disk::memory::Crash;
use wire::reader::Reader;

use crate::controller::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use crate::delta::Delta;
use crate::image::Image;
use crate::testing::{Harness, registration};

struct Play {
    harness: Harness,
    /// What was shown of the log.
    shown: Offset,
}

/// The words of a step after its name: plain ones, and `key=value` by key.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    fn plain(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().copied().filter(|word| !word.contains('=') || word.contains(':'))
    }

    fn first(&self) -> &'a str {
        self.plain().next().expect("the step says which")
    }

    fn has(&self, flag: &str) -> bool {
        self.0.contains(&flag)
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.get(key).map(|text| text.parse().expect("a number"))
    }

    fn ids(&self, key: &str) -> Option<Vec<Uuid>> {
        let text = self.get(key)?;
        let ids = text.split(',').filter(|text| !text.is_empty());
        Some(ids.map(|text| Uuid::from_u128(u128::from_str_radix(text, 16).expect("hexadecimal"))).collect())
    }
}

#[test]
fn transcripts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/transcripts");
    let mut files: Vec<PathBuf> = list(&dir);
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let script = read(&file);
        let played = play(&script);
        if std::env::var("UPDATE_TRANSCRIPTS").is_ok() {
            write(&file, &played);
        } else {
            for (line, (expect, happened)) in script.lines().zip(played.lines()).enumerate() {
                assert_eq!(happened, expect, "{}:{}", file.display(), line + 1);
            }
            assert_eq!(played, script, "{}", file.display());
        }
    }
}

fn list(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a writable file");
}

fn play(script: &str) -> String {
    let mut play = Play { harness: Harness::new(), shown: Offset::ZERO };
    let mut out = String::new();
    for line in script.lines() {
        if let Some(step) = line.strip_prefix("> ") {
            out.push_str(line);
            out.push('\n');
            play.step(step, &mut out);
        } else if line.is_empty() || line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

impl Play {
    fn step(&mut self, step: &str, out: &mut String) {
        let mut words = step.split_whitespace();
        let name = words.next().expect("a step has a name");
        let words = Words(words.collect());
        let verb = match name {
            "open" => return self.open(out),
            "crash" => {
                self.harness.node = None;
                self.harness.disk.crash(Crash::LoseUnsynced);
                return;
            }
            "wait" => {
                self.harness.advance(words.first().parse().expect("milliseconds"));
                self.harness.run();
                return self.show(out);
            }
            "register" => ControllerVerb::RegisterBroker(self.registration(&words)),
            "heartbeat" => ControllerVerb::Heartbeat(self.heartbeat(&words)),
            "create" => ControllerVerb::CreateTopics(creation(&words)),
            "delete" => ControllerVerb::DeleteTopics(deletion(&words)),
            "grow" => ControllerVerb::CreatePartitions(growth(&words)),
            "alter" => ControllerVerb::IncrementalAlterConfigs(alteration(&words)),
            "replace" => ControllerVerb::AlterConfigs(replacement(&words)),
            "producer-ids" => ControllerVerb::AllocateProducerIds(AllocateProducerIdsRequest {
                broker_id: words.first().parse().expect("an id"),
                broker_epoch: words.number("epoch").expect("an epoch"),
            }),
            "assign" => ControllerVerb::AssignReplicasToDirs(self.assignment_to_dirs(&words)),
            other => panic!("no step is called {other}"),
        };
        let request = ControllerRequest { verb, api_version: 7, access: Arc::new(AllowAll) };
        let reply = self.harness.call_as(request);
        self.show(out);
        let _ = writeln!(out, "  {}", describe(&reply));
    }

    fn open(&mut self, out: &mut String) {
        self.harness.open().expect("it opens");
        self.harness.run();
        self.show(out);
    }

    fn registration(
        &self,
        words: &Words<'_>,
    ) -> protocol::messages::broker_registration_request::BrokerRegistrationRequest {
        let id: i32 = words.first().parse().expect("an id");
        let mut request = registration(id, words.number("incarnation").unwrap_or(1) as u128);
        request.rack = words.get("rack").map(str::to_owned);
        if let Some(cluster) = words.get("cluster") {
            request.cluster_id = cluster.to_owned();
        }
        if let Some(dirs) = words.ids("dirs") {
            request.log_dirs = dirs;
        }
        if let Some(max) = words.number("metadata.version") {
            let feature = request.features.iter_mut().find(|feature| feature.name == "metadata.version");
            feature.expect("it is sent").max_supported_version = max as i16;
        }
        request
    }

    fn heartbeat(&mut self, words: &Words<'_>) -> BrokerHeartbeatRequest {
        let id: i32 = words.first().parse().expect("an id");
        let image = self.harness.image();
        let known = image.broker(NodeId(id)).map_or(-1, |broker| broker.epoch.0);
        BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: words.number("epoch").unwrap_or(known),
            current_metadata_offset: words.number("offset").unwrap_or(image.offset().0),
            want_fence: words.has("fence"),
            want_shut_down: words.has("stop"),
            offline_log_dirs: words.ids("offline").unwrap_or_default(),
            cordoned_log_dirs: words.ids("cordoned"),
        }
    }

    /// `broker directory topic:partition…`; an unknown topic stands for an unknown id.
    fn assignment_to_dirs(&mut self, words: &Words<'_>) -> AssignReplicasToDirsRequest {
        use protocol::messages::assign_replicas_to_dirs_request::{DirectoryData, PartitionData, TopicData};
        let mut plain = words.plain();
        let id: i32 = plain.next().and_then(|text| text.parse().ok()).expect("an id");
        let directory =
            plain.next().and_then(|text| u128::from_str_radix(text, 16).ok()).expect("hexadecimal");
        let image = self.harness.image();
        let topics = plain.map(|word| {
            let (topic, index) = word.split_once(':').expect("topic:partition");
            TopicData {
                topic_id: image.topic_by_name(topic).map_or(Uuid::ONE, |topic| topic.id.0),
                partitions: vec![PartitionData { partition_index: index.parse().expect("a number") }],
            }
        });
        let known = image.broker(NodeId(id)).map_or(-1, |broker| broker.epoch.0);
        AssignReplicasToDirsRequest {
            broker_id: id,
            broker_epoch: words.number("epoch").unwrap_or(known),
            directories: vec![DirectoryData { id: Uuid::from_u128(directory), topics: topics.collect() }],
        }
    }

    /// Shows what was written since the last step, and what was published.
    fn show(&mut self, out: &mut String) {
        for (offset, record, version) in self.new_records() {
            let _ = writeln!(out, "  {offset} {}", describe_record(&record, version));
        }
        for (image, delta) in std::mem::take(&mut self.harness.published) {
            let _ = writeln!(out, "  publish {}{}", image.offset(), describe_delta(&image, &delta));
        }
    }

    fn new_records(&mut self) -> Vec<(Offset, MetadataRecord, i16)> {
        let from = self.shown;
        let reader = self.harness.node().log.reader();
        let end = reader.ends().log_end;
        self.shown = end;
        if from >= end {
            return Vec::new();
        }
        let read = reader.read(from, end, 1 << 20, true).expect("it was written");
        let bytes = read.records.expect("there is something").to_bytes().expect("in memory");
        let mut records = Vec::new();
        for batch in LogBatches::new(bytes) {
            if let Content::Data(values) = batch.expect("a batch").content {
                records.extend(values.into_iter().map(|(offset, value)| {
                    let (record, version) = MetadataRecord::decode(value).expect("a record");
                    (offset, record, version)
                }));
            }
        }
        records
    }
}

/// `name:partitions:factor[:config=value]…`, or `name@0=1,2@1=2,1` with assignments. `validate` only validates.
fn creation(words: &Words<'_>) -> CreateTopicsRequest {
    let mut request = CreateTopicsRequest { validate_only: words.has("validate"), ..Default::default() };
    for word in words.0.iter().filter(|word| **word != "validate") {
        let mut topic = CreatableTopic { num_partitions: -1, replication_factor: -1, ..Default::default() };
        if let Some((name, assignments)) = word.split_once('@') {
            topic.name = name.to_owned();
            topic.assignments = assignments.split('@').map(assignment).collect();
        } else {
            let mut parts = word.split(':');
            topic.name = parts.next().unwrap_or_default().to_owned();
            let mut number = || parts.next().map_or(-1, |text| text.parse().expect("a number"));
            topic.num_partitions = number();
            topic.replication_factor = number() as i16;
            topic.configs = parts.filter_map(|part| part.split_once('=')).map(config).collect();
        }
        request.topics.push(topic);
    }
    request
}

fn assignment(text: &str) -> CreatableReplicaAssignment {
    let (index, brokers) = text.split_once('=').expect("index=brokers");
    CreatableReplicaAssignment {
        partition_index: index.parse().expect("a number"),
        broker_ids: brokers.split(',').map(|id| id.parse().expect("a number")).collect(),
    }
}

fn config((name, value): (&str, &str)) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: Some(value.to_owned()) }
}

fn deletion(words: &Words<'_>) -> DeleteTopicsRequest {
    let state = |word: &&str| match word.strip_prefix("id:") {
        Some(id) => DeleteTopicState { name: None, topic_id: id.parse().expect("an id") },
        None => DeleteTopicState { name: Some((*word).to_owned()), topic_id: Uuid::ZERO },
    };
    DeleteTopicsRequest { topics: words.0.iter().map(state).collect(), ..Default::default() }
}

/// `name:count`, or `name:count@1,2@2,1` with assignments. `validate` only validates.
fn growth(words: &Words<'_>) -> CreatePartitionsRequest {
    let mut request = CreatePartitionsRequest { validate_only: words.has("validate"), ..Default::default() };
    for word in words.0.iter().filter(|word| **word != "validate") {
        let (name, rest) = word.split_once(':').expect("name:count");
        let mut parts = rest.split('@');
        let count = parts.next().expect("a count").parse().expect("a number");
        let ids = |ids: &str| CreatePartitionsAssignment {
            broker_ids: ids
                .split(',')
                .filter(|id| !id.is_empty())
                .map(|id| id.parse().expect("an id"))
                .collect(),
        };
        let assignments: Vec<_> = parts.map(ids).collect();
        let assignments = rest.contains('@').then_some(assignments);
        request.topics.push(CreatePartitionsTopic { name: name.to_owned(), count, assignments });
    }
    request
}

/// `topic:NAME` or `broker:ID` (`broker:` for all) begins a resource; `name=value` sets, `name-` deletes, `name+value`
/// appends and `name~value` subtracts. `validate` only validates.
fn alteration(words: &Words<'_>) -> IncrementalAlterConfigsRequest {
    use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let mut request =
        IncrementalAlterConfigsRequest { validate_only: words.has("validate"), ..Default::default() };
    for word in words.0.iter().filter(|word| **word != "validate") {
        if let Some((resource_type, name)) = resource(word) {
            let resource_name = name.to_owned();
            request.resources.push(AlterConfigsResource {
                resource_type,
                resource_name,
                ..Default::default()
            });
            continue;
        }
        let place = word.find(['=', '-', '+', '~']).expect("what happens to the config");
        let (name, rest) = word.split_at(place);
        let config_operation = "=-+~".find(&rest[..1]).expect("it was found") as i8;
        let value = (config_operation != 1).then(|| rest[1..].to_owned());
        let config = AlterableConfig { name: name.to_owned(), config_operation, value };
        request.resources.last_mut().expect("a resource comes first").configs.push(config);
    }
    request
}

/// As [`alteration`], with nothing but `name=value`.
fn replacement(words: &Words<'_>) -> AlterConfigsRequest {
    use protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let mut request = AlterConfigsRequest { validate_only: words.has("validate"), ..Default::default() };
    for word in words.0.iter().filter(|word| **word != "validate") {
        if let Some((resource_type, name)) = resource(word) {
            let resource_name = name.to_owned();
            request.resources.push(AlterConfigsResource {
                resource_type,
                resource_name,
                ..Default::default()
            });
            continue;
        }
        let (name, value) = word.split_once('=').expect("name=value");
        let config = AlterableConfig { name: name.to_owned(), value: Some(value.to_owned()) };
        request.resources.last_mut().expect("a resource comes first").configs.push(config);
    }
    request
}

fn resource(word: &str) -> Option<(i8, &str)> {
    let (kind, name) = word.split_once(':')?;
    let number = match kind {
        "topic" => 2,
        "broker" => 4,
        "metrics" => 16,
        "group" => 32,
        "other" => 3,
        _ => return None,
    };
    Some((number, name))
}

fn describe_record(record: &MetadataRecord, version: i16) -> String {
    let schema = record.schema();
    let name = schema.name.trim_end_matches("Record");
    let mut bytes = wire::output::Output::new();
    record.encode(version, &mut bytes).expect("it was read");
    let mut input = Reader::new(bytes.to_bytes().expect("in memory"));
    // The frame: its version, the type, the record's version.
    for _ in 0..3 {
        input.uvarint().expect("a frame");
    }
    let json = bytes_to_json(schema, version, &mut input).expect("it was read");
    format!("{name} v{version} {}", without_features(json))
}

/// The feature ranges of registrations are the same everywhere.
fn without_features(mut json: Value) -> Value {
    if let Some(fields) = json.as_object_mut() {
        fields.remove("features");
        fields.remove("endPoints");
    }
    json
}

fn describe_delta(image: &Image, delta: &Delta) -> String {
    let mut text = String::new();
    let name = |id| image.topic_by_id(id).map_or_else(|| "?".to_owned(), |topic| topic.name.to_string());
    delta.topics_created.iter().for_each(|id| text.push_str(&format!(" +{}", name(*id))));
    delta.topics_deleted.values().for_each(|topic| text.push_str(&format!(" -{topic}")));
    for (id, index) in &delta.partitions_changed {
        text.push_str(&format!(" {}-{index}", name(*id)));
    }
    delta.brokers_changed.iter().for_each(|id| text.push_str(&format!(" broker:{id}")));
    delta.configs_changed.iter().for_each(|resource| text.push_str(&format!(" config:{}", resource.name)));
    text
}

fn describe(reply: &ControllerReply) -> String {
    let (name, json) = match reply {
        ControllerReply::CreateTopics(response) => ("CreateTopics", to_json(response, 7)),
        ControllerReply::DeleteTopics(response) => ("DeleteTopics", to_json(response, 6)),
        ControllerReply::CreatePartitions(response) => ("CreatePartitions", to_json(response, 3)),
        ControllerReply::AlterConfigs(response) => ("AlterConfigs", to_json(response, 2)),
        ControllerReply::IncrementalAlterConfigs(response) => {
            ("IncrementalAlterConfigs", to_json(response, 1))
        }
        ControllerReply::RegisterBroker(response) => ("BrokerRegistration", to_json(response, 4)),
        ControllerReply::RegisterController(response) => ("ControllerRegistration", to_json(response, 0)),
        ControllerReply::Heartbeat(response) => ("BrokerHeartbeat", to_json(response, 1)),
        ControllerReply::AllocateProducerIds(response) => ("AllocateProducerIds", to_json(response, 0)),
        ControllerReply::AssignReplicasToDirs(response) => ("AssignReplicasToDirs", to_json(response, 0)),
    };
    let mut json = json.expect("JSON");
    if let Some(fields) = json.as_object_mut() {
        fields.remove("throttleTimeMs");
        for topic in fields.get_mut("topics").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(configs) = topic.get_mut("configs").and_then(Value::as_array_mut) {
                configs.retain(|config| config["configSource"] != 5);
            }
        }
    }
    format!("{name} {json}")
}
