//! CreatePartitions: decided by the controller; the reply comes when the partitions' logs are there.

use std::sync::Arc;

use base::error_code::ErrorCode;
use metadata::controller::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use net::session::Close;
use protocol::messages::create_partitions_request::CreatePartitionsRequest;
use protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use crate::dispatch::{self, Call};
use crate::replies::Reply;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: CreatePartitionsRequest = call.decode()?;
    // Kafka's controller finds the deadline over when it takes up the request.
    if request.timeout_ms <= 0 && !request.topics.is_empty() {
        return call.answer(&refusal(request, ErrorCode::REQUEST_TIMED_OUT));
    }
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let submitted = ControllerRequest {
        api_version: context.header.api_version,
        verb: ControllerVerb::CreatePartitions(request.clone()),
        access: Arc::new(AllowAll),
    };
    let on_reply = Box::new(move |answer| {
        let reply = match answer {
            Ok(ControllerReply::CreatePartitions(response)) => dispatch::reply(&context, &response),
            Ok(other) => Reply::Close(format!("CreatePartitions was answered with {other:?}")),
            Err(code) => dispatch::reply(&context, &refusal(request, code)),
        };
        replies.answer(ticket, reply);
    });
    call.broker.controller().submit(submitted, on_reply);
    Ok(())
}

/// The same error for every topic: the controller could not decide at all.
fn refusal(request: CreatePartitionsRequest, code: ErrorCode) -> CreatePartitionsResponse {
    let results = request.topics.into_iter().map(|topic| CreatePartitionsTopicResult {
        name: topic.name,
        error_code: code,
        ..CreatePartitionsTopicResult::default()
    });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}
