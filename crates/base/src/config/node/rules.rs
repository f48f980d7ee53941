//! What configs mean together: Kafka's rules and its sentences.

use super::NodeConfig;
use crate::config::definition::Values;
use crate::config::error::ConfigError;
use crate::config::listener::ProtocolMap;
use crate::config::properties::Properties;
use crate::config::tables::{BROKER, BrokerConfig};

/// Checks the rules, in Kafka's order.
pub(super) fn check(node: &NodeConfig, values: &Values, protocols: &ProtocolMap) -> Result<(), ConfigError> {
    quorum(node)?;
    roles(node, protocols)?;
    advertised(node)?;
    limits(node, values)?;
    logs(node, values)
}

/// The name of the listener between brokers.
pub(super) fn inter_broker_listener(
    broker: &BrokerConfig,
    properties: &Properties,
    protocols: &ProtocolMap,
) -> Result<String, ConfigError> {
    let Some(name) = &broker.inter_broker_listener_name else {
        return Ok(broker.security_inter_broker_protocol.clone());
    };
    if properties.contains_key("security.inter.broker.protocol") {
        return rule(
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.",
        );
    }
    let name = name.to_uppercase();
    if protocols.get(&name).is_none() {
        return rule(format!(
            "Listener with name {name} defined in inter.broker.listener.name not found in \
             listener.security.protocol.map."
        ));
    }
    Ok(name)
}

/// The warning about a name that is no config; nothing for one that is, or that a plugin may know.
pub(super) fn warning(name: &str) -> Option<String> {
    const REMOVED: [&str; 11] = [
        "broker.id.generation.enable",
        "control.plane.listener.name",
        "delegation.token.master.key",
        "inter.broker.protocol.version",
        "log.cleaner.enable.compaction",
        "log.message.format.version",
        "log.message.timestamp.difference.max.ms",
        "offsets.commit.required.acks",
        "reserved.broker.max.id",
        "security.inter.broker.protocol.version",
        "zookeeper",
    ];
    const PLUGINS: [&str; 9] = [
        "listener.name.",
        "ssl.",
        "sasl.",
        "rsm.config.",
        "rlmm.config.",
        "config.providers.",
        "metrics.jmx.",
        "super.users",
        "allow.everyone.if.no.acl.found",
    ];
    if BROKER.index(name).is_some() || PLUGINS.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    let removed = REMOVED
        .iter()
        .any(|old| name.strip_prefix(old).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    Some(if removed {
        format!("{name} was removed in Kafka 4.0 and is ignored")
    } else {
        format!("{name} is not a config of Kafka 4.3 and is ignored")
    })
}

fn rule<T>(sentence: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Rule(sentence.into()))
}

fn quorum(node: &NodeConfig) -> Result<(), ConfigError> {
    if node.voters.is_empty() && node.bootstrap_servers.is_empty() {
        return rule(
            "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap \
             controllers or controller.quorum.voters must contain a parseable set of controllers.",
        );
    }
    let voters: Vec<String> = node.voters.iter().map(|voter| voter.id.to_string()).collect();
    let included = node.voters.iter().any(|voter| voter.id == node.node_id);
    let (node_id, voters) = (node.node_id, voters.join(", "));
    if !node.roles.controller && included {
        return rule(format!(
            "If process.roles contains just the 'broker' role, the node id {node_id} must not be included in the set \
             of voters controller.quorum.voters=Set({voters})"
        ));
    }
    if node.roles.controller && !node.voters.is_empty() && !included {
        return rule(format!(
            "If process.roles contains the 'controller' role, the node id {node_id} must be included in the set of \
             voters controller.quorum.voters=Set({voters})"
        ));
    }
    Ok(())
}

fn roles(node: &NodeConfig, protocols: &ProtocolMap) -> Result<(), ConfigError> {
    let (brokers, controllers) = (node.broker_listeners().count(), node.controller_listeners().count());
    if !node.roles.controller && controllers > 0 {
        return rule(
            "controller.listener.names must not contain a value appearing in the 'listeners' configuration when \
             running KRaft with just the broker role",
        );
    }
    if let Some(name) = node.controller_listener_names.iter().find(|name| protocols.get(name).is_none()) {
        return rule(format!(
            "Controller listener with name {name} defined in controller.listener.names not found in \
             listener.security.protocol.map  (an explicit security mapping for each controller listener is required if \
             listener.security.protocol.map is non-empty, or if there are security protocols other than PLAINTEXT in \
             use)"
        ));
    }
    if !node.roles.broker && brokers > 0 {
        return rule(
            "The listeners config must only contain KRaft controller listeners from controller.listener.names when \
             process.roles=controller",
        );
    }
    if node.roles.controller && controllers == 0 {
        return rule(
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration \
             when running the KRaft controller role",
        );
    }
    if node.roles.controller && controllers < node.controller_listener_names.len() {
        return rule(
            "controller.listener.names must only contain values appearing in the 'listeners' configuration when \
             running the KRaft controller role",
        );
    }
    Ok(())
}

