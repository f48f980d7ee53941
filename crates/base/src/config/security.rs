//! Settings that promise protection which is not built yet.
//!
//! Ignoring one of them would leave a node open that its owner believes closed, so a node refuses to start with them.

use super::listener::SecurityProtocol;
use super::node::NodeConfig;
use super::tables::BROKER;

/// A sentence for every such setting; none: the node may start.
pub fn unbuilt_security(node: &NodeConfig) -> Vec<String> {
    let mut sentences = Vec::new();
    for listener in &node.listeners {
        if listener.security_protocol != SecurityProtocol::Plaintext {
            sentences.push(format!(
                "listeners: {listener} wants {}, which is not supported yet; only PLAINTEXT is",
                listener.security_protocol
            ));
        }
    }
    let class = &node.broker.authorizer_class_name;
    if !class.is_empty() {
        sentences.push(format!(
            "authorizer.class.name is {class}, but access control is not supported yet; take the setting out to run \
             without it"
        ));
    }
    for name in
        ["principal.builder.class", "create.topic.policy.class.name", "alter.config.policy.class.name"]
    {
        let default = BROKER.get(name).and_then(|definition| definition.default_value());
        if let Some(class) = node.layers.static_broker.get(name)
            && default.is_none_or(|default| default.to_string() != *class)
        {
            sentences.push(format!("{name} is {class}, a Java class, which cannot run here"));
        }
    }
    if node.layers.static_broker.contains_key("delegation.token.secret.key") {
        sentences
            .push("delegation.token.secret.key is set, but delegation tokens are not supported yet".into());
    }
    sentences
}
