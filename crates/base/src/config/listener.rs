//! Listeners: where a node takes connections, and what it tells others to dial.
//!
//! `NAME://HOST:PORT`; the name is written in capitals and its security protocol comes from
//! `listener.security.protocol.map`. An empty host is every address.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::ConfigError;
use super::value::trim;
use crate::ids::NodeId;

/// A listener, or its advertised address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name in capitals.
    pub name: String,
    /// A host name or address, without the brackets around an IPv6 address. Nothing: every address of this machine.
    pub host: Option<String>,
    /// The port; 0 lets the system choose one.
    pub port: u16,
    /// How its connections are secured.
    pub security_protocol: SecurityProtocol,
}

/// How the connections of a listener are secured. The discriminants are Kafka's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum SecurityProtocol {
    /// Not at all.
    Plaintext = 0,
    /// TLS.
    Ssl = 1,
    /// SASL in the clear.
    SaslPlaintext = 2,
    /// SASL over TLS.
    SaslSsl = 3,
}

impl SecurityProtocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Reads a name, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or_default();
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{host}{close}:{}", self.name, self.port)
    }
}

/// A host and a port to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A host name or address, without the brackets around an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// An entry of `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The voter's node id.
    pub id: NodeId,
    /// Where its controller listener is.
    pub address: HostPort,
}

/// `listener.security.protocol.map`, with listener names in capitals. Of a name that stands twice the last counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolMap(Vec<(String, SecurityProtocol)>);

impl ProtocolMap {
    /// Reads `NAME:PROTOCOL,…`.
    ///
    /// # Errors
    /// When an entry has no colon or names no protocol.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        const NAME: &str = "listener.security.protocol.map";
        let mut map = Self(Vec::new());
        for entry in text.split(',').map(trim).filter(|entry| !entry.is_empty()) {
            let Some((name, protocol)) = entry.rsplit_once(':') else {
                let why = format!("`{entry}` is not LISTENER:PROTOCOL");
                return Err(ConfigError::invalid(NAME, text, why));
            };
            let protocol = SecurityProtocol::by_name(trim(protocol)).ok_or_else(|| {
                ConfigError::Rule(format!("Invalid security protocol `{}` defined in {NAME}", trim(protocol)))
            })?;
            map.0.push((trim(name).to_uppercase(), protocol));
        }
        Ok(map)
    }

    /// The protocol of a listener.
    pub fn get(&self, listener: &str) -> Option<SecurityProtocol> {
        self.0.iter().rev().find(|(name, _)| name == listener).map(|&(_, protocol)| protocol)
    }

    /// Adds a listener in the clear.
    pub(crate) fn add_plaintext(&mut self, listener: &str) {
        self.0.push((listener.to_uppercase(), SecurityProtocol::Plaintext));
    }
}

/// Reads the entries of `listeners` (`distinct_ports`: two on one port must be IPv4 and IPv6) or `advertised.listeners`.
///
/// # Errors
/// The sentence that Kafka refuses them with.
pub fn listeners(
    entries: &[String],
    protocols: &ProtocolMap,
    distinct_ports: bool,
) -> Result<Vec<Listener>, ConfigError> {
    let all = entries.join(", ");
    let refuse =
        |why: String| ConfigError::Rule(format!("Error creating broker listeners from '[{all}]': {why}"));
    let mut listeners: Vec<Listener> = Vec::with_capacity(entries.len());
    for entry in entries {
        listeners.push(listener(entry, protocols).map_err(refuse)?);
    }
    for (index, listener) in listeners.iter().enumerate() {
        if listeners[..index].iter().any(|other| other.name == listener.name) {
            return Err(refuse(format!("Each listener must have a different name, listeners: [{all}]")));
        }
    }
    if distinct_ports {
        check_ports(&listeners, &all).map_err(refuse)?;
    }
    Ok(listeners)
}

fn listener(entry: &str, protocols: &ProtocolMap) -> Result<Listener, String> {
    let fail = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.rsplit_once("://").ok_or_else(fail)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(fail)?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-%._:".contains(&byte)) {
        return Err(fail());
    }
    let port: i64 = port.parse().map_err(|_| fail())?;
    let port = u16::try_from(port)
        .map_err(|_| format!("{entry} has port {port}, which is not within 0 and 65535"))?;
    let name = name.to_uppercase();
    let security_protocol =
        protocols.get(&name).ok_or_else(|| format!("No security protocol defined for listener {name}"))?;
    Ok(Listener { name, host: (!host.is_empty()).then(|| host.to_owned()), port, security_protocol })
}

