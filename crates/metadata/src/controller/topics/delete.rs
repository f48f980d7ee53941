//! DeleteTopics (20), by name and, from version 6 on, by id.
//!
//! Kafka shuffles the answers, so their order means nothing; here they come in the order of the checks.

use std::collections::{BTreeMap, BTreeSet};

use base::error_code::ErrorCode;
use base::ids::TopicId;
use base::refusal::Refusal;
use protocol::messages::delete_topics_request::DeleteTopicsRequest;
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use protocol::metadata_record::MetadataRecord;
use protocol::records::remove_topic_record::RemoveTopicRecord;

use super::{RECORDS_PER_REQUEST_MAX, too_many_records};
use crate::controller::request::{Access, ControllerSettings};
use crate::image::Image;

/// What is decided on, and with what.
pub(crate) struct DeleteTopics<'a> {
    pub(crate) image: &'a Image,
    pub(crate) settings: &'a ControllerSettings,
    pub(crate) access: &'a dyn Access,
    pub(crate) api_version: i16,
}

/// What a request names, each once.
#[derive(Default)]
struct Named<'a> {
    names: BTreeSet<&'a str>,
    duplicate_names: BTreeSet<&'a str>,
    ids: BTreeSet<TopicId>,
    duplicate_ids: BTreeSet<TopicId>,
}

impl DeleteTopics<'_> {
    /// The records and the answer.
    pub(crate) fn decide(
        &self,
        request: &DeleteTopicsRequest,
    ) -> (Vec<MetadataRecord>, DeleteTopicsResponse) {
        let mut response = DeleteTopicsResponse::default();
        if !self.settings.delete_topic_enable {
            return (Vec::new(), refuse_all(request, self.disabled()));
        }
        let answers = &mut response.responses;
        let mut named = sort(request, answers);
        let mut to_delete = self.find_ids(&named, answers);
        self.find_names(&mut named, &mut to_delete, answers);
        if to_delete.len() > RECORDS_PER_REQUEST_MAX {
            return (Vec::new(), refuse_all(request, too_many_records()));
        }
        let mut records = Vec::new();
        for (id, name) in &to_delete {
            records.push(MetadataRecord::RemoveTopic(RemoveTopicRecord {
                topic_id: id.0,
                ..Default::default()
            }));
            answers.push(answer(Some(name), *id));
        }
        (records, response)
    }

    /// Before version 3 there was no error for it.
    fn disabled(&self) -> Refusal {
        if self.api_version < 3 {
            Refusal::new(ErrorCode::INVALID_REQUEST, "This version does not support topic deletion.")
        } else {
            Refusal::of(ErrorCode::TOPIC_DELETION_DISABLED)
        }
    }

    /// Resolves ids. A name that the caller must not know is not told.
    fn find_ids(
        &self,
        named: &Named<'_>,
        answers: &mut Vec<DeletableTopicResult>,
    ) -> BTreeMap<TopicId, String> {
        let mut found = BTreeMap::new();
        for id in &named.ids {
            let Some(topic) = self.image.topic_by_id(*id) else {
                answers.push(failure(None, *id, Refusal::of(ErrorCode::UNKNOWN_TOPIC_ID)));
                continue;
            };
            let denied = Refusal::of(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
            if !self.access.may_describe(&topic.name) {
                answers.push(failure(None, *id, denied));
            } else if !self.access.may_delete(&topic.name) {
                answers.push(failure(Some(&topic.name), *id, denied));
            } else {
                found.insert(*id, topic.name.to_string());
            }
        }
        found
    }

    /// Resolves names. A name whose id was named as well is refused, and so is the id.
    fn find_names(
        &self,
        named: &mut Named<'_>,
        to_delete: &mut BTreeMap<TopicId, String>,
        answers: &mut Vec<DeletableTopicResult>,
    ) {
        for name in &named.names {
            let refused = |code: ErrorCode| failure(Some(name), TopicId::ZERO, Refusal::of(code));
            if !self.access.may_describe(name) {
                answers.push(refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
                continue;
            }
            let Some(topic) = self.image.topic_by_name(name) else {
                answers.push(refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                continue;
            };
            if !self.access.may_delete(name) {
                answers.push(refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            } else if named.duplicate_ids.contains(&topic.id) || to_delete.contains_key(&topic.id) {
                named.duplicate_ids.insert(topic.id);
                to_delete.remove(&topic.id);
                let message = "The provided topic name maps to an ID that was already supplied.";
                answers.push(failure(
                    Some(name),
                    topic.id,
                    Refusal::new(ErrorCode::INVALID_REQUEST, message),
                ));
            } else {
                to_delete.insert(topic.id, (*name).to_owned());
            }
        }
    }
}

/// The same answer for everything that is named.
fn refuse_all(request: &DeleteTopicsRequest, refusal: Refusal) -> DeleteTopicsResponse {
    let by_name = request.topic_names.iter().map(|name| (Some(name.as_str()), TopicId::ZERO));
    let by_state = request.topics.iter().map(|topic| (topic.name.as_deref(), TopicId(topic.topic_id)));
    let answers = by_name.chain(by_state).map(|(name, id)| failure(name, id, refusal.clone()));
    DeleteTopicsResponse { responses: answers.collect(), ..Default::default() }
}

/// Sorts out what is named twice, or neither or both by name and id.
fn sort<'a>(request: &'a DeleteTopicsRequest, answers: &mut Vec<DeletableTopicResult>) -> Named<'a> {
    let mut named = Named::default();
    let invalid = |message: &str| Refusal::new(ErrorCode::INVALID_REQUEST, message);
    request.topic_names.iter().for_each(|name| named.add_name(name));
    for topic in &request.topics {
        let id = TopicId(topic.topic_id);
        match topic.name.as_deref() {
            None if id == TopicId::ZERO => {
                answers.push(failure(None, id, invalid("Neither topic name nor id were specified.")));
            }
            None => named.add_id(id),
            Some(name) if id == TopicId::ZERO => named.add_name(name),
            name => {
                answers.push(failure(name, id, invalid("You may not specify both topic name and topic id.")))
            }
        }
    }
    for name in &named.duplicate_names {
        answers.push(failure(Some(name), TopicId::ZERO, invalid("Duplicate topic name.")));
    }
    for id in &named.duplicate_ids {
        answers.push(failure(None, *id, invalid("Duplicate topic id.")));
    }
    named
}

impl<'a> Named<'a> {
    fn add_name(&mut self, name: &'a str) {
        if self.duplicate_names.contains(name) || !self.names.insert(name) {
            self.duplicate_names.insert(name);
            self.names.remove(name);
        }
    }

    fn add_id(&mut self, id: TopicId) {
        if self.duplicate_ids.contains(&id) || !self.ids.insert(id) {
            self.duplicate_ids.insert(id);
            self.ids.remove(&id);
        }
    }
}

fn answer(name: Option<&str>, id: TopicId) -> DeletableTopicResult {
    DeletableTopicResult {
        name: name.map(str::to_owned),
        topic_id: id.0,
        error_message: None,
        ..Default::default()
    }
}

fn failure(name: Option<&str>, id: TopicId, refusal: Refusal) -> DeletableTopicResult {
    DeletableTopicResult { error_code: refusal.code, error_message: refusal.message, ..answer(name, id) }
}
