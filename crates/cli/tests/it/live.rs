//! The tools against a running cluster, whoever's it is: what they print is what Apache Kafka's print there.
//!
//! `BOOTSTRAP_SERVERS=127.0.0.1:9092 cargo test -p cli --test it`

use std::time::SystemTime;

use crate::console::{Ran, run_with};

struct Live {
    servers: String,
    topic: String,
}

impl Live {
    fn new(name: &str) -> Option<Self> {
        let Ok(servers) = std::env::var("BOOTSTRAP_SERVERS") else {
            println!("SKIPPED: BOOTSTRAP_SERVERS does not name a cluster");
            return None;
        };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Some(Self { servers, topic: format!("{name}-{}", since.as_nanos()) })
    }

    /// Runs a command line in which `TOPIC` stands for the test's own topic.
    fn run(&self, line: &str, input: &str) -> Ran {
        let line = line.replace("TOPIC", &self.topic);
        let mut words: Vec<&str> = line.split(' ').collect();
        let tool = words.remove(0);
        words.extend(["--bootstrap-server", &self.servers]);
        run_with(tool, &words, input)
    }

    fn check(&self, line: &str, input: &str, code: u8, output: &str, errors: &str) {
        let ran = self.run(line, input);
        let [output, errors] = [output, errors].map(|text| text.replace("TOPIC", &self.topic));
        assert_eq!((ran.output, ran.errors, ran.code), (output, errors, code), "{line}");
    }
}

#[test]
fn topics() {
    let Some(live) = Live::new("topics") else { return };
    let create = "kafka-topics --create --topic TOPIC --partitions 2 --replication-factor 1";
    live.check(&format!("{create} --config retention.ms=100000000"), "", 0, "Created topic TOPIC.\n", "");
    let error = "Error while executing topic command : ";
    live.check(create, "", 1, "", &format!("{error}Topic 'TOPIC' already exists.\n"));
    live.check(&format!("{create} --if-not-exists"), "", 0, "", "");
    live.check("kafka-topics --list --topic TOPIC", "", 0, "TOPIC\n", "");
    live.check(
        "kafka-topics --list --topic no.such.topic",
        "",
        1,
        "",
        &format!("{error}Topic 'no.such.topic' does not exist as expected\n"),
    );
    live.check("kafka-topics --describe --topic no-such --if-exists", "", 0, "", "");
    let none = format!("{error}The partitions must be greater than 0\n");
    live.check("kafka-topics --create --topic x --partitions 0", "", 1, "", &none);

    let described = live.run("kafka-topics --describe --topic TOPIC", "").output;
    let lines: Vec<Vec<&str>> = described.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 3, "{described}");
    assert_eq!(lines[0][0], format!("Topic: {}", live.topic));
    assert_eq!(lines[0][1].len(), "TopicId: ".len() + 22);
    assert_eq!(lines[0][2..4], ["PartitionCount: 2", "ReplicationFactor: 1"]);
    assert!(
        lines[0][4].starts_with("Configs: ") && lines[0][4].contains("retention.ms=100000000"),
        "{described}"
    );
    assert_eq!(lines[1][1..3], [format!("Topic: {}", live.topic), "Partition: 0".to_owned()]);
    assert!(lines[2][6].starts_with("Elr: ") && lines[2][7].starts_with("LastKnownElr: "), "{described}");

    live.check("kafka-topics --delete --topic TOPIC", "", 0, "", "");
}

