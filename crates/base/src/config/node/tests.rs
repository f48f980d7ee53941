use super::*;
use crate::config::unbuilt_security;

/// Recorded by `testdata/configs/RecordStart.java`.
const RECORDED: &str = include_str!("../../../testdata/configs/start.txt");

/// As in `RecordStart.java`.
const BASE: [(&str, &str); 5] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
    ("controller.listener.names", "CONTROLLER"),
    ("controller.quorum.voters", "1@127.0.0.1:9093"),
];

/// Where the answer here is not Kafka's, and why. May only shrink.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "node.id=x",
        "refused: Invalid value x for configuration node.id: Not a number of type INT",
        "names what was set, not its old name",
    ),
    (
        "listeners=PLAINTEXT://0.0.0.0:9092,CONTROLLER://:9093",
        "listeners PLAINTEXT(PLAINTEXT)://0.0.0.0:9092,CONTROLLER(PLAINTEXT)://null:9093 advertised \
         PLAINTEXT(PLAINTEXT)://0.0.0.0:9092 inter-broker PLAINTEXT",
        "what is not advertised is the address that the client dialled, so there is nothing to refuse",
    ),
    (
        "listeners=PLAINTEXT://127.0.0.1:99999,CONTROLLER://127.0.0.1:9093",
        "refused: Error creating broker listeners from '[PLAINTEXT://127.0.0.1:99999, CONTROLLER://127.0.0.1:9093]': \
         PLAINTEXT://127.0.0.1:99999 has port 99999, which is not within 0 and 65535",
        "Kafka fails when it binds",
    ),
    (
        "listeners=PLAINTEXT://127.0.0.1:-1,CONTROLLER://127.0.0.1:9093",
        "refused: Error creating broker listeners from '[PLAINTEXT://127.0.0.1:-1, CONTROLLER://127.0.0.1:9093]': \
         PLAINTEXT://127.0.0.1:-1 has port -1, which is not within 0 and 65535",
        "Kafka fails when it binds",
    ),
    (
        "advertised.listeners=PLAINTEXT://host:1000000",
        "refused: Error creating broker listeners from '[PLAINTEXT://host:1000000]': PLAINTEXT://host:1000000 has port \
         1000000, which is not within 0 and 65535",
        "nobody could dial it",
    ),
    (
        "listener.security.protocol.map=PLAINTEXT,CONTROLLER:PLAINTEXT",
        "refused: Invalid value PLAINTEXT,CONTROLLER:PLAINTEXT for configuration listener.security.protocol.map: \
         `PLAINTEXT` is not LISTENER:PROTOCOL",
        "Kafka prints the text of a Java exception",
    ),
    (
        "max.connections.per.ip.overrides=127.0.0.1:x",
        "refused: Invalid value 127.0.0.1:x for configuration max.connections.per.ip.overrides: expected \
         HOST:CONNECTIONS entries",
        "Kafka prints the text of a Java exception",
    ),
    (
        "max.connections.per.ip.overrides=127.0.0.1",
        "refused: Invalid value 127.0.0.1 for configuration max.connections.per.ip.overrides: expected \
         HOST:CONNECTIONS entries",
        "Kafka prints the text of a Java exception",
    ),
    (
        "max.connections.per.ip.overrides=a b:5",
        "refused: Invalid value a b:5 for configuration max.connections.per.ip.overrides: expected HOST:CONNECTIONS \
         entries",
        "names are not looked up here",
    ),
    (
        "principal.builder.class=no.such.Class",
        "as BASE",
        "refused by unbuilt_security, with every other Java class",
    ),
    ("offsets.topic.compression.codec=9", "as BASE", "groups are not built"),
    ("group.coordinator.rebalance.protocols=consumer", "as BASE", "groups are not built"),
    ("group.consumer.heartbeat.interval.ms=4000", "as BASE", "groups are not built"),
    ("group.consumer.session.timeout.ms=1000", "as BASE", "groups are not built"),
];

