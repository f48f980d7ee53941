//! The controller against what Apache Kafka 4.3.0 answered: `testdata/topics/Record.java` says how it was recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::ids::{NodeId, Offset};
use machine::Stamp;
use protocol::json::{from_json, to_json};
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::metadata_record::MetadataRecord;
use protocol::records::config_record::ConfigRecord;
use protocol::records::partition_change_record::PartitionChangeRecord;
use protocol::records::partition_record::PartitionRecord;
use protocol::records::register_broker_record::RegisterBrokerRecord;
use protocol::records::topic_record::TopicRecord;
use serde_json::Value;

use super::election::{Change, Defaults, elect};
use super::{Access, AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use crate::features::ELIGIBLE_LEADER_REPLICAS;
use crate::image::{Image, feature_level};
use crate::testing::Harness;

const RECORDED: &str = include_str!("../../testdata/topics/recorded.txt");

/// Names for topic ids, in the order in which responses hand them out.
#[derive(Default)]
struct Ids(BTreeMap<String, String>);

impl Ids {
    fn name(&mut self, topic: &Value) {
        let id = topic["topicId"].as_str().unwrap_or("AAAAAAAAAAAAAAAAAAAAAA");
        if id != "AAAAAAAAAAAAAAAAAAAAAA" && !self.0.contains_key(id) {
            self.0.insert(id.to_owned(), format!("ID{}", self.0.len() + 1));
        }
    }

    fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (id, name)| {
            text.replace(&format!("\"{id}\""), &format!("\"{name}\""))
        })
    }

    fn show(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (id, name)| {
            text.replace(&format!("\"{name}\""), &format!("\"{id}\""))
        })
    }
}

#[test]
fn topics_are_created_and_deleted_as_apache_kafka_does() {
    let mut harness = Harness::serving();
    harness.settings.controller.num_partitions = 3;
    harness.open().expect("the same directory");
    harness.run();
    harness.register(1, 2);
    harness.heartbeat(1);
    let mut ids = Ids::default();
    for line in RECORDED.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [api, version, request, recorded] = columns[..] else { panic!("four columns: {line}") };
        let version: i16 = version.parse().expect("a version");
        let request: Value = serde_json::from_str(&ids.show(request)).expect("JSON");
        let is_first = ids.0.is_empty();
        let verb = match api {
            "CreateTopics" => ControllerVerb::CreateTopics(from_json(&request, version).expect("a request")),
            "DeleteTopics" => ControllerVerb::DeleteTopics(from_json(&request, version).expect("a request")),
            other => panic!("{other}"),
        };
        let request = ControllerRequest { verb, api_version: version, access: Arc::new(AllowAll) };
        let answer = match harness.call_as(request) {
            ControllerReply::CreateTopics(response) => to_json(&response, version),
            ControllerReply::DeleteTopics(response) => to_json(&response, version),
            other => panic!("{other:?}"),
        };
        let answer = comparable(answer.expect("JSON"), is_first, &mut ids);
        let recorded = sorted(serde_json::from_str(recorded).expect("JSON"));
        assert_eq!(ids.hide(&answer.to_string()), recorded.to_string(), "{line}");
    }
}

/// As the recording program leaves it: without default configs after the first topic.
fn comparable(mut answer: Value, is_first: bool, ids: &mut Ids) -> Value {
    if let Some(topics) = answer.get_mut("topics").and_then(Value::as_array_mut) {
        for topic in topics {
            // The first topic of the recording is the only one with its default configs.
            if let Some(configs) =
                topic.get_mut("configs").and_then(Value::as_array_mut).filter(|_| !is_first)
            {
                configs.retain(|config| config["configSource"] == 1);
            }
            ids.name(topic);
        }
    }
    sorted(answer)
}

/// Kafka answers in no order.
fn sorted(mut answer: Value) -> Value {
    let list = if answer.get("topics").is_some() { "topics" } else { "responses" };
    if let Some(topics) = answer.get_mut(list).and_then(Value::as_array_mut) {
        topics.sort_by_key(|topic| topic["name"].to_string());
    }
    answer
}