/// A port may serve two listeners when one has an IPv4 and the other an IPv6 address.
fn check_ports(listeners: &[Listener], all: &str) -> Result<(), String> {
    let v4 =
        |listener: &Listener| listener.host.as_ref().is_some_and(|host| host.parse::<Ipv4Addr>().is_ok());
    let v6 =
        |listener: &Listener| listener.host.as_ref().is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
    for listener in listeners.iter().filter(|listener| listener.port != 0) {
        let same: Vec<&Listener> = listeners.iter().filter(|other| other.port == listener.port).collect();
        let addresses: Vec<&Listener> = same.iter().copied().filter(|one| v4(one) || v6(one)).collect();
        let why = match addresses.as_slice() {
            _ if same.len() == 1 => continue,
            [a, b] if same.len() == 2 && v4(a) != v4(b) => continue,
            [] => return Err(format!("Each listener must have a different port, listeners: [{all}]")),
            [_, _] => {
                "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6"
            }
            _ => {
                "Each listener must have a different port unless exactly one listener has an IPv4 address and the \
                 other IPv6 address"
            }
        };
        return Err(format!("{why}, listeners: [{all}], port: {}", listener.port));
    }
    Ok(())
}

/// Reads an entry of `controller.quorum.bootstrap.servers`.
///
/// # Errors
/// The sentence that Kafka refuses it with.
pub fn host_port(entry: &str) -> Result<HostPort, ConfigError> {
    split_host_port(entry).ok_or_else(|| {
        ConfigError::Rule(format!(
            "Failed to parse host name from {entry} for the configuration controller.quorum.bootstrap.servers. \
             Each entry should be in the form \"{{host}}:{{port}}\""
        ))
    })
}

/// Reads an entry of `controller.quorum.voters`.
///
/// # Errors
/// The sentence that Kafka refuses it with.
pub fn voter(entry: &str) -> Result<Voter, ConfigError> {
    const FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";
    let rule = |sentence: String| Err(ConfigError::Rule(sentence));
    let Some((id, address)) = entry.split_once('@') else {
        return rule(format!("Invalid configuration value for controller.quorum.voters. {FORM}"));
    };
    let Ok(id) = id.parse().map(NodeId) else {
        return rule(format!("Failed to parse voter ID as an integer from {id}"));
    };
    let Some(address) = split_host_port(address) else {
        return rule(format!(
            "Failed to parse host name from entry {entry} for the configuration controller.quorum.voters. {FORM}"
        ));
    };
    Ok(Voter { id, address })
}

fn split_host_port(text: &str) -> Option<HostPort> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    Some(HostPort { host: host.to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &str) -> Vec<String> {
        list.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn listeners_are_read_and_printed() {
        let map = ProtocolMap::parse("PLAINTEXT:PLAINTEXT, in:sasl_ssl ,IN:SSL").unwrap();
        let check = |list: &str, expect: &str| {
            let text = listeners(&entries(list), &map, true).map(|all| {
                all.iter().map(|one| format!("{one} {}", one.security_protocol)).collect::<Vec<_>>()
            });
            assert_eq!(text.map_or_else(|error| error.to_string(), |all| all.join(",")), expect, "{list}");
        };
        check("PLAINTEXT://:9092", "PLAINTEXT://:9092 PLAINTEXT");
        check("in://a.b-c:0,PLAINTEXT://[::1]:0", "IN://a.b-c:0 SSL,PLAINTEXT://[::1]:0 PLAINTEXT");
        check("PLAINTEXT://::1:9", "PLAINTEXT://[::1]:9 PLAINTEXT");
        check("PLAINTEXT://fe80::1%eth0:9", "PLAINTEXT://[fe80::1%eth0]:9 PLAINTEXT");
        check(
            "PLAINTEXT://a:65536",
            "Error creating broker listeners from '[PLAINTEXT://a:65536]': PLAINTEXT://a:65536 has port 65536, which \
             is not within 0 and 65535",
        );
        check(
            "PLAINTEXT://a b:1",
            "Error creating broker listeners from '[PLAINTEXT://a b:1]': Unable to parse PLAINTEXT://a b:1 to a \
             broker endpoint",
        );
    }

    #[test]
    fn voters_and_servers_are_read() {
        let check = |entry: &str, expect: Option<(i32, &str, u16)>| {
            let voter = voter(entry).ok();
            let voter =
                voter.as_ref().map(|voter| (voter.id.0, voter.address.host.as_str(), voter.address.port));
            assert_eq!(voter, expect, "{entry}");
        };
        check("1@a:9093", Some((1, "a", 9093)));
        check("1@[::1]:9093", Some((1, "::1", 9093)));
        check("-1@a:1", Some((-1, "a", 1)));
        check("1@a", None);
        check("a:1", None);
        check("x@a:1", None);
        check("1@:1", None);
        check("1@a:70000", None);
    }
}