#[test]
fn records_go_in_and_come_out() {
    let Some(live) = Live::new("console") else { return };
    live.check("kafka-topics --create --topic TOPIC --partitions 1", "", 0, "Created topic TOPIC.\n", "");
    let keyed = "kafka-console-producer --topic TOPIC --reader-property parse.key=true --reader-property key.separator==";
    let input = "h1:v1,h2:v2\tk1=value one\nh1:x\tk2=value two\nNULL\tk3=NULL\n";
    live.check(
        &format!("{keyed} --reader-property parse.headers=true --reader-property null.marker=NULL"),
        input,
        0,
        "",
        "",
    );
    live.check(keyed, "no separator\n", 1, "", "No key separator found on line number 1: 'no separator'\n");
    live.check("kafka-console-producer --topic TOPIC --compression-codec --sync", "last", 0, "", "");
    let read = "kafka-console-consumer --topic TOPIC --formatter-property print.key=true \
                --formatter-property print.headers=true --formatter-property print.offset=true \
                --formatter-property print.partition=true";
    let all = "Partition:0\tOffset:0\th1:v1,h2:v2\tk1\tvalue one\nPartition:0\tOffset:1\th1:x\tk2\tvalue two\n\
               Partition:0\tOffset:2\tNO_HEADERS\tk3\tnull\nPartition:0\tOffset:3\tNO_HEADERS\tnull\tlast\n";
    let four = "Processed a total of 4 messages\n";
    live.check(&format!("{read} --from-beginning --max-messages 4 --timeout-ms 20000"), "", 0, all, four);
    let last = "Partition:0\tOffset:3\tNO_HEADERS\tnull\tlast\n";
    let one = "Processed a total of 1 messages\n";
    let at = format!("{read} --partition 0 --offset 3 --max-messages 1 --timeout-ms 20000");
    live.check(&at, "", 0, last, one);
    let none = "Processed a total of 0 messages\n";
    live.check("kafka-console-consumer --topic TOPIC --timeout-ms 300", "", 0, "", none);

    live.check("kafka-get-offsets --topic TOPIC", "", 0, "TOPIC:0:4\n", "");
    live.check("kafka-get-offsets --topic-partitions TOPIC:0 --time earliest", "", 0, "TOPIC:0:0\n", "");
    live.check("kafka-get-offsets --topic TOPIC --time 4000000000000", "", 0, "", "");
    let nothing = "Error occurred: Could not match any topic-partitions with the specified filters\n";
    live.check("kafka-get-offsets --topic no-such", "", 1, "", nothing);
}

#[test]
fn performance_is_measured() {
    let Some(live) = Live::new("perf") else { return };
    live.check("kafka-topics --create --topic TOPIC --partitions 3", "", 0, "Created topic TOPIC.\n", "");
    let produce =
        "kafka-producer-perf-test --topic TOPIC --num-records 5000 --record-size 100 --throughput -1";
    let ran = live.run(produce, "");
    assert!(ran.code == 0 && ran.output.starts_with("5000 records sent, "), "{}{}", ran.output, ran.errors);
    assert!(ran.output.ends_with(" ms 99.9th.\n"));
    let ran = live.run("kafka-consumer-perf-test --topic TOPIC --num-records 5000 --hide-header", "");
    let columns: Vec<&str> = ran.output.trim_end().split(", ").collect();
    assert_eq!((ran.code, columns.len(), columns[4]), (0, 10, "5000"), "{}{}", ran.output, ran.errors);
}

#[test]
fn versions_are_listed() {
    let Some(live) = Live::new("versions") else { return };
    let ran = live.run("kafka-broker-api-versions", "");
    let lines: Vec<&str> = ran.output.lines().collect();
    assert!(lines[0].ends_with(" rack: null isFenced: false) -> ("), "{}", lines[0]);
    assert_eq!(lines[1], "\tProduce(0): 0 to 13 [usable: 13],");
    assert_eq!(lines.last(), Some(&")"));
}

#[test]
fn the_demo_checks_itself() {
    let Some(live) = Live::new("meters") else { return };
    let mut options = cli::demo::meters::Options::new(live.servers.as_str());
    options.topic.clone_from(&live.topic);
    (options.meters, options.rate) = (5000, None);
    let mut console = cli::Console::new(std::io::empty(), std::io::sink(), std::io::stderr());
    assert_eq!(cli::demo::meters::run(&options, true, &mut console), 0);
}