fn parse(input: &str) -> Result<NodeConfig, ConfigError> {
    let mut properties: Properties =
        BASE.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    for one in input.split(" & ").filter(|one| !one.is_empty()) {
        match (one.strip_prefix('-'), one.split_once('=')) {
            (Some(name), _) => drop(properties.remove(name)),
            (None, Some((name, value))) => drop(properties.insert(name.to_owned(), value.to_owned())),
            (None, None) => panic!("{one}"),
        }
    }
    NodeConfig::parse(properties)
}

fn answer(input: &str) -> String {
    let text = |listeners: &mut dyn Iterator<Item = &Listener>| {
        let one = |one: &Listener| {
            let host = one.host.as_deref().unwrap_or("null");
            format!("{}({})://{host}:{}", one.name, one.security_protocol, one.port)
        };
        listeners.map(one).collect::<Vec<_>>().join(",")
    };
    match parse(input) {
        Err(error) => format!("refused: {error}"),
        Ok(node) => format!(
            "listeners {} advertised {} inter-broker {}",
            text(&mut node.listeners.iter()),
            match &node.advertised_listeners {
                Some(advertised) => text(&mut advertised.iter()),
                None => text(&mut node.broker_listeners()),
            },
            node.inter_broker_listener,
        ),
    }
}

#[test]
fn settings_are_understood_and_refused_as_kafka_does() {
    let base = answer("");
    let mut used = 0;
    for line in RECORDED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (input, recorded) = line.split_once(" => ").expect(line);
        let answer = match answer(input) {
            same if same == base => "as BASE".to_owned(),
            other => other,
        };
        let recorded = recorded.replace("refused: requirement failed: ", "refused: ");
        match DIFFERENT.iter().find(|(different, ..)| *different == input) {
            None => assert_eq!(answer, recorded, "{input}"),
            Some((_, expect, _)) => {
                assert_ne!(answer, recorded, "no longer different: {input}");
                assert_eq!(answer, *expect, "{input}");
                used += 1;
            }
        }
    }
    assert_eq!(used, DIFFERENT.len(), "a difference that is not in the recording");
}

#[test]
fn a_node_without_a_file_starts() {
    let node = NodeConfig::parse(NodeConfig::without_file("data", Properties::new())).unwrap();
    assert_eq!(node.roles, Roles { broker: true, controller: true });
    assert_eq!(
        (node.log_dirs.as_slice(), node.metadata_log_dir.as_str()),
        (&["data".to_owned()][..], "data")
    );
    assert_eq!(node.broker_listeners().next().unwrap().to_string(), "PLAINTEXT://127.0.0.1:9092");
    assert_eq!(node.controller_listeners().next().unwrap().to_string(), "CONTROLLER://127.0.0.1:9093");
    assert_eq!(node.advertised_listeners, None);
    assert_eq!((node.warnings(), unbuilt_security(&node)), (vec![], vec![]));
}

#[test]
fn a_node_without_a_file_takes_listeners_for_clients_alone() {
    let check = |listeners: &str, expect: &str| {
        let given = Properties::from([("listeners".to_owned(), listeners.to_owned())]);
        let node = NodeConfig::parse(NodeConfig::without_file("data", given)).unwrap();
        let all: Vec<_> = node.listeners.iter().map(ToString::to_string).collect();
        assert_eq!(all.join(" "), expect, "{listeners}");
    };
    check("PLAINTEXT://0.0.0.0:9192", "PLAINTEXT://0.0.0.0:9192 CONTROLLER://127.0.0.1:9093");
    check("controller://127.0.0.1:1,PLAINTEXT://:2", "CONTROLLER://127.0.0.1:1 PLAINTEXT://:2");
}

