//! CreateTopics: decided by the controller; the reply comes when the topics' logs are there.

use std::sync::Arc;

use base::error_code::ErrorCode;
use metadata::controller::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use net::session::Close;
use protocol::messages::create_topics_request::CreateTopicsRequest;
use protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};

use crate::dispatch::{self, Call};
use crate::replies::Reply;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: CreateTopicsRequest = call.decode()?;
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let submitted = ControllerRequest {
        api_version: context.header.api_version,
        verb: ControllerVerb::CreateTopics(request.clone()),
        access: Arc::new(AllowAll),
    };
    let on_reply = Box::new(move |answer| {
        let reply = match answer {
            Ok(ControllerReply::CreateTopics(response)) => dispatch::reply(&context, &response),
            Ok(other) => Reply::Close(format!("CreateTopics was answered with {other:?}")),
            Err(code) => dispatch::reply(&context, &refusal(request, code)),
        };
        replies.answer(ticket, reply);
    });
    call.broker.controller().submit(submitted, on_reply);
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
