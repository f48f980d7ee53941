//! `kafka-dump-log` on files that Apache Kafka wrote, compared with what its own tool printed: `testdata/record.sh` records
//! both.

use std::path::Path;

use protocol::Message;
use protocol::coordinator_record::{CoordinatorLog, CoordinatorRecord};
use protocol::json::{json_to_bytes, name};
use protocol::messages::consumer_protocol_assignment::ConsumerProtocolAssignment;
use protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use protocol::schema::{Field, Kind, Schema};
use serde_json::{Map, Value, json};
use wire::builder::BatchBuilder;
use wire::compress::Compression;
use wire::output::Output;

use crate::console::run_with;

#[test]
fn it_prints_what_kafkas_tool_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dump-log");
    let cases = std::fs::read_to_string(folder.join("cases.txt")).unwrap();
    for (number, line) in (1..).zip(cases.lines()) {
        let expect = std::fs::read_to_string(folder.join(format!("{number}.out"))).unwrap();
        let here = format!("{}/", folder.display());
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let files = words.last_mut().unwrap();
        *files = files.split(',').map(|file| format!("{here}{file}")).collect::<Vec<_>>().join(",");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = run_with("kafka-dump-log", &words, "");
        let output = ran.output.replace(&here, "");
        for (at, (ours, theirs)) in output.lines().zip(expect.lines()).enumerate() {
            assert_eq!(ours, theirs, "case {number}: {line}, line {at}");
        }
        assert_eq!(output.len(), expect.len(), "case {number}: {line}");
        let expect = u8::from(ran.errors.contains("Failed to decode message"));
        assert_eq!(ran.code, expect, "case {number}: {line}: {}", ran.errors);
    }
}

#[test]
fn damage_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dump-log/codecs-0");
    let log = folder.path().join("00000000000000000000.log");
    let index = folder.path().join("00000000000000000000.index");
    let whole = std::fs::read(source.join("00000000000000000000.log")).unwrap();
    let dump = |flags: &[&str], file: &Path| {
        let file = file.display().to_string();
        run_with("kafka-dump-log", &[flags, &["--files", &file]].concat(), "")
    };
    std::fs::write(&log, &whole[..whole.len() - 17]).unwrap();
    assert!(dump(&[], &log).output.contains(" invalid bytes at the end of 00000000000000000000.log"));

    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    std::fs::write(&log, &flipped).unwrap();
    assert_eq!(dump(&[], &log).output.matches("isvalid: false").count(), 1);

    std::fs::write(&log, &whole).unwrap();
    std::fs::write(&index, [0, 0, 0, 3, 0, 0, 0, 0]).unwrap();
    let ran = dump(&["--verify-index-only"], &index);
    assert!(ran.errors.contains("Mismatches in :") && ran.errors.contains("  Index offset: 3, log offset: "));

    std::fs::write(folder.path().join("00000000000000000009.snapshot"), &whole[..50]).unwrap();
    let ran = dump(&[], &folder.path().join("00000000000000000009.snapshot"));
    let expect = "Snapshot failed schema validation: Snapshot contained an unknown file version 0\n";
    assert_eq!((ran.code, ran.errors.as_str()), (0, expect));
    assert_eq!(dump(&[], &folder.path().join("nothing.log")).code, 1);
}

/// Writes `testdata/dump-log/coordinators-0`: every record of the coordinators and of remote log metadata in every version,
/// once as empty as can be and once full, and some that are none. `testdata/record.sh` runs it before it asks Apache Kafka.
#[test]
#[ignore = "writes test data"]
fn records_of_every_type_are_written_to_dump() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dump-log/coordinators-0");
    std::fs::create_dir_all(&folder).unwrap();
    let logs = [CoordinatorLog::Group, CoordinatorLog::Transaction, CoordinatorLog::Share];
    for (number, log) in logs.into_iter().enumerate() {
        let mut batch = BatchBuilder::new(Compression::None);
        let mut add =
            |key: &[u8], value: Option<&[u8]>| batch.append(1_700_000_000_000, Some(key), value, &[]);
        for record in CoordinatorRecord::of(log) {
            let mut keys = Vec::new();
            for full in [false, true] {
                let key =
                    versioned(record.key, record.record_type, record.key.min, &sample(record.key, 0, full));
                for version in record.value.min..=record.value.max {
                    let value =
                        versioned(record.value, version, version, &sample(record.value, version, full));
                    add(&key, Some(&value));
                }
                keys.push(key);
            }
            add(&keys[1], None);
            // A version that is not there, a value that is cut off, and a key.
            add(&keys[0], Some(&[0x7f, 0xff, 0]));
            add(&keys[0], Some(&[0]));
            add(&[], None);
        }
        add(&[0x7f, 0], Some(&[0, 0]));
        std::fs::write(folder.join(format!("{number:020}.log")), batch.finish()).unwrap();
    }
    let mut batch = BatchBuilder::new(Compression::None);
    for (number, schema) in (0u8..).zip(remote_log_schemas()) {
        for full in [false, true] {
            let mut value = vec![1, number, 0];
            value.extend(encoded(schema, 0, &sample(schema, 0, full)));
            batch.append(1_700_000_000_000, None, Some(&value), &[]);
        }
    }
    for value in [&[][..], &[0, 0], &[1], &[1, 2], &[2, 0, 0], &[1, 77, 0]] {
        batch.append(1_700_000_000_000, None, Some(value), &[]);
    }
    std::fs::write(folder.join(format!("{:020}.log", 3)), batch.finish()).unwrap();
}

