//! DescribeConfigs: the values that count, and where each comes from.
//!
//! The values are those of [`base::config::Layers`]; here it is only decided which resource is meant and whether it is
//! there.

use base::config::Properties;
use base::config::layers::{DescribedConfig, Synonym};
use base::error_code::ErrorCode;
use base::refusal::Refusal;
use metadata::controller::names;
use metadata::image::{Resource, ResourceType};
use net::session::Close;
use protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use crate::broker::Broker;
use crate::dispatch::Call;

/// The resource type of a broker's loggers, which no metadata record has.
const BROKER_LOGGER: i8 = 8;

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: DescribeConfigsRequest = call.decode()?;
    let results = request.resources.iter().map(|resource| describe(call.broker, &request, resource));
    let response = DescribeConfigsResponse { results: results.collect(), ..Default::default() };
    call.answer(&response)
}

fn describe(
    broker: &Broker,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> DescribeConfigsResult {
    let result = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..DescribeConfigsResult::default()
    };
    match configs(broker, resource) {
        Ok(configs) => {
            let wanted = |config: &DescribedConfig| {
                resource.configuration_keys.as_ref().is_none_or(|keys| keys.contains(&config.name))
            };
            let configs = configs.into_iter().filter(wanted).map(|config| row(config, request));
            DescribeConfigsResult { configs: configs.collect(), ..result }
        }
        Err(refusal) => DescribeConfigsResult {
            error_code: refusal.code,
            error_message: Some(refusal.message.unwrap_or_else(|| refusal.code.message().to_owned())),
            ..result
        },
    }
}

fn configs(broker: &Broker, resource: &DescribeConfigsResource) -> Result<Vec<DescribedConfig>, Refusal> {
    let refuse = |code, message: String| Err(Refusal { code, message: Some(message) });
    let name = resource.resource_name.as_str();
    let invalid = ErrorCode::INVALID_REQUEST;
    let layers = broker.layers();
    if resource.resource_type == BROKER_LOGGER {
        let message = "the levels of loggers are set by the environment variable OTTLA_LOG".to_owned();
        return refuse(ErrorCode::UNSUPPORTED_VERSION, message);
    }
    match ResourceType::from_number(resource.resource_type) {
        Some(ResourceType::Topic) => {
            if let Err(message) = names::validate(name) {
                return refuse(ErrorCode::INVALID_TOPIC_EXCEPTION, message);
            }
            if broker.image().topic_by_name(name).is_none() {
                return Err(Refusal { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message: None });
            }
            Ok(layers.describe_topic(&overrides(broker, ResourceType::Topic, name)))
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(layers.describe_broker_default()),
        Some(ResourceType::Broker) if name.parse() == Ok(broker.node().0) => Ok(layers.describe_broker()),
        Some(ResourceType::Broker) => {
            let own = broker.node();
            refuse(
                invalid,
                format!("Unexpected broker id, expected {own} or empty string, but received {name}"),
            )
        }
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            refuse(invalid, "Client metrics subscription name must not be empty".to_owned())
        }
        Some(ResourceType::ClientMetrics) => {
            Ok(layers.describe_client_metrics(&overrides(broker, ResourceType::ClientMetrics, name)))
        }
        Some(ResourceType::Group) if name.is_empty() => {
            refuse(invalid, "Group name must not be empty".to_owned())
        }
        Some(ResourceType::Group) => Ok(layers.describe_group(&overrides(broker, ResourceType::Group, name))),
        None => refuse(invalid, format!("Unsupported resource type: {}", resource.resource_type)),
    }
}

fn overrides(broker: &Broker, kind: ResourceType, name: &str) -> Properties {
    let resource = Resource { kind, name: name.into() };
    let image = broker.image();
    image.config(&resource).iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn row(config: DescribedConfig, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonym = |synonym: Synonym| DescribeConfigsSynonym {
        name: synonym.name,
        value: synonym.value,
        source: synonym.source as i8,
    };
    let synonyms = match request.include_synonyms {
        true => config.synonyms.into_iter().map(synonym).collect(),
        false => Vec::new(),
    };
    let documentation = config.documentation.filter(|_| request.include_documentation);
    DescribeConfigsResourceResult {
        name: config.name,
        value: config.value,
        read_only: config.read_only,
        config_source: config.source as i8,
        is_sensitive: config.sensitive,
        synonyms,
        config_type: config.kind.map_or(0, |kind| kind.id()),
        documentation: documentation.map(str::to_owned),
    }
}