/// May do with a topic what its name says: `create`, `delete` and `configs` in it allow these, `hidden` even to see it.
struct ByName;

impl Access for ByName {
    fn may_create(&self, topic: &str) -> bool {
        topic.contains("create")
    }

    fn may_alter(&self, topic: &str) -> bool {
        topic.contains("delete")
    }

    fn may_delete(&self, topic: &str) -> bool {
        topic.contains("delete")
    }

    fn may_describe(&self, topic: &str) -> bool {
        !topic.contains("hidden")
    }

    fn may_describe_configs(&self, topic: &str) -> bool {
        topic.contains("configs")
    }
}

fn creation(names: &[&str]) -> ControllerVerb {
    let topic = |name: &&str| CreatableTopic {
        name: (*name).to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let topics = names.iter().map(topic).collect();
    ControllerVerb::CreateTopics(CreateTopicsRequest { topics, ..Default::default() })
}

#[test]
fn what_a_caller_may_not_do_is_refused_without_telling_more() {
    let mut harness = Harness::serving();
    let as_caller =
        |verb: ControllerVerb| ControllerRequest { verb, api_version: 7, access: Arc::new(ByName) };
    let verb = creation(&[
        "create-delete-configs",
        "create-only",
        "denied",
        "create-delete-hidden",
        "create-delete",
    ]);
    let ControllerReply::CreateTopics(created) = harness.call_as(as_caller(verb)) else { panic!("topics") };
    let answers: Vec<_> = created
        .topics
        .iter()
        .map(|topic| {
            let configs = topic.configs.as_ref().is_some_and(|configs| !configs.is_empty());
            (&*topic.name, topic.error_code.0, topic.topic_config_error_code.0, topic.num_partitions, configs)
        })
        .collect();
    let expect = [
        ("create-delete-configs", 0, 0, 1, true),
        ("create-only", 0, 29, -1, false),
        ("create-delete-hidden", 0, 29, -1, false),
        ("create-delete", 0, 29, -1, false),
        ("denied", 29, 0, -1, false),
    ];
    assert_eq!(answers, expect);

    let image = harness.image();
    let id = |name: &str| image.topic_by_name(name).expect("created").id.0;
    let by_id = |name: &str| DeleteTopicState { name: None, topic_id: id(name) };
    let by_name = |name: &str| DeleteTopicState { name: Some(name.to_owned()), ..Default::default() };
    let topics = vec![
        by_id("create-only"),
        by_id("create-delete-hidden"),
        by_id("create-delete"),
        by_name("create-delete-hidden"),
        by_name("create-delete-configs"),
        by_name("hidden-unknown"),
        by_name("unknown"),
    ];
    let verb = ControllerVerb::DeleteTopics(DeleteTopicsRequest { topics, ..Default::default() });
    let ControllerReply::DeleteTopics(deleted) = harness.call_as(as_caller(verb)) else { panic!("topics") };
    let mut answers: Vec<_> = deleted
        .responses
        .iter()
        .map(|topic| (topic.name.as_deref().unwrap_or("-"), topic.error_code.0))
        .collect();
    answers.sort_unstable();
    let expect = [
        ("-", 29),
        ("create-delete", 0),
        ("create-delete-configs", 0),
        ("create-delete-hidden", 29),
        ("create-only", 29),
        ("hidden-unknown", 29),
        ("unknown", 3),
    ];
    assert_eq!(answers, expect);
}

#[test]
fn deletion_can_be_switched_off() {
    let mut harness = Harness::new();
    harness.settings.controller.delete_topic_enable = false;
    harness.open().expect("formatted");
    harness.run();
    for (api_version, code, message) in [
        (1, 42, "This version does not support topic deletion."),
        (3, 73, "Topic deletion is disabled."),
        (6, 73, "Topic deletion is disabled."),
    ] {
        let topic_names = vec!["a".to_owned()];
        let verb = ControllerVerb::DeleteTopics(DeleteTopicsRequest { topic_names, ..Default::default() });
        let request = ControllerRequest { verb, api_version, access: Arc::new(AllowAll) };
        let ControllerReply::DeleteTopics(reply) = harness.call_as(request) else { panic!("an answer") };
        let answer = &reply.responses[0];
        assert_eq!((answer.error_code.0, answer.error_message.as_deref()), (code, Some(message)));
    }
}

/// Brokers 1 to 3, those named fenced, and one partition on all of them.
fn partition(fenced: &[i32], isr: &[i32], elr: &[i32], leader: i32, unclean: bool) -> Image {
    let mut records = Vec::new();
    for id in 1..=3 {
        records.push(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: id,
            fenced: fenced.contains(&id),
            ..Default::default()
        }));
    }
    records.push(MetadataRecord::Topic(TopicRecord { name: "a".to_owned(), ..Default::default() }));
    records.push(MetadataRecord::Partition(PartitionRecord {
        replicas: vec![1, 2, 3],
        isr: isr.to_vec(),
        leader,
        eligible_leader_replicas: (!elr.is_empty()).then(|| elr.to_vec()),
        ..Default::default()
    }));
    records.push(MetadataRecord::Config(ConfigRecord {
        resource_type: 2,
        resource_name: "a".to_owned(),
        name: "unclean.leader.election.enable".to_owned(),
        value: Some(unclean.to_string()),
        ..Default::default()
    }));
    let mut image = Image::empty("cluster");
    for record in &records {
        let stamp = Stamp::new(Offset(image.offset().0 + 1), image.epoch());
        image.replay(stamp, record).expect("records that fit");
    }
    image
}

