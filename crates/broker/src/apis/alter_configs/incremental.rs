//! IncrementalAlterConfigs (44).

use base::refusal::told;
use metadata::controller::{ControllerReply, ControllerVerb};
use metadata::image::ResourceType;
use net::session::Close;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, IncrementalAlterConfigsRequest,
};
use protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use super::preprocess::{self, Altered, BROKER_LOGGER, Change, invalid};
use super::{Outcome, keep_undecided, merged};
use crate::broker::Broker;
use crate::dispatch::Call;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let mut request: IncrementalAlterConfigsRequest = call.decode()?;
    let judged = judge(call.broker, &request);
    let rows: Vec<_> = request.resources.iter().zip(&judged).map(row).collect();
    keep_undecided(&mut request.resources, &judged);
    if request.resources.is_empty() {
        return call.answer(&IncrementalAlterConfigsResponse { responses: rows, ..Default::default() });
    }
    call.decide(ControllerVerb::IncrementalAlterConfigs(request), move |answer| {
        let answered = match answer {
            Ok(ControllerReply::IncrementalAlterConfigs(response)) => Ok(response.responses),
            Ok(other) => return Err(other),
            Err(code) => Err(code),
        };
        let refused = |row, error_code| AlterConfigsResourceResponse { error_code, ..row };
        let responses = merged(rows, &judged, answered, refused);
        Ok(IncrementalAlterConfigsResponse { responses, ..Default::default() })
    });
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
