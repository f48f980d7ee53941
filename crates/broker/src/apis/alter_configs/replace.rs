//! AlterConfigs (33): the configs named become all that the resource has.

use std::collections::BTreeSet;

use base::refusal::told;
use metadata::controller::{ControllerReply, ControllerVerb};
use metadata::image::ResourceType;
use net::session::Close;
use protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};

use super::preprocess::{self, Altered, Change, invalid};
use super::{Outcome, keep_undecided, merged};
use crate::broker::Broker;
use crate::dispatch::Call;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let mut request: AlterConfigsRequest = call.decode()?;
    let judged = judge(call.broker, &request)?;
    let rows: Vec<_> = request.resources.iter().zip(&judged).map(row).collect();
    keep_undecided(&mut request.resources, &judged);
    if request.resources.is_empty() {
        return call.answer(&AlterConfigsResponse { responses: rows, ..Default::default() });
    }
    call.decide(ControllerVerb::AlterConfigs(request), move |answer| {
        let answered = match answer {
            Ok(ControllerReply::AlterConfigs(response)) => Ok(response.responses),
            Ok(other) => return Err(other),
            Err(code) => Err(code),
        };
        let refused = |row, error_code| AlterConfigsResourceResponse { error_code, ..row };
        let responses = merged(rows, &judged, answered, refused);
        Ok(AlterConfigsResponse { responses, ..Default::default() })
    });
    Ok(())
}

/// What is decided here already; nothing: the controller decides.
///
/// # Errors
/// A resource stands twice: Kafka closes the connection.
fn judge(broker: &Broker, request: &AlterConfigsRequest) -> Result<Vec<Option<Outcome>>, Close> {
    let mut seen = BTreeSet::new();
    for resource in &request.resources {
        if !seen.insert((resource.resource_type, &resource.resource_name)) {
            return Err(Close(format!("AlterConfigs names {} twice", resource.resource_name)));
        }
    }
    let judge = |resource: &AlterConfigsResource| judge_one(broker, resource).err().map(Err);
    Ok(request.resources.iter().map(judge).collect())
}

fn judge_one(broker: &Broker, resource: &AlterConfigsResource) -> Outcome {
    let changes = resource.configs.iter().map(|config| Change::set(&config.name, config.value.as_deref()));
    let altered =
        Altered { kind: resource.resource_type, name: &resource.resource_name, changes: changes.collect() };
    preprocess::check_keys(&altered.changes)?;
    match ResourceType::from_number(altered.kind) {
        Some(ResourceType::Broker) => preprocess::check_broker_whole(broker, &altered),
        Some(_) => Ok(()),
        None => Err(invalid(format!("Unknown resource type {}", altered.kind))),
    }
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
