//! Topics, configs, offsets and the cluster itself, for tools and applications that manage.
//!
//! Each call is tried until it succeeds, is refused for good, or `api_timeout` is over. Where a call takes many items,
//! each has its own result; what the caller gets as `Err` of the call itself concerns all of them.

mod configs;
mod log_dirs;
mod offsets;
mod records;
mod topics;

use std::sync::Arc;

use base::ids::NodeId;
use protocol::api::ApiKey;
use protocol::messages::describe_cluster_request::DescribeClusterRequest;

pub use configs::{ConfigChange, ConfigEntry, ConfigSource, ConfigSynonym, ResourceType};
pub use log_dirs::{LogDirDescription, LogDirPartition};
pub use offsets::{ListedOffset, OffsetSpec};
pub(crate) use offsets::{list_offsets, offsets_once};
pub use topics::{CreatedTopic, NewTopic, TopicDescription, TopicName, TopicPartitionDescription};

use crate::cluster::{Broker, Cluster};
use crate::error::{Error, Result};
use crate::options::ClientOptions;
use crate::versions::{VersionRange, usable};

/// A handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
}

/// What [`Admin::describe_cluster`] tells.
#[derive(Clone, Debug)]
pub struct ClusterDescription {
    /// The cluster's id.
    pub cluster_id: String,
    /// Where requests for the controller go.
    pub controller: Option<NodeId>,
    /// Brokers that are alive, lowest id first.
    pub brokers: Vec<Broker>,
}

/// One line of [`Admin::api_versions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    /// The api, which may be unknown here.
    pub key: ApiKey,
    /// What the broker has.
    pub broker: VersionRange,
    /// What both have; nothing when there is no common version.
    pub usable: Option<VersionRange>,
}

impl Admin {
    /// Connects to a cluster.
    ///
    /// # Errors
    /// Those of [`Cluster::connect`].
    pub async fn connect(options: ClientOptions) -> Result<Self> {
        Ok(Self { cluster: Cluster::connect(options).await? })
    }

    /// The administration of a cluster that is connected already.
    pub fn of(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The id of the cluster and its brokers.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription> {
        let described = self.cluster.retry("describing the cluster", || async {
            let answer = self.cluster.call_any(&DescribeClusterRequest::default()).await?;
            Error::check(answer.error_code, answer.error_message.clone())?;
            Ok(answer)
        });
        let answer = match described.await {
            Err(Error::Unsupported(_)) => return self.cluster_from_metadata().await,
            answer => answer?,
        };
        let mut brokers: Vec<Broker> = answer
            .brokers
            .into_iter()
            .map(|row| Broker { id: NodeId(row.broker_id), host: row.host, port: row.port, rack: row.rack })
            .collect();
        brokers.sort_by_key(|broker| broker.id);
        let controller = (answer.controller_id >= 0).then_some(NodeId(answer.controller_id));
        Ok(ClusterDescription { cluster_id: answer.cluster_id, controller, brokers })
    }

    /// For servers without DescribeCluster.
    async fn cluster_from_metadata(&self) -> Result<ClusterDescription> {
        self.cluster.refresh().await?;
        let metadata = self.cluster.metadata();
        Ok(ClusterDescription {
            cluster_id: metadata.cluster_id.clone().unwrap_or_default(),
            controller: metadata.controller,
            brokers: metadata.brokers.values().cloned().collect(),
        })
    }

    /// What a broker has of all apis, lowest key first.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn api_versions(&self, node: NodeId) -> Result<Vec<ApiVersion>> {
        let connection =
            self.cluster.retry("connecting", || async { self.cluster.connection(node).await }).await?;
        let rows = connection.all_versions().into_iter();
        Ok(rows.map(|(key, broker)| ApiVersion { key, broker, usable: usable(key, broker) }).collect())
    }

    /// Whether some broker has the api in a version that is known here.
    ///
    /// # Errors
    /// When no broker can be reached.
    pub async fn has(&self, key: ApiKey) -> Result<bool> {
        let connection =
            self.cluster.retry("connecting", || async { self.cluster.any_connection().await }).await?;
        Ok(connection.versions(key).is_some_and(|range| usable(key, range).is_some()))
    }

    /// Names of all topics, in order; internal ones too when asked for.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub async fn list_topics(&self, internal: bool) -> Result<Vec<Arc<str>>> {
        let answer = self
            .cluster
            .retry("listing topics", || async { self.cluster.ask_metadata(None, false).await })
            .await?;
        let topics = answer.topics.into_iter().filter(|topic| internal || !topic.is_internal);
        let mut names: Vec<Arc<str>> = topics.filter_map(|topic| topic.name.map(Into::into)).collect();
        names.sort_unstable();
        Ok(names)
    }
}
