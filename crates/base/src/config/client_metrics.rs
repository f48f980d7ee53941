//! The configs of a client metrics subscription (KIP-714).

use super::definition::Values;
use super::error::ConfigError;
use super::properties::Properties;
use super::tables::CLIENT_METRICS;
use super::value::Value;

/// How often clients may be asked to push, in milliseconds, both inclusive.
const INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// What a pattern may be matched with.
const SELECTORS: [&str; 6] = [
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Why a subscription is refused: Kafka answers each with another error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMetricsError {
    /// The request makes no sense: INVALID_REQUEST.
    Request(String),
    /// A value does not fit: INVALID_CONFIG.
    Config(ConfigError),
}

/// Checks all that the subscription `name` has.
///
/// # Errors
/// The first fault, in Kafka's words.
pub fn check(name: &str, configs: &Properties) -> Result<(), ClientMetricsError> {
    use ClientMetricsError::{Config, Request};
    if name.is_empty() {
        return Err(Request("Subscription name can't be empty".into()));
    }
    if let Some(name) = configs.keys().find(|name| CLIENT_METRICS.index(name).is_none()) {
        return Err(Request(format!("Unknown client metrics configuration: {name}")));
    }
    let values = CLIENT_METRICS.parse(configs).map_err(Config)?;
    let interval = value(&values, "interval.ms").and_then(Value::integer);
    if let Some(interval) = interval.filter(|interval| !INTERVAL_MS.contains(interval)) {
        return Err(Request(format!(
            "Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        )));
    }
    match value(&values, "match") {
        Some(Value::List(patterns)) => match patterns.iter().find(|pattern| !is_pattern(pattern)) {
            Some(pattern) => {
                Err(Config(ConfigError::Rule(format!("Illegal client matching pattern: {pattern}"))))
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn value<'a>(values: &'a Values, name: &str) -> Option<&'a Value> {
    CLIENT_METRICS.index(name).map(|index| values.at(index))
}

/// `SELECTOR=PATTERN`. The pattern is a regular expression of Java; here only its brackets are looked at.
fn is_pattern(text: &str) -> bool {
    match text.split_once('=') {
        Some((selector, pattern)) => {
            let (selector, pattern) = (selector.trim(), pattern.trim());
            SELECTORS.contains(&selector)
                && !pattern.is_empty()
                && !pattern.contains('=')
                && is_closed(pattern)
        }
        None => false,
    }
}

/// Whether every bracket is closed.
fn is_closed(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut characters) = (0_usize, false, pattern.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next().is_none() => return false,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            _ => {}
        }
    }
    depth == 0 && !in_class && !pattern.starts_with(['*', '+', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_refused_in_kafkas_words() {
        let check = |name: &str, value: &str, expect: &str| {
            let configs = Properties::from([(name.to_owned(), value.to_owned())]);
            let answer = match check("s", &configs) {
                Ok(()) => String::new(),
                Err(ClientMetricsError::Request(sentence)) => format!("request: {sentence}"),
                Err(ClientMetricsError::Config(error)) => error.to_string(),
            };
            assert_eq!(answer, expect, "{name}={value}");
        };
        check("metrics", "", "");
        check("metrics", "*", "");
        check("metrics", "a,,b", "Configuration 'metrics' values must not be empty.");
        let bounds = "interval must be between 100 and 3600000 (1 hour)";
        check("interval.ms", "1", &format!("request: Invalid value 1 for interval.ms, {bounds}"));
        check("interval.ms", "3600001", &format!("request: Invalid value 3600001 for interval.ms, {bounds}"));
        check("interval.ms", "x", "Invalid value x for configuration interval.ms: Not a number of type INT");
        check("match", "", "");
        check("match", "client_id=a,client_id=b", "");
        check("match", "client_software_name=a.*,client_source_port=[0-9]+", "");
        for pattern in ["a", "=a", "client_id=", "client_id=a=b", "client_id=[", "client_id=(", "foo=x"] {
            check("match", pattern, &format!("Illegal client matching pattern: {pattern}"));
        }
        check("nosuch", "1", "request: Unknown client metrics configuration: nosuch");
        let empty = ClientMetricsError::Request("Subscription name can't be empty".into());
        assert_eq!(super::check("", &Properties::new()), Err(empty));
    }
}
