//! Everything a start needs from `server.properties`, checked.
//!
//! The checks are those of Kafka's config class, in its order and with its sentences. Invariant: a `NodeConfig` has at
//! least one listener for each of its roles, and every listener has a security protocol.

use super::definition::Values;
use super::error::ConfigError;
use super::layers::Layers;
use super::listener::{self, HostPort, Listener, ProtocolMap, Voter};
use super::properties::Properties;
use super::tables::{BROKER, BrokerConfig};
use super::value::{Value, trim};
use crate::ids::NodeId;

mod rules;
#[cfg(test)]
mod tests;

/// What a node was started with.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The plain configs.
    pub broker: BrokerConfig,
    /// `node.id`.
    pub node_id: NodeId,
    /// `process.roles`.
    pub roles: Roles,
    /// Every listener to bind, in the order of `listeners`.
    pub listeners: Vec<Listener>,
    /// `advertised.listeners`. Nothing: not configured, a client is told the address that it dialled.
    pub advertised_listeners: Option<Vec<Listener>>,
    /// The listener by which brokers reach each other, in capitals.
    pub inter_broker_listener: String,
    /// `controller.listener.names`, in capitals; the first is the one that brokers dial.
    pub controller_listener_names: Vec<String>,
    /// `controller.quorum.voters`.
    pub voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`.
    pub bootstrap_servers: Vec<HostPort>,
    /// `log.dirs`, or `log.dir` when that is not set. Not empty.
    pub log_dirs: Vec<String>,
    /// `metadata.log.dir`, or the first of `log_dirs`.
    pub metadata_log_dir: String,
    /// `max.connections.per.ip.overrides`: host or address, and its limit.
    pub connections_per_ip_overrides: Vec<(String, i32)>,
    /// What was set, for topics' defaults and for DescribeConfigs. Dynamic configs are added to it later.
    pub layers: Layers,
}

/// `process.roles`; at least one is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Stores and serves records.
    pub broker: bool,
    /// Votes in the metadata quorum.
    pub controller: bool,
}

impl NodeConfig {
    /// Checks what was set.
    ///
    /// # Errors
    /// The first fault, as a sentence that names the config and its value.
    pub fn parse(mut properties: Properties) -> Result<Self, ConfigError> {
        unite_ids(&mut properties)?;
        let values = BROKER.parse(&properties)?;
        let broker = BrokerConfig::of(&values);
        let roles = Roles {
            broker: broker.process_roles.iter().any(|role| role == "broker"),
            controller: broker.process_roles.iter().any(|role| role == "controller"),
        };
        let protocols = effective_protocols(&broker, &properties)?;
        let listeners = listener::listeners(&broker.listeners, &protocols, true)?;
        let advertised = broker.advertised_listeners.as_ref();
        let advertised =
            advertised.map(|entries| listener::listeners(entries, &protocols, false)).transpose()?;
        let controller_listener_names: Vec<String> =
            broker.controller_listener_names.iter().map(|name| name.to_uppercase()).collect();
        let log_dirs = broker.log_dirs.clone().unwrap_or_else(|| broker.log_dir.clone());
        let metadata_log_dir = broker.metadata_log_dir.clone().filter(|dir| !dir.is_empty());
        let node = Self {
            node_id: NodeId(broker.node_id),
            roles,
            listeners,
            advertised_listeners: advertised.map(|all| {
                all.into_iter().filter(|one| !controller_listener_names.contains(&one.name)).collect()
            }),
            inter_broker_listener: rules::inter_broker_listener(&broker, &properties, &protocols)?,
            controller_listener_names,
            voters: each(&broker.controller_quorum_voters, listener::voter)?,
            bootstrap_servers: each(&broker.controller_quorum_bootstrap_servers, listener::host_port)?,
            metadata_log_dir: metadata_log_dir.unwrap_or_else(|| log_dirs[0].clone()),
            log_dirs,
            connections_per_ip_overrides: connection_overrides(&broker.max_connections_per_ip_overrides)?,
            layers: Layers::of_static(properties),
            broker,
        };
        rules::check(&node, &values, &protocols)?;
        node.layers.topic_config(&Properties::new())?;
        Ok(node)
    }

    /// What a node needs when nobody configured it, both roles on this machine alone and data in `log_dir`; and over that
    /// what is `given`. Who gives only listeners for clients keeps the controller's.
    pub fn without_file(log_dir: &str, mut given: Properties) -> Properties {
        const CONTROLLER: &str = "CONTROLLER://127.0.0.1:9093";
        if let Some(listeners) = given.get_mut("listeners")
            && !listeners.to_uppercase().contains("CONTROLLER://")
        {
            *listeners = format!("{listeners},{CONTROLLER}");
        }
        let defaults = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", &format!("PLAINTEXT://127.0.0.1:9092,{CONTROLLER}")),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "127.0.0.1:9093"),
            ("offsets.topic.replication.factor", "1"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("share.coordinator.state.topic.replication.factor", "1"),
            ("share.coordinator.state.topic.min.isr", "1"),
            ("log.dirs", log_dir),
        ];
        for (name, value) in defaults {
            given.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        given
    }

    /// The listeners for clients and other brokers.
    pub fn broker_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|listener| !self.is_controller_listener(&listener.name))
    }

    /// The listeners of the metadata quorum.
    pub fn controller_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|listener| self.is_controller_listener(&listener.name))
    }

    /// Whether a listener is one of `controller.listener.names`.
    pub fn is_controller_listener(&self, name: &str) -> bool {
        self.controller_listener_names.iter().any(|other| other == name)
    }

    /// A sentence for every name that was set and is no config of Kafka 4.3, for the log at the start.
    pub fn warnings(&self) -> Vec<String> {
        self.layers.static_broker.keys().filter_map(|name| rules::warning(name)).collect()
    }

    /// The configs that were set and have no effect yet, for the log at the start.
    pub fn set_without_effect(&self) -> Vec<&str> {
        let built = |name: &str| BROKER.get(name).is_none_or(|definition| definition.built);
        self.layers.static_broker.keys().map(String::as_str).filter(|name| !built(name)).collect()
    }
}

/// `broker.id` is the old name of `node.id`: either gives both.
fn unite_ids(properties: &mut Properties) -> Result<(), ConfigError> {
    match (properties.get("node.id").cloned(), properties.get("broker.id").cloned()) {
        (Some(node), Some(broker)) if trim(&node) != trim(&broker) => {
            return Err(ConfigError::Rule("You must set `node.id` to the same value as `broker.id`.".into()));
        }
        (Some(id), None) => drop(properties.insert("broker.id".into(), id)),
        (None, Some(id)) => drop(properties.insert("node.id".into(), id)),
        _ => {}
    }
    Ok(())
}

/// The map as configured. Nobody configured it and no name speaks of SSL or SASL: controllers' listeners are in the clear.
fn effective_protocols(broker: &BrokerConfig, properties: &Properties) -> Result<ProtocolMap, ConfigError> {
    let mut map = ProtocolMap::parse(&broker.listener_security_protocol_map)?;
    let secured = |name: &str| ["SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(&name.to_uppercase().as_str());
    let names = || broker.controller_listener_names.iter().map(String::as_str);
    let listeners = broker.listeners.iter().map(|entry| entry.split("://").next().unwrap_or_default());
    if !properties.contains_key("listener.security.protocol.map") && !names().chain(listeners).any(secured) {
        names().for_each(|name| map.add_plaintext(name));
    }
    Ok(map)
}

/// Reads `max.connections.per.ip.overrides`: host or address, and its limit.
///
/// # Errors
/// An entry is not `HOST:CONNECTIONS`.
pub fn connection_overrides(text: &str) -> Result<Vec<(String, i32)>, ConfigError> {
    let entry = |entry: &str| {
        let (host, limit) = entry.rsplit_once(':')?;
        Some((trim(host).to_owned(), trim(limit).parse().ok()?))
    };
    let entries = text.split(',').map(trim).filter(|entry| !entry.is_empty());
    entries
        .map(|text| {
            entry(text).filter(|(host, _)| !host.is_empty() && !host.contains(' ')).ok_or_else(|| {
                let why = "expected HOST:CONNECTIONS entries";
                ConfigError::invalid("max.connections.per.ip.overrides", text, why)
            })
        })
        .collect()
}

fn each<T>(entries: &[String], read: impl Fn(&str) -> Result<T, ConfigError>) -> Result<Vec<T>, ConfigError> {
    entries.iter().map(|entry| read(entry)).collect()
}

impl Values {
    /// The whole number of a config that is no field.
    fn integer(&self, name: &str) -> Option<i64> {
        BROKER.index(name).and_then(|index| self.at(index).integer())
    }

    /// The entries of a config that is no field.
    fn list(&self, name: &str) -> &[String] {
        match BROKER.index(name).map(|index| self.at(index)) {
            Some(Value::List(entries)) => entries,
            _ => &[],
        }
    }
}
