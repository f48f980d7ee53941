//! Configs: what Kafka's configs are called, which values they take, and which value counts.
//!
//! ```text
//!   defs/configs/*.def ──build──▶ BROKER TOPIC GROUP CLIENT_METRICS   (tables: name, type, default, check, doc)
//!                                 BrokerConfig TopicConfig            (structs: what has an effect)
//!   server.properties ──properties──▶ Properties ──NodeConfig::parse──▶ everything a start needs, checked
//!   Layers{static, dynamic default, dynamic broker} + a topic's overrides ──▶ TopicConfig, or the answer of DescribeConfigs
//! ```
//!
//! Text is looked up here alone: whoever runs reads fields of a struct. Invariant: a struct exists only with values that
//! passed every check of their table.

pub mod client_metrics;
pub mod definition;
pub mod dynamic;
pub mod error;
pub mod group;
pub mod kinds;
pub mod layers;
pub mod listener;
pub mod node;
pub mod properties;
pub mod reference;
pub mod security;
pub mod tables;
pub mod topic;
pub mod value;

pub use definition::{Definition, Table, Values};
pub use error::ConfigError;
pub use kinds::{CleanupPolicy, Password, TimestampType, TopicCompression};
pub use layers::{ConfigSource, Layers};
pub use listener::{Listener, SecurityProtocol};
pub use node::NodeConfig;
pub use properties::Properties;
pub use security::unbuilt_security;
pub use tables::{BROKER, BrokerConfig, CLIENT_METRICS, GROUP, TOPIC, TopicConfig};
