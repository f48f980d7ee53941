//! The configs that a group is altered with.

use super::error::ConfigError;
use super::layers::Layers;
use super::properties::Properties;
use super::tables::{BROKER, GROUP};

/// A group's config, and the broker's configs that bound it.
struct Bounds {
    name: &'static str,
    least: Option<&'static str>,
    most: Option<&'static str>,
}

const fn between(name: &'static str, least: &'static str, most: &'static str) -> Bounds {
    Bounds { name, least: Some(least), most: Some(most) }
}

/// In the order in which Kafka looks.
const BOUNDS: [Bounds; 13] = [
    between(
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    between(
        "consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    between(
        "consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    between(
        "share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    between(
        "share.session.timeout.ms",
        "group.share.min.session.timeout.ms",
        "group.share.max.session.timeout.ms",
    ),
    between(
        "share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    between(
        "share.delivery.count.limit",
        "group.share.min.delivery.count.limit",
        "group.share.max.delivery.count.limit",
    ),
    between(
        "share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks",
        "group.share.max.partition.max.record.locks",
    ),
    between(
        "share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    between(
        "streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    between(
        "streams.session.timeout.ms",
        "group.streams.min.session.timeout.ms",
        "group.streams.max.session.timeout.ms",
    ),
    Bounds {
        name: "streams.num.standby.replicas",
        least: None,
        most: Some("group.streams.max.standby.replicas"),
    },
    between(
        "streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
];

/// Checks all that a group overrides, on a broker with these layers.
///
/// # Errors
/// The first fault, in Kafka's words.
pub fn check(overrides: &Properties, layers: &Layers) -> Result<(), ConfigError> {
    if let Some(name) = overrides.keys().find(|name| GROUP.index(name).is_none()) {
        return Err(ConfigError::Unknown { table: "group", name: name.clone() });
    }
    let broker = layers.effective();
    let values = GROUP.parse_with(|definition| {
        let own = overrides.get(definition.name).cloned();
        own.or_else(|| layers.inherited(definition).map(|(_, text)| text))
    })?;
    let own = |name: &str| GROUP.index(name).and_then(|index| values.at(index).integer());
    let bound = |name: Option<&str>| {
        let definition = BROKER.get(name?)?;
        match broker.get(definition.name) {
            Some(text) => definition.parse(text).ok()?.integer(),
            None => definition.default_value()?.integer(),
        }
    };
    for Bounds { name, least, most } in BOUNDS {
        let refuse = |how: &str, bound: Option<&str>| {
            let bound = bound.unwrap_or_default();
            Err(ConfigError::Rule(format!("{name} must be {how} than or equal to {bound}")))
        };
        if bound(least).is_some_and(|least| own(name) < Some(least)) {
            return refuse("greater", least);
        }
        if bound(most).is_some_and(|most| own(name) > Some(most)) {
            return refuse("less", most);
        }
    }
    for kind in ["consumer", "share", "streams"] {
        let (session, heartbeat) =
            (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
        if own(&session) <= own(&heartbeat) {
            return Err(ConfigError::Rule(format!("{session} must be greater than {heartbeat}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_refused_in_kafkas_words() {
        let check = |name: &str, value: &str, expect: &str| {
            let overrides = Properties::from([(name.to_owned(), value.to_owned())]);
            let answer = check(&overrides, &Layers::default());
            assert_eq!(
                answer.err().map(|error| error.to_string()).unwrap_or_default(),
                expect,
                "{name}={value}"
            );
        };
        let session = "consumer.session.timeout.ms";
        let bound = "group.consumer.min.session.timeout.ms";
        check(session, "50000", "");
        check(session, "10", &format!("{session} must be greater than or equal to {bound}"));
        let bound = "group.consumer.max.session.timeout.ms";
        check(session, "100000000", &format!("{session} must be less than or equal to {bound}"));
        let sentence =
            "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT";
        check(session, "x", sentence);
        check("nosuch", "1", "Unknown group config name: nosuch");
        check("share.delivery.count.limit", "2", "");
        check(
            "share.delivery.count.limit",
            "1",
            "Invalid value 1 for configuration share.delivery.count.limit: Value must be at least 2",
        );
        check(
            "streams.num.standby.replicas",
            "1000",
            "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
        );
    }

    #[test]
    fn every_bound_is_a_config() {
        for Bounds { name, least, most } in BOUNDS {
            assert!(GROUP.index(name).is_some(), "{name}");
            for bound in [least, most].into_iter().flatten() {
                assert!(BROKER.index(bound).is_some(), "{bound}");
            }
        }
    }
}
