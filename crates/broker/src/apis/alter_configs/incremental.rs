//! IncrementalAlterConfigs (44).

use std::sync::Arc;

use metadata::controller::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use metadata::image::ResourceType;
use net::session::Close;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, IncrementalAlterConfigsRequest,
};
use protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use super::preprocess::{self, Altered, BROKER_LOGGER, Change, invalid};
use super::{Outcome, told};
use crate::broker::Broker;
use crate::dispatch::{self, Call};
use crate::replies::Reply;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let mut request: IncrementalAlterConfigsRequest = call.decode()?;
    let judged = judge(call.broker, &request);
    let rows: Vec<_> = request.resources.iter().zip(&judged).map(row).collect();
    let mut left = judged.iter().map(Option::is_none);
    request.resources.retain(|_| left.next().unwrap_or(false));
    if request.resources.is_empty() {
        return call.answer(&IncrementalAlterConfigsResponse { responses: rows, ..Default::default() });
    }
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    let submitted = ControllerRequest {
        api_version: context.header.api_version,
        verb: ControllerVerb::IncrementalAlterConfigs(request),
        access: Arc::new(AllowAll),
    };
    let on_reply = Box::new(move |answer| {
        let mut answered = match answer {
            Ok(ControllerReply::IncrementalAlterConfigs(response)) => Ok(response.responses.into_iter()),
            Ok(other) => {
                let reason = format!("IncrementalAlterConfigs was answered with {other:?}");
                return replies.answer(ticket, Reply::Close(reason));
            }
            Err(code) => Err(code),
        };
        let fill =
            |(row, judged): (AlterConfigsResourceResponse, Option<Outcome>)| match (&mut answered, judged) {
                (_, Some(_)) => row,
                (Ok(answers), None) => answers.next().unwrap_or(row),
                (Err(code), None) => AlterConfigsResourceResponse { error_code: *code, ..row },
            };
        let responses = rows.into_iter().zip(judged).map(fill).collect();
        let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
        replies.answer(ticket, dispatch::reply(&context, &response));
    });
    call.broker.controller().submit(submitted, on_reply);
    Ok(())
}

/// What is decided here already; nothing: the controller decides.
fn judge(broker: &Broker, request: &IncrementalAlterConfigsRequest) -> Vec<Option<Outcome>> {
    let key = |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.clone());
    let is_alone = |resource: &AlterConfigsResource| {
        request.resources.iter().filter(|other| key(other) == key(resource)).count() == 1
    };
    let judge = |resource: &AlterConfigsResource| {
        if !is_alone(resource) {
            return Some(Err(invalid("Each resource must appear at most once.")));
        }
        judge_one(broker, resource, request.validate_only).unwrap_or_else(|refusal| Some(Err(refusal)))
    };
    request.resources.iter().map(judge).collect()
}

fn judge_one(
    broker: &Broker,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<Option<Outcome>, base::refusal::Refusal> {
    let changes = resource.configs.iter().map(|config| Change {
        name: &config.name,
        operation: config.config_operation,
        value: config.value.as_deref(),
    });
    let altered =
        Altered { kind: resource.resource_type, name: &resource.resource_name, changes: changes.collect() };
    preprocess::check_keys(&altered.changes)?;
    match ResourceType::from_number(altered.kind) {
        Some(ResourceType::Broker) => preprocess::check_broker(broker, &altered)?,
        Some(_) => {}
        None if altered.kind == BROKER_LOGGER => {
            return preprocess::alter_loggers(broker, &altered, validate_only).map(|()| Some(Ok(())));
        }
        None => return Err(invalid(format!("Unknown resource type {}", altered.kind))),
    }
    Ok(None)
}

fn row((resource, judged): (&AlterConfigsResource, &Option<Outcome>)) -> AlterConfigsResourceResponse {
    let (error_code, error_message) = told(judged.clone().unwrap_or(Ok(())));
    AlterConfigsResourceResponse {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    }
}
