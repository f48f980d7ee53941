//! Every kind of bad batch against what Apache Kafka 4.3.0 answered, as recorded by `testdata/produce/record.py`.

use std::io::Read;

use base::ids::{LeaderEpoch, Offset};
use bytes::Bytes;

use super::*;
use crate::builder::BatchBuilder;
use crate::record::{Record, Records};

const ANSWERS: &str = include_str!("../../testdata/produce/answers.txt");

/// Where the answer differs on purpose.
const DIFFERENT: &[(&str, &str)] = &[
    // Kafka allocates what a record's length claims before it reads the record, and runs out of memory.
    ("length greatest", "lz4"),
];

struct Answer {
    name: &'static str,
    topic: &'static str,
    version: i16,
    records: Vec<u8>,
    code: ErrorCode,
    base_offset: Offset,
    log_append_time: i64,
    log_start_offset: &'static str,
    record_errors: Vec<RecordError>,
    message: Option<&'static str>,
    stored: Bytes,
}

fn answers() -> impl Iterator<Item = Answer> {
    let lines = ANSWERS.lines().filter(|line| !line.starts_with('#'));
    // Null records break Kafka's request handler; what is closed there is the broker's to decide.
    lines.filter(|line| !line.starts_with("null records\t")).map(answer)
}

fn answer(line: &'static str) -> Answer {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, topic, version, records, code, base, append, start, errors, message, stored] = fields[..]
    else {
        panic!("eleven fields expected: {line}");
    };
    let errors = errors.split(" | ").filter(|error| !error.is_empty()).map(|error| {
        let (index, message) = error.split_once(':').expect("index:message");
        RecordError { batch_index: index.parse().unwrap(), message: message.to_owned() }
    });
    Answer {
        name,
        topic,
        version: version.parse().unwrap(),
        records: unhex(records),
        code: ErrorCode(code.parse().unwrap()),
        base_offset: Offset(base.parse().unwrap()),
        log_append_time: append.parse().unwrap(),
        log_start_offset: start,
        record_errors: errors.collect(),
        message: (message != "null").then_some(message),
        stored: Bytes::from(unhex(stored)),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    if let Some(deflated) = text.strip_prefix("zlib:") {
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(&crate::goldens::unhex(deflated)[..]).read_to_end(&mut bytes).unwrap();
        return bytes;
    }
    crate::goldens::unhex(text)
}

fn rules(topic: &'static str) -> AppendRules<'static> {
    let default = |compression| Some(Compression::with_default_level(compression));
    let mut rules = AppendRules {
        topic: Box::leak(format!("records-{topic}").into_boxed_str()),
        partition: PartitionIndex(0),
        max_message_bytes: 1_048_588,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        compression: None,
        compacted: topic.starts_with("compact"),
        trust_headers: false,
    };
    match topic {
        "small" => rules.max_message_bytes = 300,
        "smallgzip" => (rules.max_message_bytes, rules.compression) = (300, default(CompressionType::Gzip)),
        "smalluncompressed" => (rules.max_message_bytes, rules.compression) = (300, Some(Compression::None)),
        "append" => rules.timestamp_type = TimestampType::LogAppendTime,
        "appendgzip" => {
            rules.timestamp_type = TimestampType::LogAppendTime;
            rules.compression = default(CompressionType::Gzip);
        }
        "window" | "compactwindow" => rules.timestamp_before_max_ms = 3_600_000,
        "segment" => (rules.max_message_bytes, rules.segment_bytes) = (3_000_000, 1 << 20),
        "large" => rules.max_message_bytes = 2_000_000,
        "uncompressed" => rules.compression = Some(Compression::None),
        "gzip" | "snappy" | "lz4" | "zstd" => rules.compression = default(topic.parse().unwrap()),
        "plain" | "compact" => {}
        other => panic!("what are the configs of {other}?"),
    }
    rules
}

impl Answer {
    /// What the broker's clock said: its answer tells, in one place or another, whenever it matters.
    fn now(&self, rules: &AppendRules<'_>) -> WallTime {
        if self.log_append_time >= 0 {
            return WallTime(self.log_append_time);
        }
        let range = self.record_errors.iter().find_map(|error| error.message.split_once(", "));
        let after =
            range.and_then(|(_, last)| last.strip_suffix(']')).and_then(|last| last.parse::<i64>().ok());
        let first = Batch::parse(&self.records).map_or(0, |batch| batch.max_timestamp());
        // The script makes batches within a minute around its clock unless it says otherwise.
        after.map_or(WallTime(first.clamp(self.recorded(), self.recorded() + 60_000)), |after| {
            WallTime(after - rules.timestamp_after_max_ms)
        })
    }

    /// When the recording began.
    fn recorded(&self) -> i64 {
        let first = answers().next().unwrap();
        Batch::parse(&first.records).unwrap().base_timestamp()
    }

    fn check(&self, scratch: &mut Scratch) {
        let rules = rules(self.topic);
        let now = self.now(&rules);
        let verdict = only_batch(&self.records, self.version)
            .and_then(|batch| validate(&batch, &rules, now, scratch).map(|accepted| (batch, accepted)));
        match verdict {
            Ok((batch, accepted)) => self.check_accepted(&batch, accepted),
            Err(refused) => self.check_refused(&refused),
        }
    }

    fn check_refused(&self, refused: &Refused) {
        assert_eq!(refused.code, self.code, "{}", self.title());
        if self.version >= 5 {
            let start = if refused.tells_log_start_offset { "0" } else { "-1" };
            assert_eq!(self.log_start_offset, start, "{}", self.title());
        }
        if self.version >= 8 {
            assert_eq!(refused.message.as_deref(), self.message, "{}", self.title());
            assert_eq!(refused.record_errors, self.record_errors, "{}", self.title());
        }
    }

    fn check_accepted(&self, batch: &Batch<'_>, mut accepted: Accepted) {
        assert_eq!(self.code, ErrorCode::NONE, "{} was accepted", self.title());
        assert_eq!(accepted.log_append_time.unwrap_or(-1), self.log_append_time, "{}", self.title());
        accepted.header.stamp(self.base_offset, LeaderEpoch(0));
        let payload = accepted.rewritten.as_deref().unwrap_or(batch.payload());
        let bytes = Bytes::from([&accepted.header.as_bytes()[..], payload].concat());
        let (ours, theirs) = (Batch::parse(&bytes).unwrap(), Batch::parse(&self.stored).unwrap());
        assert!(ours.is_crc_valid() && theirs.is_crc_valid(), "{}", self.title());
        assert_eq!(ours.record_count(), accepted.record_count);
        assert_eq!(ours.max_timestamp(), accepted.max_timestamp);
        if accepted.rewritten.is_none() {
            assert_eq!(bytes, self.stored, "{}", self.title());
            return;
        }
        // Two compressors need not make the same bytes of the same records.
        let described = |batch: &Batch<'_>| {
            let (attributes, producer) = (batch.attributes(), batch.producer_id());
            let times = (batch.base_timestamp(), batch.max_timestamp());
            (batch.base_offset(), batch.last_offset(), attributes, producer, batch.base_sequence(), times)
        };
        assert_eq!(described(&ours), described(&theirs), "{}", self.title());
        assert_eq!(records(&bytes), records(&self.stored), "{}", self.title());
    }

    fn title(&self) -> String {
        format!("{} on {}", self.name, self.topic)
    }
}

/// A header with its key as text.
type TextHeader = (String, Option<Bytes>);

/// Kafka reads header keys as text when it rewrites, and replaces what is none.
fn records(bytes: &Bytes) -> Vec<(Record, Vec<TextHeader>)> {
    let records = Records::new(bytes, &mut Decompressors::new(), 1 << 20).unwrap();
    let text = |key: &Bytes| String::from_utf8_lossy(key).into_owned();
    let records = records.map(|record| {
        let mut record = record.unwrap();
        let headers = std::mem::take(&mut record.headers);
        (record, headers.iter().map(|header| (text(&header.key), header.value)).collect())
    });
    records.collect()
}

#[test]
fn answers_are_those_of_apache_kafka() {
    let mut scratch = Scratch::default();
    let mut checked = 0;
    for answer in answers() {
        let different = |(name, topic): &(&str, &str)| {
            answer.name.ends_with(name)
                && answer.topic == *topic
                && answer.code == ErrorCode::UNKNOWN_SERVER_ERROR
        };
        // Transactions are looked at between the two steps, by those who know them.
        let transactional = answer.code == ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        if !DIFFERENT.iter().any(different) && !transactional {
            answer.check(&mut scratch);
            checked += 1;
        }
    }
    assert!(checked > 600, "the table has {checked} lines left");
}

/// A batch of records without keys, all of one time.
fn keyless(compression: CompressionType, records: i32, timestamp: i64, value: &[u8]) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::with_default_level(compression));
    for _ in 0..records {
        builder.append(timestamp, None, Some(value), &[]);
    }
    builder.finish()
}

