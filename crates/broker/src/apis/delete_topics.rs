//! DeleteTopics: decided by the controller; the reply comes when nobody is told of the topics any more.

use base::error_code::ErrorCode;
use metadata::controller::{ControllerReply, ControllerVerb};
use net::session::Close;
use protocol::messages::delete_topics_request::DeleteTopicsRequest;
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

use crate::dispatch::Call;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DeleteTopicsRequest = call.decode()?;
    call.decide(ControllerVerb::DeleteTopics(request.clone()), move |answer| match answer {
        Ok(ControllerReply::DeleteTopics(response)) => Ok(response),
        Ok(other) => Err(other),
        Err(code) => Ok(refusal(request, code)),
    });
    Ok(())
}

/// The same error for every topic: the controller could not decide at all.
fn refusal(request: DeleteTopicsRequest, code: ErrorCode) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Default::default()));
    let by_either = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let responses = by_name.chain(by_either).map(|(name, topic_id)| DeletableTopicResult {
        name,
        topic_id,
        error_code: code,
        ..DeletableTopicResult::default()
    });
    DeleteTopicsResponse { responses: responses.collect(), ..DeleteTopicsResponse::default() }
}
