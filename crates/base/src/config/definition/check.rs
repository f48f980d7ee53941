//! The checks behind a definition, with Kafka's sentences.

use super::{Check, Definition};
use crate::config::error::ConfigError;
use crate::config::listener::{host_port, voter};
use crate::config::value::Value;

/// Refuses a value that the definition does not take. A list loses its doubled entries.
pub(super) fn run(definition: &Definition, value: &mut Value) -> Result<(), ConfigError> {
    let name = definition.name;
    let refuse =
        |value: &dyn std::fmt::Display, why: String| Err(ConfigError::invalid(name, value.to_string(), why));
    match (definition.check, value) {
        (Check::Any, _) => Ok(()),
        (Check::Integer { least, most, or }, value) => {
            let number = value.integer().expect("bounds stand at whole numbers");
            match (most, or) {
                (_, Some(or)) if number == or => Ok(()),
                (Some(most), Some(or)) if !(least..=most).contains(&number) => {
                    refuse(value, format!("Value must be between {least} and {most} or equal to {or}"))
                }
                _ if number < least => refuse(value, format!("Value must be at least {least}")),
                (Some(most), None) if number > most => {
                    refuse(value, format!("Value must be no more than {most}"))
                }
                _ => Ok(()),
            }
        }
        (Check::Double { least, most }, Value::Double(number)) => {
            if *number < least {
                refuse(&Value::Double(*number), format!("Value must be at least {least}"))
            } else if let Some(most) = most.filter(|most| *number > *most) {
                refuse(&Value::Double(*number), format!("Value must be no more than {most}"))
            } else {
                Ok(())
            }
        }
        (Check::OneOf { values, any_case }, Value::Text(text)) => one_of(name, text, values, any_case),
        (Check::NotEmpty, Value::Text(text)) if text.is_empty() => {
            refuse(text, "String must be non-empty".into())
        }
        (Check::NotEmpty, _) => Ok(()),
        (Check::List { values, empty }, Value::List(entries)) => list(name, entries, values, empty),
        (Check::Voters, Value::List(entries)) => entries.iter().try_for_each(|entry| voter(entry).map(drop)),
        (Check::BootstrapServers, Value::List(entries)) => {
            entries.iter().try_for_each(|entry| host_port(entry).map(drop))
        }
        (Check::ThrottledReplicas, Value::List(entries)) => throttled_replicas(name, entries),
        (Check::OffsetReset, Value::Text(text)) => offset_reset(name, text),
        (check, value) => panic!("{name}: {check:?} cannot check {value:?}"),
    }
}

fn one_of(name: &str, text: &str, values: &[&str], any_case: bool) -> Result<(), ConfigError> {
    let same = |value: &&str| if any_case { value.eq_ignore_ascii_case(text) } else { *value == text };
    if values.iter().any(same) {
        return Ok(());
    }
    let any_case = if any_case { " (case insensitive)" } else { "" };
    let why = format!("String must be one of{any_case}: {}", values.join(", "));
    Err(ConfigError::invalid(name, text, why))
}

fn list(name: &str, entries: &mut Vec<String>, values: &[&str], empty: bool) -> Result<(), ConfigError> {
    if entries.is_empty() && !empty {
        let valid =
            if values.is_empty() { "any non-empty value".into() } else { format!("[{}]", values.join(", ")) };
        let sentence = format!("Configuration '{name}' must not be empty. Valid values include: {valid}");
        return Err(ConfigError::Rule(sentence));
    }
    let mut kept: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries.drain(..) {
        if entry.is_empty() {
            return Err(ConfigError::Rule(format!("Configuration '{name}' values must not be empty.")));
        }
        if !values.is_empty() {
            one_of(name, &entry, values, false)?;
        }
        if !kept.contains(&entry) {
            kept.push(entry);
        }
    }
    *entries = kept;
    Ok(())
}

fn throttled_replicas(name: &str, entries: &[String]) -> Result<(), ConfigError> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let replica = |entry: &String| {
        entry.split_once(':').is_some_and(|(partition, broker)| number(partition) && number(broker))
    };
    if entries == ["*"] || entries.iter().all(replica) {
        return Ok(());
    }
    let why = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(ConfigError::invalid(name, format!("[{}]", entries.join(", ")), why))
}

fn offset_reset(name: &str, text: &str) -> Result<(), ConfigError> {
    let duration = |text: &str| {
        let rest = text.strip_prefix("by_duration:").and_then(|text| text.strip_prefix(['P', 'p']));
        rest.is_some_and(|rest| rest.bytes().any(|byte| byte.is_ascii_digit()) && !rest.contains('-'))
    };
    if text == "latest" || text == "earliest" || duration(text) {
        return Ok(());
    }
    let why = "expected `latest`, `earliest` or `by_duration:` with a duration such as PT1H";
    Err(ConfigError::invalid(name, text, why))
}
