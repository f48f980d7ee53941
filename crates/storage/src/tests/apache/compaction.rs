//! The same log compacted by Apache Kafka and by these logs: what stays is the same, batch by batch.
//!
//! Delete horizons differ by the time of the pass and are compared as there or not; what was compressed anew is compared by
//! its records. Everything else is compared with its checksum.

use std::time::{Duration, Instant};

use wire::batch::{Attributes, Batch};
use wire::compress::CompressionType;

use super::*;
use crate::clean::{CleanMemory, Pace, dirtiest};
use crate::config::CleanupPolicy;
use crate::tests::clean::{keyed, marker};

const NAME: &str = "compacted";
/// Each round is compacted once by both.
const ROUNDS: i32 = 4;

struct Unhurried;

impl Pace for Unhurried {
    fn go_on(&mut self, _: usize) -> bool {
        true
    }
}

/// What the topic is made with.
fn config() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy::COMPACT,
        segment_bytes: 1 << 20,
        min_cleanable_dirty_ratio: 0.001,
        delete_retention_ms: 1,
        ..LogConfig::default()
    }
}

/// Opens the partition, runs `change`, and leaves the directory as a clean stop does.
fn with_log(data: &Path, config: LogConfig, change: impl FnOnce(&mut Log)) {
    let mut dir = LogDir::open(OsDisk::shared(), data).unwrap();
    let epoch = dir.clean_shutdown().and_then(|mark| mark.broker_epoch).unwrap_or(BrokerEpoch(1));
    dir.begin().unwrap();
    let mut change = Some(change);
    let mut closed = Vec::new();
    for found in dir.partitions().unwrap() {
        let topic_id = dir.topic_id(&found).unwrap();
        let mut log = dir.open_log(&found, topic_id, Arc::new(config.clone()), clock()).unwrap();
        if found.topic_partition.topic == NAME {
            (change.take().unwrap())(&mut log);
        }
        closed.push(log.close(clock()).unwrap());
    }
    assert!(change.is_none(), "the partition is there");
    dir.stop(&closed, epoch).unwrap();
}

/// Few keys and many, tombstones, codecs, idempotent producers, transactions of both ends; the last segment is empty.
fn write(log: &mut Log, round: i32) {
    let at = clock();
    let epoch = log.reader().latest_epoch().unwrap_or(EPOCH);
    let mut sequences = std::collections::BTreeMap::new();
    for n in 0..900i64 {
        let (kind, id) = (n % 9, 5000 + i64::from(round) * 10 + n % 3);
        let compression = CompressionType::ALL[(n / 7 % 5) as usize];
        let mut builder = BatchBuilder::new(Compression::with_default_level(compression));
        if kind > 4 {
            let sequence = sequences.entry(id).or_insert(0);
            builder =
                builder.producer(ProducerId(id), ProducerEpoch(0), Sequence(*sequence)).transactional(true);
            *sequence += 2;
        }
        let filling = format!("{round} {n} {}", "value ".repeat((n * 31 % 700) as usize));
        let (one, two) = (format!("k{}", n * 17 % 40), format!("k{}", n * 7 % 1300));
        let value = (n % 6 != 0).then_some(filling.as_str());
        append_as(
            log,
            at,
            epoch,
            keyed(builder, at.wall.0 - 1000 + n, &[(Some(&one), value), (Some(&two), Some("2"))]),
        );
        if n % 45 == 44 {
            for id in sequences.keys() {
                append_as(log, at, epoch, marker(*id, 0, (n / 45 + id) % 3 != 0, at.wall.0));
            }
        }
    }
    log.roll(at).unwrap();
}

fn append_as(log: &mut Log, at: Now, epoch: LeaderEpoch, bytes: Bytes) {
    let mut stamped = bytes.to_vec();
    wire::batch::stamp(&mut stamped, log.staged_end(), epoch);
    log.stage(at, epoch, stamped.into(), Origin::Replication).unwrap();
    log.write_staged(at).unwrap();
    log.set_high_watermark(log.ends().log_end);
}

fn compact(log: &mut Log) {
    let at = clock();
    if let Some(job) = log.sync_job() {
        log.synced(job.run(), at).unwrap();
    }
    let plan = log.reader().cleanable(at.wall).unwrap().unwrap();
    let (_, plan) = dirtiest([((), plan)]).expect("it is due");
    let memory = CleanMemory { map_bytes: 128 << 20, load_factor: 0.9, io_bytes: 512 << 10 };
    let mut round = log.clean_job(&plan, at).unwrap().map(memory, &mut Unhurried).unwrap();
    while let Some(cleaned) = round.next_segment(&mut Unhurried).unwrap() {
        assert!(log.swap(cleaned.sync().unwrap(), at).unwrap());
    }
    assert!(log.cleaned(round.finish().unwrap()));
}

