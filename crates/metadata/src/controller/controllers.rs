//! ControllerRegistration (70): where controllers are reached and what they support (KIP-919).

use base::error_code::ErrorCode;
use machine::{Decision, View};
use protocol::messages::controller_registration_request::ControllerRegistrationRequest;
use protocol::messages::controller_registration_response::ControllerRegistrationResponse;
use protocol::metadata_record::MetadataRecord;
use protocol::records::register_controller_record::{
    ControllerEndpoint, ControllerFeature, RegisterControllerRecord,
};

use super::{Controller, ControllerReply};
use crate::image::METADATA_VERSION;
use crate::state::State;
use crate::version::level;

/// Decides on a registration.
pub(crate) fn register(
    view: &View<'_, State>,
    request: &ControllerRegistrationRequest,
) -> Decision<Controller> {
    if view.hard.image().feature(METADATA_VERSION) < level::CONTROLLER_REGISTRATION {
        return Decision::reply(ControllerReply::RegisterController(ControllerRegistrationResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            error_message: Some(
                "The current MetadataVersion is too old to support controller registrations.".to_owned(),
            ),
            ..Default::default()
        }));
    }
    let endpoints = request.listeners.iter().map(|listener| ControllerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..Default::default()
    });
    let features = request.features.iter().map(|feature| ControllerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
        ..Default::default()
    });
    let record = MetadataRecord::RegisterController(RegisterControllerRecord {
        controller_id: request.controller_id,
        incarnation_id: request.incarnation_id,
        zk_migration_ready: request.zk_migration_ready,
        end_points: endpoints.collect(),
        features: features.collect(),
        ..Default::default()
    });
    {
        let response = ControllerRegistrationResponse { error_message: None, ..Default::default() };
        Decision::write(vec![record], ControllerReply::RegisterController(response))
    }
}