const DEFAULTS: Defaults = Defaults { unclean: false, min_insync_replicas: 1 };

/// The partition in a cluster with ELR; brokers whose leader is gone are fenced.
fn partition_with_elr(isr: &[i32], elr: &[i32], last_known: &[i32], leader: i32) -> Image {
    let fenced: &[i32] = if leader == -1 { &[1, 2, 3] } else { &[] };
    let mut image = partition(fenced, isr, elr, leader, false);
    let known = PartitionChangeRecord { last_known_elr: Some(last_known.to_vec()), ..Default::default() };
    for record in [feature_level(ELIGIBLE_LEADER_REPLICAS, 1), MetadataRecord::PartitionChange(known)] {
        let stamp = Stamp::new(Offset(image.offset().0 + 1), image.epoch());
        image.replay(stamp, &record).expect("records that fit");
    }
    image
}

#[test]
fn with_elr_the_last_member_of_an_isr_stays_eligible_unless_it_may_have_lost_records() {
    let check = |image: &Image, change: Change, min_insync_replicas: i32, expect: PartitionChangeRecord| {
        let records = elect(image, change, Defaults { min_insync_replicas, ..DEFAULTS });
        assert_eq!(records, [MetadataRecord::PartitionChange(expect)]);
    };
    let change = |leader: i32, isr: Option<&[i32]>, elr: Option<&[i32]>, last_known: Option<&[i32]>| {
        PartitionChangeRecord {
            leader,
            isr: isr.map(<[i32]>::to_vec),
            eligible_leader_replicas: elr.map(<[i32]>::to_vec),
            last_known_elr: last_known.map(<[i32]>::to_vec),
            ..Default::default()
        }
    };
    let (same, none) = (-2, -1);
    let leaving = |id: i32| Change::leaving(NodeId(id));
    let unclean = |id: i32| Change::unclean(NodeId(id));
    let joining = |id: i32| Change::joining(NodeId(id));
    // It stops, and comes back.
    let whole = partition_with_elr(&[1], &[], &[], 1);
    check(&whole, leaving(1), 1, change(none, Some(&[]), Some(&[1]), Some(&[1])));
    let stopped = partition_with_elr(&[], &[1], &[1], -1);
    check(&stopped, joining(1), 1, change(1, Some(&[1]), Some(&[]), Some(&[])));
    assert_eq!(elect(&stopped, joining(2), DEFAULTS), []);
    // It was killed: only as the last one that led may it lead again, and it must say that records may be lost.
    check(&whole, unclean(1), 1, change(none, Some(&[]), None, Some(&[1])));
    check(&stopped, unclean(1), 1, change(same, None, Some(&[]), None));
    let recovering =
        PartitionChangeRecord { leader_recovery_state: 1, ..change(1, Some(&[1]), None, Some(&[])) };
    let killed = partition_with_elr(&[], &[], &[1], -1);
    check(&killed, joining(1), 1, recovering);
    assert_eq!(elect(&killed, joining(2), DEFAULTS), []);
    // A broker that left the ISR between two starts is remembered by nobody.
    let leaderless = partition_with_elr(&[1], &[], &[], -1);
    check(&leaderless, unclean(1), 1, change(same, Some(&[]), None, None));
    // Below the minimum who leaves stays eligible, above it there is no need.
    let two = partition_with_elr(&[1, 2], &[], &[], 1);
    check(&two, leaving(2), 2, change(same, Some(&[1]), Some(&[2]), None));
    check(&two, leaving(2), 1, change(same, Some(&[1]), None, None));
    check(&two, unclean(2), 2, change(same, Some(&[1]), None, None));
    check(&partition_with_elr(&[1], &[2], &[], 1), unclean(2), 2, change(same, None, Some(&[]), None));
}

