//! CreateTopics: decided by the controller; the reply comes when the topics' logs are there.

use base::error_code::ErrorCode;
use metadata::controller::{ControllerReply, ControllerVerb};
use net::session::Close;
use protocol::messages::create_topics_request::CreateTopicsRequest;
use protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};

use crate::dispatch::Call;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: CreateTopicsRequest = call.decode()?;
    call.decide(ControllerVerb::CreateTopics(request.clone()), move |answer| match answer {
        Ok(ControllerReply::CreateTopics(response)) => Ok(response),
        Ok(other) => Err(other),
        Err(code) => Ok(refusal(request, code)),
    });
    Ok(())
}

/// The same error for every topic: the controller could not decide at all.
fn refusal(request: CreateTopicsRequest, code: ErrorCode) -> CreateTopicsResponse {
    let topics = request.topics.into_iter().map(|topic| CreatableTopicResult {
        name: topic.name,
        error_code: code,
        ..CreatableTopicResult::default()
    });
    CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
}
