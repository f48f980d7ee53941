//! The controller against what Apache Kafka 4.3.0 answered: `testdata/topics/Record.java` says how it was recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::json::{from_json, to_json};
use serde_json::Value;

use super::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
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
                configs.retain(|config| config["configSource"] != 5);
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