#[test]
fn elections_follow_the_isr_then_the_elr_then_the_topics_will() {
    let check = |image: &Image, change: Change, expect: Option<PartitionChangeRecord>| {
        let records = elect(image, change, DEFAULTS);
        assert_eq!(records, expect.map(MetadataRecord::PartitionChange).into_iter().collect::<Vec<_>>());
    };
    let change = |leader: i32, isr: Option<&[i32]>| {
        Some(PartitionChangeRecord { leader, isr: isr.map(<[i32]>::to_vec), ..Default::default() })
    };
    let (same, none) = (-2, -1);
    let leaving = |id: i32| Change::leaving(NodeId(id));
    let joining = |id: i32| Change::joining(NodeId(id));
    // The leader stays while it can; who leaves the ISR leaves it.
    check(&partition(&[], &[1, 2, 3], &[], 1, false), leaving(3), change(same, Some(&[1, 2])));
    check(&partition(&[], &[1, 2], &[], 1, false), leaving(3), None);
    // The next one in the assignment that is in the ISR and can lead.
    check(&partition(&[], &[3, 2, 1], &[], 1, false), leaving(1), change(2, Some(&[3, 2])));
    check(&partition(&[2], &[1, 2, 3], &[], 1, false), leaving(1), change(3, Some(&[2, 3])));
    // Nobody: the ISR keeps its last member.
    check(&partition(&[], &[1], &[], 1, false), leaving(1), change(none, None));
    check(&partition(&[1, 2, 3], &[1], &[], -1, false), joining(2), None);
    check(&partition(&[1, 2, 3], &[1], &[], -1, false), joining(1), change(1, None));
    // Unclean, where the topic allows it.
    let mut unclean = change(2, Some(&[2])).expect("a change");
    unclean.leader_recovery_state = 1;
    check(&partition(&[], &[1], &[], 1, true), leaving(1), Some(unclean.clone()));
    // An eligible leader replica has everything, though the ISR is empty.
    let mut eligible = change(3, Some(&[3])).expect("a change");
    eligible.eligible_leader_replicas = Some(Vec::new());
    check(&partition(&[1, 2, 3], &[], &[3], -1, false), joining(3), Some(eligible));
    check(&partition(&[1, 2, 3], &[], &[3], -1, false), joining(2), None);
}
