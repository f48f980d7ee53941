//! DescribeConfigs: the values that count, and where each comes from.
//!
//! The values are those of [`base::config::Layers`]; here it is only decided which resource is meant and whether it is
//! there. Codes and sentences are Kafka's: what is described carries an empty one.

use base::config::layers::{DescribedConfig, Synonym};
use base::config::{ConfigSource, Properties};
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
            DescribeConfigsResult { configs: configs.collect(), error_message: Some(String::new()), ..result }
        }
        Err(refusal) => {
            DescribeConfigsResult { error_code: refusal.code, error_message: refusal.message, ..result }
        }
    }
}

fn configs(broker: &Broker, resource: &DescribeConfigsResource) -> Result<Vec<DescribedConfig>, Refusal> {
    let name = resource.resource_name.as_str();
    let layers = broker.layers();
    if resource.resource_type == BROKER_LOGGER {
        check_own(broker, name, false)?;
        return Ok(loggers(broker));
    }
    match ResourceType::from_number(resource.resource_type) {
        Some(ResourceType::Topic) => {
            names::validate(name)
                .map_err(|message| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message))?;
            if broker.image().topic_by_name(name).is_none() {
                return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ""));
            }
            Ok(layers.describe_topic(&overrides(broker, ResourceType::Topic, name)))
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(layers.describe_broker_default()),
        Some(ResourceType::Broker) => {
            check_own(broker, name, true)?;
            Ok(layers.describe_broker())
        }
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            Err(invalid("Client metrics subscription name must not be empty"))
        }
        Some(ResourceType::ClientMetrics) => {
            Ok(layers.describe_client_metrics(&overrides(broker, ResourceType::ClientMetrics, name)))
        }
        Some(ResourceType::Group) if name.is_empty() => Err(invalid("Group name must not be empty")),
        Some(ResourceType::Group) => Ok(layers.describe_group(&overrides(broker, ResourceType::Group, name))),
        None => Err(invalid(ErrorCode::INVALID_REQUEST.message())),
    }
}

/// Only this broker knows its configs and loggers.
fn check_own(broker: &Broker, name: &str, or_all: bool) -> Result<(), Refusal> {
    let own = broker.node();
    match name.parse::<i32>() {
        Ok(id) if id == own.0 => Ok(()),
        Ok(id) if or_all => {
            Err(invalid(format!("Unexpected broker id, expected {own} or empty string, but received {id}")))
        }
        Ok(id) => Err(invalid(format!("Unexpected broker id, expected {own} but received {id}"))),
        Err(_) if name.is_empty() => Err(invalid("Broker id must not be empty")),
        Err(_) => Err(invalid(format!("Broker id must be an integer, but it is: {name}"))),
    }
}

/// Every logger with its level. Kafka says no type of theirs.
fn loggers(broker: &Broker) -> Vec<DescribedConfig> {
    let logger = |(name, level): (&str, &str)| DescribedConfig {
        name: name.to_owned(),
        value: Some(level.to_owned()),
        read_only: false,
        source: ConfigSource::DynamicBrokerLogger,
        sensitive: false,
        synonyms: Vec::new(),
        kind: None,
        documentation: Some(""),
    };
    broker.loggers().levels().into_iter().map(logger).collect()
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, message)
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
