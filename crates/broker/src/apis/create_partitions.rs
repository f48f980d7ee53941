//! CreatePartitions: decided by the controller; the reply comes when the partitions' logs are there.

use base::error_code::ErrorCode;
use metadata::controller::{ControllerReply, ControllerVerb};
use net::session::Close;
use protocol::messages::create_partitions_request::CreatePartitionsRequest;
use protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use crate::dispatch::Call;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: CreatePartitionsRequest = call.decode()?;
    // Kafka's controller finds the deadline over when it takes up the request.
    if request.timeout_ms <= 0 && !request.topics.is_empty() {
        return call.answer(&refusal(request, ErrorCode::REQUEST_TIMED_OUT));
    }
    call.decide(ControllerVerb::CreatePartitions(request.clone()), move |answer| match answer {
        Ok(ControllerReply::CreatePartitions(response)) => Ok(response),
        Ok(other) => Err(other),
        Err(code) => Ok(refusal(request, code)),
    });
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
