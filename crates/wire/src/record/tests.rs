use base::ids::{Offset, ProducerEpoch, ProducerId, Sequence};
use proptest::prelude::*;

use super::*;
use crate::batch::{Batch, Batches};
use crate::builder::BatchBuilder;
use crate::compress::{Compression, CompressionType, Decompressors};
use crate::control::{ControlRecordType, EndTxnMarker, control_batch, end_txn_batch};
use crate::goldens::golden;

const NOW: i64 = 1_700_000_000_000;
const LIMIT: usize = 1 << 22;

/// What a test says of a record: timestamp, key, value, headers.
type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn read(batch: &Bytes) -> Result<Vec<(Offset, Plain)>, RecordsError> {
    let plain = |record: Record| {
        let headers =
            record.headers.iter().map(|header| (header.key.to_vec(), header.value.map(|v| v.to_vec())));
        let (key, value) = (record.key.map(|key| key.to_vec()), record.value.map(|value| value.to_vec()));
        (record.offset, (record.timestamp, key, value, headers.collect()))
    };
    Records::new(batch, &mut Decompressors::new(), LIMIT)?.map(|record| record.map(plain)).collect()
}

fn heads(batch: &Bytes, reading: Reading) -> Result<Vec<RecordHead>, RecordsError> {
    let batch = Batch::parse(batch).expect("a whole batch");
    RecordCursor::new(&batch, reading, &mut Decompressors::new())?.collect()
}

fn three() -> Vec<Plain> {
    let headers = [("trace", Some(vec![1, 2])), ("", None), ("trace", Some(vec![]))];
    let headers = headers.map(|(key, value)| (key.as_bytes().to_vec(), value));
    vec![
        (NOW, Some(b"key".to_vec()), Some(b"value".to_vec()), headers.to_vec()),
        (NOW + 5, None, Some(vec![]), vec![]),
        (NOW - 3, Some(vec![]), None, vec![]),
    ]
}

fn header((key, value): &(Vec<u8>, Option<Vec<u8>>)) -> RecordHeader {
    RecordHeader { key: Bytes::copy_from_slice(key), value: value.clone().map(Bytes::from) }
}

fn append(builder: &mut BatchBuilder, (timestamp, key, value, headers): &Plain) {
    let headers: Vec<_> = headers.iter().map(header).collect();
    builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
}

/// The letters that `Record.java` fills its large values with.
fn text(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| b'a' + ((i / (number + 1) + number) % 26) as u8).collect()
}

#[test]
fn batches_that_apache_made_are_read() {
    for compression in CompressionType::ALL {
        let bytes = golden(&format!("three {compression}"));
        let batch = Batch::parse(&bytes).unwrap();
        assert!(batch.is_crc_valid());
        assert_eq!(batch.attributes().compression(), Ok(compression));
        assert_eq!((batch.producer_id(), batch.producer_epoch()), (ProducerId(4000), ProducerEpoch(2)));
        assert_eq!((batch.base_sequence(), batch.last_sequence()), (Sequence(17), Sequence(19)));
        assert_eq!(batch.max_timestamp(), NOW + 5);
        let offsets = [Offset(0), Offset(1), Offset(2)];
        let expect: Vec<_> = offsets.into_iter().zip(three()).collect();
        assert_eq!(read(&bytes), Ok(expect), "{compression}");
        if compression != CompressionType::None {
            let large = read(&golden(&format!("large {compression}"))).unwrap();
            for (number, (_, (_, key, value, _))) in large.iter().enumerate() {
                assert!(
                    *key == Some(text(number, 3)) && *value == Some(text(number, 60_000)),
                    "{compression}"
                );
            }
        }
    }
    // The time of the append is that of the batch, whatever the deltas say.
    let times = heads(&golden("appended"), Reading::Strict).unwrap();
    assert!(times.iter().all(|record| record.timestamp == NOW + 99));
}

#[test]
fn the_builder_makes_the_bytes_that_apache_makes() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder = builder.producer(ProducerId(4000), ProducerEpoch(2), Sequence(17));
    three().iter().for_each(|record| append(&mut builder, record));
    assert_eq!(builder.finish(), golden("three none"));

    let stamped = |batch: Bytes| {
        let mut bytes = batch.to_vec();
        crate::batch::stamp(&mut bytes, Offset(7), base::ids::LeaderEpoch(3));
        Bytes::from(bytes)
    };
    for (name, committed, coordinator_epoch) in [("commit", true, 11), ("abort", false, 12)] {
        let marker = EndTxnMarker { coordinator_epoch };
        let batch = end_txn_batch(NOW, ProducerId(4000), ProducerEpoch(2), committed, marker);
        assert_eq!(stamped(batch), golden(name));
    }
    for (name, kind) in [
        ("leader change", ControlRecordType::LeaderChange),
        ("snapshot header", ControlRecordType::SnapshotHeader),
        ("snapshot footer", ControlRecordType::SnapshotFooter),
        ("kraft version", ControlRecordType::KRaftVersion),
        ("voters", ControlRecordType::KRaftVoters),
    ] {
        let bytes = golden(name);
        let [(_, (timestamp, key, value, _))] = &read(&bytes).unwrap()[..] else { panic!("one record") };
        assert_eq!(ControlRecordType::of_key(key.as_ref().unwrap()), Ok(Some(kind)));
        let mut builder = control_batch();
        builder.append(*timestamp, Some(&kind.key()), value.as_deref(), &[]);
        assert_eq!(stamped(builder.finish()), bytes, "{name}");
    }
}

