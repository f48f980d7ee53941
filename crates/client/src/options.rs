//! What every client needs to know: where the cluster is, how long to wait, how often to try.
//!
//! Names and defaults are those of Kafka's client configs; [`ClientOptions::set`] takes them by those names, so that a
//! `client.properties` can be handed over line by line.

use std::time::Duration;

use crate::error::{Error, Result};

/// Options that producer, consumer and admin share.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Any brokers of the cluster, `host:port` each; one that answers is enough (`bootstrap.servers`).
    pub bootstrap_servers: Vec<String>,
    /// What this client calls itself in the server's logs and quotas (`client.id`).
    pub client_id: String,
    /// How long one request may take before its connection is given up (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// How long a call may take with all its retries (`default.api.timeout.ms`).
    pub api_timeout: Duration,
    /// How long one attempt to connect may take (`socket.connection.setup.timeout.ms`).
    pub connect_timeout: Duration,
    /// The wait before the second attempt to connect to a broker; doubles (`reconnect.backoff.ms`).
    pub reconnect_backoff: Duration,
    /// The longest such wait (`reconnect.backoff.max.ms`).
    pub reconnect_backoff_max: Duration,
    /// The wait before a request is sent again; doubles (`retry.backoff.ms`).
    pub retry_backoff: Duration,
    /// The longest such wait (`retry.backoff.max.ms`).
    pub retry_backoff_max: Duration,
    /// After this time metadata is asked for again without need (`metadata.max.age.ms`).
    pub metadata_max_age: Duration,
}

impl ClientOptions {
    /// Kafka's defaults, with brokers as `host:port,host:port`.
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            bootstrap_servers: list(bootstrap_servers),
            client_id: "ottla".to_owned(),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
        }
    }

    /// Sets an option by Kafka's name; false when it is none of these.
    ///
    /// # Errors
    /// A value that is not of the option's type, or a setting that is not built.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "bootstrap.servers" => self.bootstrap_servers = list(value),
            "client.id" => self.client_id = value.to_owned(),
            "request.timeout.ms" => self.request_timeout = parse_ms(name, value)?,
            "default.api.timeout.ms" => self.api_timeout = parse_ms(name, value)?,
            "socket.connection.setup.timeout.ms" => self.connect_timeout = parse_ms(name, value)?,
            "reconnect.backoff.ms" => self.reconnect_backoff = parse_ms(name, value)?,
            "reconnect.backoff.max.ms" => self.reconnect_backoff_max = parse_ms(name, value)?,
            "retry.backoff.ms" => self.retry_backoff = parse_ms(name, value)?,
            "retry.backoff.max.ms" => self.retry_backoff_max = parse_ms(name, value)?,
            "metadata.max.age.ms" => self.metadata_max_age = parse_ms(name, value)?,
            "security.protocol" if value != "PLAINTEXT" => {
                return Err(Error::Unsupported(format!(
                    "security.protocol={value} is not supported: only PLAINTEXT is"
                )));
            }
            "security.protocol" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|server| !server.is_empty()).map(str::to_owned).collect()
}

/// A value of any type that reads from text.
pub(crate) fn parse<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.trim().parse().map_err(|_| invalid(name, value))
}

/// A number of milliseconds.
pub(crate) fn parse_ms(name: &str, value: &str) -> Result<Duration> {
    parse(name, value).map(Duration::from_millis)
}

pub(crate) fn invalid(name: &str, value: &str) -> Error {
    Error::Invalid(format!("Invalid value {value} for configuration {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_kafkas_names() {
        let mut options = ClientOptions::new("a:1, b:2,");
        assert_eq!(options.bootstrap_servers, ["a:1", "b:2"]);
        assert_eq!(options.set("request.timeout.ms", "1500"), Ok(true));
        assert_eq!(options.request_timeout, Duration::from_millis(1500));
        assert_eq!(options.set("linger.ms", "5"), Ok(false));
        let wrong = options.set("request.timeout.ms", "soon").unwrap_err();
        assert_eq!(wrong.to_string(), "Invalid value soon for configuration request.timeout.ms");
        assert!(matches!(options.set("security.protocol", "SSL"), Err(Error::Unsupported(_))));
    }
}