/// What there is, a line a batch and a record.
fn shape(log: &Log) -> Vec<String> {
    let mut lines = Vec::new();
    for segment in log.segments().iter() {
        lines.push(format!("segment {} {:?}", segment.base(), segment.aborted().unwrap()));
        let mut scan = segment.scan(0, segment.size()).unwrap();
        while let Some((_, bytes)) = segment.step(scan.next_whole()).unwrap() {
            let batch = Batch::parse(bytes).unwrap();
            let attributes: Attributes = batch.attributes();
            if attributes.has_delete_horizon() || attributes.is_compressed() {
                lines.push(format!(
                    "{}-{} {attributes:?} {} {:?} {} {}",
                    batch.base_offset(),
                    batch.last_offset(),
                    batch.max_timestamp(),
                    (batch.producer_id(), batch.producer_epoch(), batch.base_sequence()),
                    batch.partition_leader_epoch(),
                    batch.record_count()
                ));
            } else {
                lines.push(format!("{batch:?}"));
            }
            let whole = Bytes::copy_from_slice(bytes);
            for record in Records::new(&whole, &mut Decompressors::new(), 1 << 20).unwrap() {
                let record = record.unwrap();
                lines.push(format!(
                    "  {} {} {:?} {:?}",
                    record.offset, record.timestamp, record.key, record.value
                ));
            }
        }
    }
    lines
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Waits until Apache Kafka has written down that it compacted so far.
fn await_compaction(data: &Path, end: i64) {
    let deadline = Instant::now() + Duration::from_secs(90);
    let line = format!("{NAME} 0 {end}");
    loop {
        let text = std::fs::read_to_string(data.join("cleaner-offset-checkpoint")).unwrap_or_default();
        if text.lines().any(|it| it == line) {
            return;
        }
        assert!(Instant::now() < deadline, "not compacted up to {end}: {text}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn both_keep_the_same() {
    let Ok(script) = std::env::var("OTTLA_ORACLE") else {
        println!("SKIPPED: OTTLA_ORACLE does not name the script that starts Apache Kafka");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let apache = Apache { script, dir: dir.path().to_owned(), port: 21_194 };
    let (data, own) = (dir.path().join("data"), dir.path().join("own"));
    apache.start(&[]);
    let configs = "--config cleanup.policy=compact --config segment.bytes=1048576 --config delete.retention.ms=1 \
                   --config min.cleanable.dirty.ratio=0.001";
    apache.tool("kafka-topics", &format!("--create --topic {NAME} --partitions 1 {configs}"));
    apache.end("stop");
    let partition = format!("{NAME}-0");
    copy(&data.join(&partition), &own.join(&partition));
    for round in 0..ROUNDS {
        let small = LogConfig { segment_bytes: 200_000, ..config() };
        let mut end = 0;
        // The very same bytes for both: what one of them wrote is copied behind what the other has compacted.
        let fresh = dir.path().join(format!("fresh-{round}"));
        with_log(&data, small.clone(), |log| {
            let start = log.ends().log_end;
            write(log, round);
            end = log.ends().log_end.0;
            let reader = log.reader();
            std::fs::create_dir_all(&fresh).unwrap();
            let mut at = start;
            let mut index = 0;
            while at < log.ends().log_end {
                let piece = reader.read(at, log.ends().log_end, 1 << 20, true).unwrap().records.unwrap();
                let bytes = piece.to_bytes().unwrap();
                for batch in Batches::new(&bytes).map_while(Result::ok) {
                    if batch.base_offset() < at {
                        continue;
                    }
                    at = batch.next_offset();
                    let whole = [&batch.header().as_bytes()[..], batch.payload()].concat();
                    std::fs::write(fresh.join(format!("{index:06}")), whole).unwrap();
                    index += 1;
                }
            }
        });
        with_log(&own, small, |log| {
            let at = clock();
            let mut names: Vec<_> = std::fs::read_dir(&fresh).unwrap().map(|it| it.unwrap().path()).collect();
            names.sort();
            for name in names {
                let bytes = Bytes::from(std::fs::read(name).unwrap());
                let epoch = Batch::parse(&bytes).unwrap().partition_leader_epoch();
                log.stage(at, epoch, bytes, Origin::Replication).unwrap();
                log.write_staged(at).unwrap();
                log.set_high_watermark(log.ends().log_end);
            }
            log.roll(at).unwrap();
        });
        apache.start(&["log.cleaner.backoff.ms=200"]);
        await_compaction(&data, end);
        apache.end("stop");
        with_log(&own, config(), compact);
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        with_log(&data, config(), |log| theirs = shape(log));
        with_log(&own, config(), |log| ours = shape(log));
        let differs = theirs.iter().zip(&ours).position(|(one, other)| one != other);
        if let Some(at) = differs {
            let near = at.saturating_sub(6)..at + 3;
            let part = |lines: &[String]| lines[near.start..near.end.min(lines.len())].join("\n");
            panic!("round {round}, line {at}\nApache:\n{}\nOttla:\n{}", part(&theirs), part(&ours));
        }
        assert_eq!(theirs.len(), ours.len(), "round {round}");
        println!("round {round}: {} lines of batches and records are the same", ours.len());
    }
}
