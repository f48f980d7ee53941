//! What a resource may have, and whether it is there.

use base::config::client_metrics::{self, ClientMetricsError};
use base::config::{Layers, Properties, group, topic};
use base::error_code::ErrorCode;
use base::ids::NodeId;
use base::refusal::Refusal;

use crate::controller::names;
use crate::image::{Image, Resource, ResourceType};

/// The longest value that a config may have, in UTF-16 code units.
const VALUE_LENGTH_MAX: usize = 32_767;

/// Refuses a value that is too long for the metadata log.
pub(crate) fn length(value: &str) -> Result<(), Refusal> {
    if value.encode_utf16().count() <= VALUE_LENGTH_MAX {
        return Ok(());
    }
    let message = format!(
        "The configuration value cannot be added because it exceeds the maximum value size of {VALUE_LENGTH_MAX} \
         bytes."
    );
    Err(Refusal::new(ErrorCode::INVALID_CONFIG, message))
}

/// Checks all configs that a resource would have. Its existence comes last.
pub(super) fn resource(
    image: &Image,
    layers: &Layers,
    resource: &Resource,
    all: &Properties,
) -> Result<(), Refusal> {
    let invalid_config =
        |error: base::config::ConfigError| Refusal::new(ErrorCode::INVALID_CONFIG, error.to_string());
    let invalid_request = |message: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    let name = resource.name.as_ref();
    match resource.kind {
        ResourceType::Topic if name.is_empty() => invalid_request("Default topic resources are not allowed."),
        ResourceType::Topic => {
            names::validate(name)
                .map_err(|reason| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, reason))?;
            topic::check(all, layers).map_err(invalid_config)?;
            if image.topic_by_name(name).is_none() {
                let message = format!("The topic '{name}' does not exist.");
                return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message));
            }
            Ok(())
        }
        ResourceType::Broker => broker(image, name),
        ResourceType::ClientMetrics => client_metrics::check(name, all).map_err(|error| match error {
            ClientMetricsError::Request(message) => Refusal::new(ErrorCode::INVALID_REQUEST, message),
            ClientMetricsError::Config(error) => invalid_config(error),
        }),
        ResourceType::Group if name.is_empty() => invalid_request("Default group resources are not allowed."),
        ResourceType::Group => group::check(all, layers).map_err(invalid_config),
    }
}

fn broker(image: &Image, name: &str) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    if name.is_empty() {
        return Ok(());
    }
    match name.parse() {
        Err(_) => invalid("Unable to parse broker name as a base 10 number."),
        Ok(id) if id < 0 => invalid("Invalid negative broker ID."),
        Ok(id) => {
            let id = NodeId(id);
            if image.broker(id).is_some() || image.controllers().any(|controller| controller.id == id) {
                return Ok(());
            }
            let message = format!("No node with id {id} found.");
            Err(Refusal::new(ErrorCode::BROKER_ID_NOT_REGISTERED, message))
        }
    }
}