fn decide(bytes: &Bytes, rules: &AppendRules<'_>) -> Result<Accepted, Box<Refused>> {
    validate(&only_batch(bytes, 9)?, rules, WallTime(1_000_000), &mut Scratch::default())
}

#[test]
fn a_bomb_of_errors_is_counted_but_not_described() {
    let bytes = keyless(CompressionType::Zstd, 100_000, 1_000_000, b"");
    let refused = decide(&bytes, &rules("compact")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::INVALID_RECORD);
    assert!(refused.message.unwrap().contains("due to 100000 record errors in total"));
    assert!((16..10_000).contains(&refused.record_errors.len()), "{}", refused.record_errors.len());
}

#[test]
fn a_bomb_is_not_unfolded_beyond_what_the_topic_takes() {
    let bytes = keyless(CompressionType::Zstd, 3, 1_000_000, &vec![0; 3_000_000]);
    let check = |topic, expect: ErrorCode| {
        let code = decide(&bytes, &rules(topic)).map_or_else(|refused| refused.code, |_| ErrorCode::NONE);
        assert_eq!(code, expect, "{topic}");
    };
    check("plain", ErrorCode::NONE);
    check("uncompressed", ErrorCode::MESSAGE_TOO_LARGE);
    check("gzip", ErrorCode::NONE);
}