#[test]
fn what_no_topic_could_live_with_is_refused() {
    let check = |input: &str, expect: Option<&str>| {
        assert_eq!(parse(input).err().map(|error| error.to_string()).as_deref(), expect, "{input}");
    };
    check("log.retention.hours=-1", None);
    check("log.flush.interval.ms=0", None);
    check(
        "log.flush.interval.ms=-5",
        Some("Invalid value -5 for configuration flush.ms: Value must be at least 0"),
    );
}

#[test]
fn directories_come_from_the_plural_first() {
    let check = |input: &str, dirs: &[&str], metadata: &str| {
        let node = parse(input).unwrap();
        assert_eq!(
            (node.log_dirs, node.metadata_log_dir.as_str()),
            (dirs.iter().map(|&d| d.into()).collect(), metadata)
        );
    };
    check("", &["/tmp/kafka-logs"], "/tmp/kafka-logs");
    check("log.dir=/a", &["/a"], "/a");
    check("log.dir=/a & log.dirs=/b, /c", &["/b", "/c"], "/b");
    check("log.dirs=/b,/b", &["/b"], "/b");
    check("log.dirs=/b & metadata.log.dir=/m", &["/b"], "/m");
}

#[test]
fn unknown_names_are_named() {
    let check = |name: &str, expect: Option<&str>| {
        let node = parse(&format!("{name}=1")).unwrap();
        assert_eq!(node.warnings(), expect.into_iter().collect::<Vec<_>>());
    };
    check("num.partitions", None);
    check("ssl.own.setting", None);
    check("listener.name.plaintext.max.connections", None);
    check("super.users", None);
    check("num.partition", Some("num.partition is not a config of Kafka 4.3 and is ignored"));
    check("zookeeper.connect", Some("zookeeper.connect was removed in Kafka 4.0 and is ignored"));
    check("zookeepers", Some("zookeepers is not a config of Kafka 4.3 and is ignored"));
    check(
        "inter.broker.protocol.version",
        Some("inter.broker.protocol.version was removed in Kafka 4.0 and is ignored"),
    );
}

#[test]
fn settings_without_effect_are_named() {
    assert_eq!(
        parse("num.partitions=3 & num.replica.fetchers=2").unwrap().set_without_effect(),
        ["num.replica.fetchers"]
    );
}

#[test]
fn unbuilt_security_is_named() {
    let check = |input: &str, expect: &[&str]| {
        assert_eq!(unbuilt_security(&parse(input).unwrap()), expect, "{input}")
    };
    let map = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,A:SSL,B:SASL_SSL";
    check("", &[]);
    check(map, &[]);
    check("ssl.keystore.location=/k & sasl.enabled.mechanisms=PLAIN & super.users=User:a", &[]);
    check(
        &format!("{map} & listeners=PLAINTEXT://:9092,CONTROLLER://:9093,A://:9094,B://[::1]:9095"),
        &[
            "listeners: A://:9094 wants SSL, which is not supported yet; only PLAINTEXT is",
            "listeners: B://[::1]:9095 wants SASL_SSL, which is not supported yet; only PLAINTEXT is",
        ],
    );
    check(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        &[
            "authorizer.class.name is org.apache.kafka.metadata.authorizer.StandardAuthorizer, but access control is not \
           supported yet; take the setting out to run without it",
        ],
    );
    check(
        "principal.builder.class=org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        &[],
    );
    check(
        "principal.builder.class=a.B",
        &["principal.builder.class is a.B, a Java class, which cannot run here"],
    );
    check(
        "create.topic.policy.class.name=a.B",
        &["create.topic.policy.class.name is a.B, a Java class, which cannot run here"],
    );
    check(
        "delegation.token.secret.key=s3cret",
        &["delegation.token.secret.key is set, but delegation tokens are not supported yet"],
    );
}

#[test]
fn a_secret_is_not_in_any_text() {
    let node = parse("ssl.keystore.password=s3cret & no.such.config=s3cret").unwrap();
    let described = format!("{:?}", node.layers.describe_broker());
    assert!(!described.contains("s3cret"), "{described}");
}
