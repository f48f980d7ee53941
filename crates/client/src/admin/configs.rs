//! Configs of topics and brokers.

use protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

use super::Admin;
use crate::error::{Error, Result};

/// What a config belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceType {
    /// A topic, by name.
    Topic,
    /// A broker, by id.
    Broker,
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
    /// Any other place, by its number.
    Other(i8),
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
        let resource = |name: &&str| DescribeConfigsResource {
            resource_type: match resource_type {
                ResourceType::Topic => 2,
                ResourceType::Broker => 4,
            },
            resource_name: (*name).to_owned(),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest {
            resources: names.iter().map(resource).collect(),
            include_synonyms: false,
            include_documentation: false,
        };
        let what = "describing configs";
        let answer = match resource_type {
            ResourceType::Topic => {
                self.cluster.retry(what, || async { self.cluster.call_any(&request).await }).await?
            }
            ResourceType::Broker => {
                let node = names.first().and_then(|name| name.parse().ok()).unwrap_or(-1);
                let node = base::ids::NodeId(node);
                self.cluster.retry(what, || async { self.cluster.call(node, &request).await }).await?
            }
        };
        let result_of = |name: &&str| {
            let row = answer.results.iter().find(|row| row.resource_name == *name);
            let row =
                row.ok_or_else(|| Error::Corrupt(format!("the server's answer does not name {name}")))?;
            Error::check(row.error_code, row.error_message.clone())?;
            Ok(row.configs.iter().map(entry).collect())
        };
        Ok(names.iter().map(result_of).collect())
    }
}

fn entry(row: &DescribeConfigsResourceResult) -> ConfigEntry {
    let source = match row.config_source {
        1 => ConfigSource::DynamicTopic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        other => ConfigSource::Other(other),
    };
    ConfigEntry {
        name: row.name.clone(),
        value: row.value.clone(),
        source,
        read_only: row.read_only,
        sensitive: row.is_sensitive,
    }
}
