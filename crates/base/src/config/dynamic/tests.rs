//! What Apache Kafka 4.3.0 answered to the same changes.

use super::*;

fn set(text: &str) -> Properties {
    let pairs = text.split(" & ").filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').expect(pair))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn layers() -> Layers {
    Layers::of_static(set(
        "process.roles=broker,controller & node.id=1 & controller.quorum.voters=1@127.0.0.1:9093 & \
         listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093 & controller.listener.names=CONTROLLER",
    ))
}

#[test]
fn values_set_while_running_are_refused_in_kafkas_words() {
    use Scope::{AllBrokers, OneBroker};
    let check = |scope, proposed: &str, expect: &str| {
        let answer = check(&layers(), &set(proposed), scope);
        assert_eq!(answer.err().map(|error| error.to_string()).unwrap_or_default(), expect, "{proposed}");
    };
    let both = |proposed: &str, expect: &str| {
        check(AllBrokers, proposed, expect);
        check(OneBroker, proposed, expect);
    };
    let exception = |sentence: &str| {
        format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: {sentence} for configuration Invalid \
             dynamic configuration"
        )
    };
    both("log.retention.ms=100000", "");
    both("nosuch=1", "");
    both("leader.replication.throttled.rate=1000", "");
    both("node.id=9", "Cannot update these configs dynamically: [node.id]");
    both(
        "log.dirs=9 & process.roles=broker",
        "Cannot update these configs dynamically: [log.dirs, process.roles]",
    );
    both("log.retention.hours=1", "Cannot update these configs dynamically: [log.retention.hours]");
    both(
        "ssl.keystore.password=x",
        "These security configs can be dynamically updated only per-listener using the listener prefix: \
         [ssl.keystore.password]",
    );
    let only_one = "Cannot update these configs at default cluster level, broker id must be specified";
    for name in ["listener.name.plaintext.ssl.keystore.password", "cordoned.log.dirs", "ssl.protocol"] {
        check(AllBrokers, &format!("{name}=x"), &format!("{only_one}: [{name}]"));
    }
    check(OneBroker, "listener.name.plaintext.ssl.keystore.password=x & ssl.protocol=x", "");
    both("listener.name.plaintext.max.connections=77", "");
    both(
        "log.retention.ms=x",
        "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
    );
    both(
        "listener.name.plaintext.num.network.threads=x",
        "Invalid value x for configuration num.network.threads: Not a number of type INT",
    );
    both(
        "log.retention.ms=0",
        "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
    );
    both("log.retention.ms=-5", "");
    both("num.io.threads=9", "");
    let pool = |name: &str, wanted: i32, limit: &str| {
        let sentence =
            format!("Dynamic thread count update validation failed for {name}={wanted}, value {limit}");
        both(&format!("{name}={wanted}"), &exception(&sentence));
    };
    pool("num.io.threads", 1000, "should not be greater than double the current value 8");
    pool("num.io.threads", 1, "should be at least half the current value 8");
    pool("background.threads", 100, "should not be greater than double the current value 10");
    both(
        "log.cleaner.threads=100",
        &exception("Log cleaner threads cannot be increased to more than double the current value 1"),
    );
    both("max.connection.creation.rate=0", &exception("Invalid max.connection.creation.rate 0"));
    both("max.connections.per.ip=0 & max.connections.per.ip.overrides=127.0.0.1:100", "");
    let overrides = |text: &str, expect: &str| both(&format!("{OVERRIDES}={text}"), expect);
    overrides("a:1,b:2", "");
    overrides(",", "");
    let parsing =
        "Error parsing configuration property 'max.connections.per.ip.overrides': begin 0, end -1, length";
    overrides("x", &format!("{parsing} 1"));
    overrides("a:1,,b:2", &format!("{parsing} 0"));
    overrides("a:x", "For input string: \"x\"");
    overrides("a b:3", "max.connections.per.ip.overrides contains invalid addresses : a b");
    both(
        "log.cleaner.dedupe.buffer.size=1",
        "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
    );
    both(
        "metric.reporters=no.such.Clazz",
        &exception(
            "Validation of dynamic config update of Set(metric.reporters) failed with class class \
             kafka.server.DynamicMetricsReporters",
        ),
    );
    both(
        "principal.builder.class=x",
        "Invalid value x for configuration principal.builder.class: Class x could not be found.",
    );
    check(
        OneBroker,
        "listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:9093",
        "listeners: a running broker cannot open or close listeners yet; set them in its server.properties and start \
         it again",
    );
    check(OneBroker, "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093", "");
    let whole = "log.retention.ms=1000 & log.local.retention.ms=";
    both(&format!("{whole}500"), "");
    both(
        &format!("{whole}5000"),
        &exception(
            "Invalid value 5000 for configuration log.local.retention.ms: Value must not be more than \
             log.retention.ms property value: 1000",
        ),
    );
}