fn remote_log_schemas() -> [&'static Schema; 4] {
    use protocol::records::*;
    [
        remote_log_segment_metadata_record::RemoteLogSegmentMetadataRecord::SCHEMA,
        remote_log_segment_metadata_update_record::RemoteLogSegmentMetadataUpdateRecord::SCHEMA,
        remote_partition_delete_metadata_record::RemotePartitionDeleteMetadataRecord::SCHEMA,
        remote_log_segment_metadata_snapshot_record::RemoteLogSegmentMetadataSnapshotRecord::SCHEMA,
    ]
}

fn encoded(schema: &Schema, version: i16, value: &Value) -> Vec<u8> {
    let mut out = Output::new();
    json_to_bytes(schema, version, value, &mut out).unwrap();
    out.to_bytes().unwrap().to_vec()
}

/// Behind a number, as keys and values of coordinators are.
fn versioned(schema: &Schema, number: i16, version: i16, value: &Value) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(encoded(schema, version, value));
    bytes
}

/// A message in which every field has a value, or as few as can be.
fn sample(schema: &Schema, version: i16, full: bool) -> Value {
    let mut value = fields(schema.fields, version, full);
    if schema.name == "GroupMetadataValue" && full {
        value["protocolType"] = "consumer".into();
        let bytes = |schema: &Schema, version: i16| {
            let bytes = versioned(schema, version, version, &sample(schema, version, true));
            Value::from(protocol::json::base64::encode(&bytes))
        };
        value["members"][0]["subscription"] = bytes(ConsumerProtocolSubscription::SCHEMA, version.min(3));
        value["members"][0]["assignment"] = bytes(ConsumerProtocolAssignment::SCHEMA, version.min(3));
        value["members"][1]["assignment"] = "".into();
    }
    value
}

fn fields(fields: &[Field], version: i16, full: bool) -> Value {
    let mut object = Map::new();
    for (place, field) in fields.iter().enumerate().filter(|(_, field)| field.is_in(version)) {
        let value = match (full, field.is_nullable_in(version), field.array) {
            (false, true, _) => Value::Null,
            (false, false, true) => json!([]),
            (_, _, true) => json!([one(field, place, version, full), one(field, place + 1, version, full)]),
            _ => one(field, place, version, full),
        };
        object.insert(name(field), value);
    }
    Value::Object(object)
}

fn one(field: &Field, place: usize, version: i16, full: bool) -> Value {
    let number = i64::from(full) * (place as i64 + 1);
    match field.kind {
        Kind::Bool => full.into(),
        // Small ones are states: there are only a few of them.
        Kind::I8 => i64::from(full).into(),
        Kind::I16 | Kind::U16 | Kind::Error => number.into(),
        Kind::I32 | Kind::U32 => (number * 1000).into(),
        Kind::I64 => (number * 1_000_000_000_000).into(),
        Kind::F64 => 1.5.into(),
        Kind::String if full => format!("{} \u{e9}\"\\ {place}", field.name).into(),
        Kind::String => "".into(),
        Kind::Uuid => base::uuid::Uuid::from_u128(number as u128).to_string().into(),
        Kind::Bytes | Kind::Records => if full { "AQL/" } else { "" }.into(),
        Kind::Struct(below) => fields(below, version, full),
    }
}