#[test]
fn a_trusted_header_is_all_that_is_looked_at() {
    let trusting = |topic| AppendRules { trust_headers: true, ..rules(topic) };
    for compression in [CompressionType::Gzip, CompressionType::Zstd] {
        let bytes = keyless(compression, 3, 1_000_000, b"value");
        let accepted = decide(&bytes, &trusting("compact")).unwrap();
        assert_eq!((accepted.record_count, accepted.max_timestamp), (3, 1_000_000));
        assert_eq!(accepted.header.as_bytes()[..], bytes[..61]);
        // A header can still be wrong by itself.
        let future = keyless(compression, 3, 1_000_000 + 3_600_001, b"value");
        assert_eq!(decide(&future, &trusting("plain")).unwrap_err().code, ErrorCode::INVALID_TIMESTAMP);
    }
    // Uncompressed records cost next to nothing, and are looked at always.
    let bytes = keyless(CompressionType::None, 3, 1_000_000, b"value");
    assert_eq!(decide(&bytes, &trusting("compact")).unwrap_err().code, ErrorCode::INVALID_RECORD);
}

#[test]
fn the_first_record_of_the_greatest_time_is_told() {
    let mut builder = BatchBuilder::new(Compression::None);
    for timestamp in [5, 9, 7, 9] {
        builder.append(timestamp, None, None, &[]);
    }
    let bytes = builder.finish();
    let told = |topic| {
        let accepted = decide(&bytes, &rules(topic)).unwrap();
        (accepted.max_timestamp, accepted.index_of_max_timestamp, accepted.log_append_time)
    };
    assert_eq!(told("plain"), (9, 1, None));
    assert_eq!(told("append"), (1_000_000, 0, Some(1_000_000)));
    assert_eq!(told("lz4"), (9, 1, None));
}
