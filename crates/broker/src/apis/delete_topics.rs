//! DeleteTopics: decided by the controller; the reply comes when nobody is told of the topics any more.

use std::sync::Arc;

use base::error_code::ErrorCode;
use metadata::controller::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use net::session::Close;
use protocol::messages::delete_topics_request::DeleteTopicsRequest;
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

use crate::dispatch::{self, Call};
use crate::replies::Reply;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DeleteTopicsRequest = call.decode()?;
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let submitted = ControllerRequest {
        api_version: context.header.api_version,
        verb: ControllerVerb::DeleteTopics(request.clone()),
        access: Arc::new(AllowAll),
    };
    let on_reply = Box::new(move |answer| {
        let reply = match answer {
            Ok(ControllerReply::DeleteTopics(response)) => dispatch::reply(&context, &response),
            Ok(other) => Reply::Close(format!("DeleteTopics was answered with {other:?}")),
            Err(code) => dispatch::reply(&context, &refusal(request, code)),
        };
        replies.answer(ticket, reply);
    });
    call.broker.controller().submit(submitted, on_reply);
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