fn advertised(node: &NodeConfig) -> Result<(), ConfigError> {
    if !node.roles.broker {
        return Ok(());
    }
    let own: Vec<&str> = node.broker_listeners().map(|listener| listener.name.as_str()).collect();
    let names: Vec<&str> = match &node.advertised_listeners {
        Some(all) => all.iter().map(|listener| listener.name.as_str()).collect(),
        None => own.clone(),
    };
    if names.is_empty() {
        return rule(
            "There must be at least one broker advertised listener. Perhaps all listeners appear in \
             controller.listener.names?",
        );
    }
    let mut advertised = node.advertised_listeners.iter().flatten();
    if let Some(listener) = advertised.find(|listener| listener.host.as_deref() == Some("0.0.0.0")) {
        return rule(format!(
            "advertised.listeners cannot use the nonroutable meta-address {}. Use a routable IP address.",
            listener.host.as_deref().unwrap_or_default()
        ));
    }
    if !names.contains(&node.inter_broker_listener.as_str()) {
        return rule(format!(
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options \
             based on currently configured listeners are {}",
            names.join(",")
        ));
    }
    if names.iter().any(|name| !own.contains(name)) {
        return rule(format!(
            "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found \
             {}. The valid options based on the current configuration are {}",
            names.join(","),
            own.join(",")
        ));
    }
    Ok(())
}

fn limits(node: &NodeConfig, values: &Values) -> Result<(), ConfigError> {
    let broker = &node.broker;
    if let Some(name) = values.list("early.start.listeners").iter().find(|name| {
        let name = name.to_uppercase();
        !node.is_controller_listener(&name) && !node.listeners.iter().any(|listener| listener.name == name)
    }) {
        return rule(format!(
            "early.start.listeners contains listener {}, but this is not contained in listeners or \
             controller.listener.names",
            name.to_uppercase()
        ));
    }
    let queued = broker.queued_max_request_bytes;
    if queued > 0 && queued < i64::from(broker.socket_request_max_bytes) {
        return rule("queued.max.request.bytes must be larger or equal to socket.request.max.bytes");
    }
    if broker.max_connections_per_ip == 0 && node.connections_per_ip_overrides.is_empty() {
        return rule(
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        );
    }
    let wait = values.integer("replica.fetch.wait.max.ms");
    if wait > values.integer("replica.socket.timeout.ms") {
        return rule(
            "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary \
             socket timeouts",
        );
    }
    if wait > values.integer("replica.lag.time.max.ms") {
        return rule(
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent \
             frequent changes in ISR",
        );
    }
    Ok(())
}

fn logs(node: &NodeConfig, values: &Values) -> Result<(), ConfigError> {
    let broker = &node.broker;
    let minutes = || broker.log_retention_minutes.map(|minutes| i64::from(minutes) * 60_000);
    let retention = broker.log_retention_ms.or_else(minutes);
    if retention.unwrap_or_else(|| i64::from(broker.log_retention_hours) * 3_600_000) == 0 {
        return rule("log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    }
    if broker.log_roll_ms.is_some_and(|roll| roll < 1) {
        return rule("log.roll.ms must be greater than or equal to 1");
    }
    if broker.log_roll_jitter_ms.is_some_and(|jitter| jitter < 0) {
        return rule("log.roll.jitter.ms must be greater than or equal to 0");
    }
    let cordoned = values.list("cordoned.log.dirs");
    let missing: Vec<&str> =
        cordoned.iter().filter(|dir| !node.log_dirs.contains(dir)).map(String::as_str).collect();
    if cordoned != ["*"] && !missing.is_empty() {
        return rule(format!(
            "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
            missing.join(", ")
        ));
    }
    Ok(())
}
