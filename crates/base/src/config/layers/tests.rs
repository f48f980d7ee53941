use super::*;
use crate::config::{NodeConfig, properties};

/// Recorded by `testdata/configs/Record.java` from the node of `resolution.properties`.
const RECORDED: &str = include_str!("../../../testdata/configs/resolution.txt");
const STATIC: &str = include_str!("../../../testdata/configs/resolution.properties");

fn set(pairs: &[(&str, &str)]) -> Properties {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The layers that `Record.java resolution` sets, and what an empty cluster has by itself.
fn layers() -> Layers {
    let node = NodeConfig::parse(properties::parse(STATIC).unwrap()).unwrap();
    Layers {
        dynamic_default: set(&[
            ("log.retention.ms", "88888"),
            ("log.roll.ms", "555555"),
            ("message.max.bytes", "1234567"),
            ("min.insync.replicas", "1"),
        ]),
        dynamic_broker: set(&[
            ("log.cleaner.threads", "2"),
            ("log.retention.ms", "99999"),
            ("log.segment.bytes", "4000000"),
        ]),
        ..node.layers
    }
}

fn overrides() -> Properties {
    set(&[("segment.bytes", "2097152"), ("flush.messages", " 7 "), ("min.cleanable.dirty.ratio", ".250")])
}

fn recorded(what: &str) -> Vec<&'static str> {
    RECORDED.lines().filter(|line| line.split(" | ").next() == Some(what)).collect()
}

fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::DynamicBroker => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::DynamicDefaultBroker => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource::Default => "DEFAULT_CONFIG",
        other => panic!("{other:?} is not of a topic or broker"),
    }
}

fn line(what: &str, config: &DescribedConfig) -> String {
    let synonyms: Vec<String> = config
        .synonyms
        .iter()
        .map(|one| format!("{}:{}={}", source(one.source), one.name, one.value.as_deref().unwrap_or("null")))
        .collect();
    let parts = [
        what,
        &config.name,
        config.value.as_deref().unwrap_or("null"),
        source(config.source),
        if config.read_only { "ro" } else { "rw" },
        if config.sensitive { "sensitive" } else { "open" },
        &synonyms.join("; "),
    ];
    parts.join(" | ")
}

fn check(what: &str, described: &[DescribedConfig]) {
    let lines: Vec<String> = described.iter().map(|config| line(what, config)).collect();
    assert_eq!(lines, recorded(what));
}

#[test]
fn a_created_topic_has_the_configs_that_kafka_returns() {
    let created = layers().created_topic(&overrides());
    let lines: Vec<String> = created
        .iter()
        .map(|config| {
            let value = config.value.as_deref().unwrap_or("null");
            format!("created | {} | {value} | {} | rw | open | ", config.name, source(config.source))
        })
        .collect();
    assert_eq!(lines, recorded("created"));
}

#[test]
fn a_topic_is_described_as_kafka_describes_it() {
    check("topic", &layers().describe_topic(&overrides()));
}

#[test]
fn a_broker_is_described_as_kafka_describes_it() {
    check("broker", &layers().describe_broker());
}

#[test]
fn the_cluster_default_is_described_as_kafka_describes_it() {
    check("cluster", &layers().describe_broker_default());
}

#[test]
fn every_layer_counts_before_the_one_below_it() {
    let check = |layers: &Layers, own: &[(&str, &str)], retention_ms: i64| {
        assert_eq!(layers.topic_config(&set(own)).unwrap().retention_ms, retention_ms);
    };
    let mut layers = Layers::default();
    check(&layers, &[], 604_800_000);
    layers.static_broker = set(&[("log.retention.hours", "2")]);
    check(&layers, &[], 7_200_000);
    layers.static_broker.insert("log.retention.minutes".into(), "3".into());
    check(&layers, &[], 180_000);
    layers.static_broker.insert("log.retention.ms".into(), "4".into());
    check(&layers, &[], 4);
    layers.dynamic_default = set(&[("log.retention.ms", "5")]);
    check(&layers, &[], 5);
    layers.dynamic_broker = set(&[("log.retention.ms", "6")]);
    check(&layers, &[], 6);
    check(&layers, &[("retention.ms", "7")], 7);
    layers.dynamic_broker = set(&[("log.retention.ms", "-1")]);
    check(&layers, &[], -1);
    check(&Layers::of_static(set(&[("log.retention.hours", "-1")])), &[], -1);
}

#[test]
fn the_typed_configs_follow_the_layers() {
    let layers = layers();
    let topic = layers.topic_config(&overrides()).unwrap();
    assert_eq!((topic.segment_bytes, topic.segment_ms, topic.flush_messages), (2_097_152, 555_555, 7));
    assert_eq!((topic.segment_jitter_ms, topic.max_message_bytes), (3_600_000, 1_234_567));
    assert!(topic.cleanup_policy.compact && topic.cleanup_policy.delete);
    let broker = layers.broker_config().unwrap();
    assert_eq!((broker.log_segment_bytes, broker.log_retention_ms), (4_000_000, Some(99_999)));
}

#[test]
fn a_group_config_of_its_own_has_a_default_to_fall_back_to() {
    let described = |overrides: &[(&str, &str)]| {
        let all = Layers::default().describe_group(&set(overrides));
        let config = all.into_iter().find(|config| config.name == "share.auto.offset.reset").unwrap();
        let values: Vec<_> =
            config.synonyms.into_iter().map(|one| (one.value.unwrap(), one.source)).collect();
        (config.source, values)
    };
    let default = ("latest".to_owned(), ConfigSource::Default);
    assert_eq!(described(&[]), (ConfigSource::Default, vec![default.clone()]));
    let own = ("earliest".to_owned(), ConfigSource::Group);
    let expect = (ConfigSource::Group, vec![own, default]);
    assert_eq!(described(&[("share.auto.offset.reset", "earliest")]), expect);
}
