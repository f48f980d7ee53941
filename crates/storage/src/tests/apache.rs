//! One directory, opened by Apache Kafka and by these logs in turn.
//!
//! Needs a running Java and the script that starts Apache Kafka: its path in `OTTLA_ORACLE`. Skipped without.

#![expect(clippy::disallowed_methods, reason = "starts a foreign program")]

use std::process::Command;
use std::time::SystemTime;

use base::ids::BrokerEpoch;

use super::*;
use crate::disk::os::OsDisk;
use crate::log::Checkpoint;
use crate::log_dir::LogDir;

mod compaction;

const TOPIC: &str = "swap";

struct Apache {
    script: String,
    dir: PathBuf,
    /// Of its own for each test; the controller's is 1000 above.
    port: u16,
}

impl Apache {
    fn run(&self, arguments: &[&str]) -> String {
        let done = Command::new(&self.script).args(arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {out} {err}");
        format!("{out}{err}")
    }

    fn start(&self, settings: &[&str]) {
        let (dir, port) = (self.dir.to_str().unwrap(), self.port.to_string());
        self.run(&[&["start", dir, &port], settings].concat());
    }

    fn end(&self, how: &str) {
        self.run(&[how, self.dir.to_str().unwrap()]);
    }

    fn tool(&self, name: &str, arguments: &str) -> String {
        let server = format!("127.0.0.1:{}", self.port);
        let mut all = vec!["tool", name, "--bootstrap-server", &server];
        all.extend(arguments.split_whitespace());
        self.run(&all)
    }

    /// 1000 records of 1 KB from an idempotent producer.
    fn produce(&self, compression: &str) {
        let properties = format!("bootstrap.servers=127.0.0.1:{} compression.type={compression}", self.port);
        let arguments = format!(
            "tool kafka-producer-perf-test --topic {TOPIC} --num-records 1000 --record-size 1000 --throughput -1 \
             --producer-props {properties}"
        );
        self.run(&arguments.split_whitespace().collect::<Vec<_>>());
    }

    /// How many records a consumer finds.
    fn consumed(&self, expect: i64) -> usize {
        let arguments = format!(
            "--topic {TOPIC} --partition 0 --offset earliest --max-messages {expect} --timeout-ms 20000"
        );
        let out = self.tool("kafka-console-consumer", &arguments);
        out.lines().filter(|line| line.len() > 100).count()
    }

    fn end_offset(&self) -> i64 {
        let out = self.tool("kafka-get-offsets", &format!("--topic {TOPIC}"));
        out.trim().rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Kafka's own look at every file of the partition.
    fn dump(&self) {
        let dir = self.dir.join("data").join(format!("{TOPIC}-0"));
        let paths =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
        let known =
            |name: &String| [".log", "index", ".snapshot"].iter().any(|suffix| name.ends_with(suffix));
        let names: Vec<String> = paths.filter(known).collect();
        let out = self.run(&["tool", "kafka-dump-log", "--deep-iteration", "--files", &names.join(",")]);
        assert!(out.lines().count() > 1000);
        for complaint in ["mismatch", "isvalid: false", "Found", "Exception", "corrupt"] {
            assert_eq!(out.lines().find(|line| line.contains(complaint)), None);
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.end("stop");
    }
}

fn clock() -> Now {
    let since = SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now(since.as_millis() as i64)
}

/// Opens every log of the directory, appends to the topic's, and closes it or leaves it as a crash would.
fn take_over(dir: &Path, expect_clean: bool, expect_end: i64, leave_cleanly: bool) {
    let mut dir = LogDir::open(OsDisk::shared(), dir).unwrap();
    assert_eq!(dir.clean_shutdown().is_some(), expect_clean);
    let epoch = dir.clean_shutdown().and_then(|mark| mark.broker_epoch).unwrap_or(BrokerEpoch(1));
    dir.begin().unwrap();
    let config = LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() };
    let mut closed: Vec<Checkpoint> = Vec::new();
    for found in dir.partitions().unwrap() {
        let topic_id = dir.topic_id(&found).unwrap();
        assert!(topic_id.is_some());
        let mut log = dir.open_log(&found, topic_id, Arc::new(config.clone()), clock()).unwrap();
        if found.topic_partition.topic == TOPIC {
            assert_eq!(log.ends().log_end.0, expect_end);
            assert_eq!(offsets(&log.reader()), (0..expect_end).collect::<Vec<_>>());
            assert!(!log.producers().is_empty());
            let epoch = log.reader().latest_epoch().unwrap();
            for n in 0..1000 {
                let value = format!("{n:01000}");
                let bytes = idempotent(900_000 + expect_end, 0, n, &[(clock().wall.0, &value)]);
                log.stage(clock(), epoch, bytes, Origin::Client).unwrap();
                log.write_staged(clock()).unwrap();
            }
            log.set_high_watermark(log.ends().log_end);
        }
        if leave_cleanly {
            closed.push(log.close(clock()).unwrap());
        }
    }
    if leave_cleanly {
        dir.stop(&closed, epoch).unwrap();
    }
}

fn offsets(reader: &LogReader) -> Vec<i64> {
    let mut found = Vec::new();
    let mut from = reader.ends().log_start;
    while from < reader.ends().log_end {
        let piece = reader.read(from, reader.ends().log_end, 1 << 20, true).unwrap().records.unwrap();
        let bytes = piece.to_bytes().unwrap();
        for batch in Batches::new(&bytes).map_while(Result::ok) {
            assert!(batch.is_crc_valid());
            found.extend(batch.base_offset().0..=batch.last_offset().0);
            from = batch.next_offset();
        }
    }
    found
}

#[test]
fn a_directory_changes_hands() {
    let Ok(script) = std::env::var("OTTLA_ORACLE") else {
        println!("SKIPPED: OTTLA_ORACLE does not name the script that starts Apache Kafka");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let apache = Apache { script, dir: dir.path().to_owned(), port: 21_192 };
    let data = dir.path().join("data");
    apache.start(&[]);
    apache.tool(
        "kafka-topics",
        &format!("--create --topic {TOPIC} --partitions 1 --config segment.bytes=1048576"),
    );
    apache.produce("none");
    apache.produce("lz4");
    apache.end("stop");
    let mut end = 2000;
    for (kafka_crashes, we_crash) in [(false, false), (true, false), (false, true), (true, true)] {
        take_over(&data, end == 2000 || !kafka_crashes, end, !we_crash);
        end += 1000;
        apache.dump();
        apache.start(&[]);
        assert_eq!(apache.end_offset(), end);
        assert_eq!(apache.consumed(end) as i64, end);
        apache.produce("zstd");
        end += 1000;
        // How the next round finds it.
        apache.end(if kafka_crashes { "stop" } else { "kill" });
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}