#[test]
fn sizes_are_known_before_a_record_is_added() {
    let mut builder = BatchBuilder::new(Compression::None);
    for record in three() {
        let (timestamp, key, value, headers) = &record;
        let headers: Vec<_> = headers.iter().map(header).collect();
        let expect = builder.size_with(*timestamp, key.as_deref(), value.as_deref(), &headers);
        append(&mut builder, &record);
        assert_eq!(builder.uncompressed_size(), expect);
    }
    assert_eq!((builder.record_count(), builder.is_empty()), (3, false));
    assert_eq!(builder.clone().uncompressed_size(), builder.finish().len());
}

#[test]
fn uncompressed_records_are_slices_of_the_batch() {
    let bytes = golden("three none");
    let record = Records::new(&bytes, &mut Decompressors::new(), 0).unwrap().next().unwrap().unwrap();
    let inside = bytes.as_ptr_range();
    assert!(
        inside.contains(&record.key.unwrap().as_ptr()) && inside.contains(&record.value.unwrap().as_ptr())
    );
    assert_eq!(record.headers.last("trace"), Some(Some(Bytes::new())));
    assert_eq!(record.headers.last(""), Some(None));
    assert_eq!(record.headers.last("absent"), None);
}

#[test]
fn a_compressed_batch_has_a_limit() {
    let bytes = golden("large zstd");
    let result = Records::new(&bytes, &mut Decompressors::new(), 100_000).err();
    assert_eq!(result, Some(crate::compress::DecompressError::TooLarge(100_000).into()));
    // The walk that keeps nothing needs none.
    let lengths =
        heads(&bytes, Reading::Lenient).unwrap().iter().map(|head| head.value_length).collect::<Vec<_>>();
    assert_eq!(lengths, [Some(60_000); 3]);
}

#[test]
fn gaps_and_times_of_the_append() {
    let mut builder = BatchBuilder::new(Compression::Snappy).base_offset(Offset(100)).log_append_time(NOW);
    builder.append_at(2, 5, Some(b"a"), None, &[]);
    builder.append_at(9, -1, Some(b"b"), None, &[]);
    let bytes = builder.finish();
    let batch = Batch::parse(&bytes).unwrap();
    assert_eq!((batch.last_offset(), batch.record_count()), (Offset(109), 2));
    let heads = heads(&bytes, Reading::Strict).unwrap();
    assert_eq!(
        heads.iter().map(|head| (head.offset, head.timestamp)).collect::<Vec<_>>(),
        [(Offset(102), NOW), (Offset(109), NOW)]
    );
}

fn plain() -> impl Strategy<Value = Plain> {
    let field = || prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..200));
    let headers = prop::collection::vec(("[a-z]{0,12}".prop_map(String::into_bytes), field()), 0..4);
    (prop_oneof![Just(-1), NOW - 1000..NOW + 1000, any::<i64>()], field(), field(), headers)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_is_read(records in prop::collection::vec(plain(), 1..40), codec in 0..5usize, base in 0..1i64 << 60) {
        let compression = Compression::with_default_level(CompressionType::ALL[codec]);
        let mut builder = BatchBuilder::new(compression).base_offset(Offset(base));
        records.iter().for_each(|record| append(&mut builder, record));
        let bytes = builder.finish();
        let mut walk = Batches::new(&bytes);
        let batch = walk.next().unwrap().unwrap();
        prop_assert!(walk.next().is_none() && batch.is_crc_valid());
        prop_assert_eq!(batch.max_timestamp(), records.iter().map(|record| record.0).max().unwrap().max(-1));
        prop_assert_eq!(batch.next_offset(), Offset(base + records.len() as i64));
        let expect: Vec<_> = records.into_iter().enumerate().map(|(n, r)| (Offset(base + n as i64), r)).collect();
        let lengths = |plain: &Plain| (plain.1.as_ref().map(Vec::len), plain.2.as_ref().map(Vec::len), plain.3.len());
        for reading in [Reading::Strict, Reading::Lenient] {
            for (head, (offset, plain)) in heads(&bytes, reading).unwrap().iter().zip(&expect) {
                prop_assert_eq!((head.offset, head.timestamp), (*offset, plain.0));
                let length = |length: Option<u32>| length.map(|length| length as usize);
                let found = (length(head.key_length), length(head.value_length), head.header_count as usize);
                prop_assert_eq!(found, lengths(plain));
            }
        }
        prop_assert_eq!(read(&bytes).unwrap(), expect);
    }

    #[test]
    fn broken_bytes_never_panic(codec in 0..5usize, at in 57..108usize, change in 1..=255u8, cut in 0..200usize) {
        let mut bytes = golden(&format!("three {}", CompressionType::ALL[codec])).to_vec();
        bytes[at] ^= change;
        let broken = Bytes::from(bytes);
        for reading in [Reading::Strict, Reading::Lenient] {
            let _ = heads(&broken, reading);
        }
        let _ = read(&broken).map(|records| records.len());
        let short = broken.slice(..cut.min(broken.len()));
        let _ = read(&short);
    }
}
