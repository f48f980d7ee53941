//! Configs of topics and brokers.

use base::ids::NodeId;
use protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsSynonym,
};
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use super::Admin;
use crate::call::Call;
use crate::error::{Error, Result};

/// What a config belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    /// A topic, by name.
    Topic,
    /// A broker, by id; all brokers without one.
    Broker,
    /// The loggers of a broker, by id.
    BrokerLogger,
    /// A client metrics subscription, by name.
    ClientMetrics,
    /// A group, by id.
    Group,
}

/// How one config of a resource changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// It gets this value.
    Set(String),
    /// It has no value of its own any more.
    Delete,
    /// A list gets these entries.
    Append(String),
    /// A list loses these entries.
    Subtract(String),
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for this topic.
    DynamicTopic,
    /// Set for this broker while it runs.
    DynamicBroker,
    /// Set for all brokers while they run.
    DynamicDefaultBroker,
    /// From the broker's file.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// The level of a broker's logger.
    DynamicBrokerLogger,
    /// Set for this client metrics subscription.
    DynamicClientMetrics,
    /// Set for this group.
    DynamicGroup,
    /// Any other place, by its number.
    Other(i8),
}

/// A value that a config has in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The config that is set there; it may be another one that stands in.
    pub name: String,
    /// Its value; none when it is secret.
    pub value: Option<String>,
    /// The place.
    pub source: ConfigSource,
}

/// A config with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; none when it has none or is secret.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed this way.
    pub read_only: bool,
    /// Whether the value is secret.
    pub sensitive: bool,
    /// All places that give it a value, the one that counts first. Empty when they were not asked for.
    pub synonyms: Vec<ConfigSynonym>,
}

impl Admin {
    /// All configs of each resource, in the order of the names. Topics may be asked for together, brokers one at a time.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the server does not have DescribeConfigs.
    pub async fn describe_configs(
        &self,
        resource_type: ResourceType,
        names: &[&str],
    ) -> Result<Vec<Result<Vec<ConfigEntry>>>> {
        let answer = self.ask_configs(resource_type, names, false).await?;
        let result_of = |name: &&str| entries(&answer, name);
        Ok(names.iter().map(result_of).collect())
    }

    /// All configs of one resource with their synonyms, in the server's order.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the server does not have DescribeConfigs; its own refusal.
    pub async fn describe_config(
        &self,
        resource_type: ResourceType,
        name: &str,
        synonyms: bool,
    ) -> Result<Vec<ConfigEntry>> {
        let answer = self.ask_configs(resource_type, &[name], synonyms).await?;
        entries(&answer, name)
    }

    /// Changes configs of one resource, all or none of them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the server does not have IncrementalAlterConfigs; its own refusal.
    pub async fn alter_config(
        &self,
        resource_type: ResourceType,
        name: &str,
        changes: &[(String, ConfigChange)],
    ) -> Result<()> {
        let config = |(name, change): &(String, ConfigChange)| {
            let (config_operation, value) = match change {
                ConfigChange::Set(value) => (0, value.clone()),
                ConfigChange::Delete => (1, String::new()),
                ConfigChange::Append(value) => (2, value.clone()),
                ConfigChange::Subtract(value) => (3, value.clone()),
            };
            AlterableConfig { name: name.clone(), config_operation, value: Some(value) }
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: resource_type.number(),
                resource_name: name.to_owned(),
                configs: changes.iter().map(config).collect(),
            }],
            validate_only: false,
        };
        let answer = self.ask_about("altering configs", resource_type, name, &request).await?;
        let row = answer.responses.into_iter().next();
        let row = row.ok_or_else(|| Error::Corrupt(format!("the server's answer does not name {name}")))?;
        Error::check(row.error_code, row.error_message)
    }

    async fn ask_configs(
        &self,
        resource_type: ResourceType,
        names: &[&str],
        include_synonyms: bool,
    ) -> Result<DescribeConfigsResponse> {
        let resource = |name: &&str| DescribeConfigsResource {
            resource_type: resource_type.number(),
            resource_name: (*name).to_owned(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            include_synonyms,
            include_documentation: false,
        };
        let first = names.first().copied().unwrap_or_default();
        self.ask_about("describing configs", resource_type, first, &request).await
    }

    /// A broker is asked about itself; everything else anybody knows.
    async fn ask_about<R: Call>(
        &self,
        what: &str,
        resource_type: ResourceType,
        name: &str,
        request: &R,
    ) -> Result<R::Response> {
        let of_broker = matches!(resource_type, ResourceType::Broker | ResourceType::BrokerLogger);
        if of_broker && !name.is_empty() {
            let node = NodeId(name.parse().unwrap_or(-1));
            return self.cluster.retry(what, || async { self.cluster.call(node, request).await }).await;
        }
        self.cluster.retry(what, || async { self.cluster.call_any(request).await }).await
    }
}

impl ResourceType {
    /// The number in requests.
    fn number(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

impl ConfigSource {
    fn from_number(number: i8) -> Self {
        match number {
            1 => Self::DynamicTopic,
            2 => Self::DynamicBroker,
            3 => Self::DynamicDefaultBroker,
            4 => Self::StaticBroker,
            5 => Self::Default,
            6 => Self::DynamicBrokerLogger,
            7 => Self::DynamicClientMetrics,
            8 => Self::DynamicGroup,
            other => Self::Other(other),
        }
    }

    /// Kafka's name of the place.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamicTopic => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBroker => "STATIC_BROKER_CONFIG",
            Self::Default => "DEFAULT_CONFIG",
            Self::DynamicBrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::DynamicClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::DynamicGroup => "DYNAMIC_GROUP_CONFIG",
            Self::Other(_) => "UNKNOWN",
        }
    }
}

fn entries(answer: &DescribeConfigsResponse, name: &str) -> Result<Vec<ConfigEntry>> {
    let row = answer.results.iter().find(|row| row.resource_name == name);
    let row = row.ok_or_else(|| Error::Corrupt(format!("the server's answer does not name {name}")))?;
    Error::check(row.error_code, row.error_message.clone())?;
    Ok(row.configs.iter().map(entry).collect())
}

fn entry(row: &DescribeConfigsResourceResult) -> ConfigEntry {
    let synonym = |row: &DescribeConfigsSynonym| ConfigSynonym {
        name: row.name.clone(),
        value: row.value.clone(),
        source: ConfigSource::from_number(row.source),
    };
    ConfigEntry {
        name: row.name.clone(),
        value: row.value.clone(),
        source: ConfigSource::from_number(row.config_source),
        read_only: row.read_only,
        sensitive: row.is_sensitive,
        synonyms: row.synonyms.iter().map(synonym).collect(),
    }
}
