use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};

use super::*;
use crate::builder::BatchBuilder;
use crate::compress::Compression;

fn sample(records: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None)
        .base_offset(Offset(1000))
        .partition_leader_epoch(LeaderEpoch(7))
        .producer(ProducerId(42), ProducerEpoch(3), Sequence(i32::MAX - 1))
        .transactional(true);
    for n in 0..records {
        builder.append(1_700_000_000_000 + i64::from(n), Some(b"key"), Some(b"value"), &[]);
    }
    builder.finish().to_vec()
}

#[test]
fn every_field_is_read_from_its_place() {
    let bytes = sample(3);
    let batch = Batch::parse(&bytes).unwrap();
    assert_eq!(batch.base_offset(), Offset(1000));
    assert_eq!(batch.length() as usize, bytes.len() - 12);
    assert_eq!(batch.size(), bytes.len());
    assert_eq!(batch.partition_leader_epoch(), LeaderEpoch(7));
    assert_eq!(batch.magic(), 2);
    assert_eq!(batch.attributes(), Attributes(16));
    assert_eq!((batch.last_offset_delta(), batch.record_count()), (2, 3));
    assert_eq!((batch.last_offset(), batch.next_offset()), (Offset(1002), Offset(1003)));
    assert_eq!(batch.base_timestamp(), 1_700_000_000_000);
    assert_eq!(batch.max_timestamp(), 1_700_000_000_002);
    assert_eq!((batch.producer_id(), batch.producer_epoch()), (ProducerId(42), ProducerEpoch(3)));
    assert_eq!((batch.base_sequence(), batch.last_sequence()), (Sequence(i32::MAX - 1), Sequence(0)));
    assert!(batch.has_producer_id() && batch.is_crc_valid() && batch.is_whole());
    assert_eq!(batch.delete_horizon(), None);
}

#[test]
fn any_flipped_bit_after_the_checksum_field_is_seen() {
    let bytes = sample(2);
    for position in CRC..bytes.len() {
        let mut broken = bytes.clone();
        broken[position] ^= 0x10;
        assert!(!Batch::parse(&broken).unwrap().is_crc_valid(), "position {position}");
    }
}

#[test]
fn headers_are_read_while_the_records_are_absent() {
    let bytes = sample(2);
    let batch = Batch::parse_header(&bytes[..61]).unwrap();
    assert_eq!(batch.size(), bytes.len());
    assert!(!batch.is_whole() && !batch.is_crc_valid() && batch.payload().is_empty());
    assert_eq!(Batch::parse(&bytes[..61]), Err(BatchError::Torn { needed: bytes.len(), left: 61 }));
}

#[test]
fn what_is_no_batch_says_why() {
    let check = |change: fn(&mut Vec<u8>), expect: BatchError| {
        let mut bytes = sample(1);
        change(&mut bytes);
        assert_eq!(Batch::parse(&bytes), Err(expect));
    };
    let length = |value: i32| value.to_be_bytes();
    check(|b| b.truncate(11), BatchError::Torn { needed: 17, left: 11 });
    check(|b| b.truncate(60), BatchError::Torn { needed: 61, left: 60 });
    check(|b| b[8..12].copy_from_slice(&(-1i32).to_be_bytes()), BatchError::InvalidLength(-1));
    check(|b| b[8..12].copy_from_slice(&48i32.to_be_bytes()), BatchError::InvalidLength(48));
    check(|b| b[8..12].copy_from_slice(&i32::MAX.to_be_bytes()), BatchError::InvalidLength(i32::MAX));
    check(|b| b[16] = 3, BatchError::UnknownMagic(3));
    check(|b| b[16] = 0xff, BatchError::UnknownMagic(-1));
    check(|b| b[16] = 1, BatchError::LegacyMagic(1));
    // A length that is already wrong is not taken for a torn tail, as long as it can be seen.
    let mut short = sample(1)[..12].to_vec();
    short[8..12].copy_from_slice(&length(3));
    assert_eq!(LogEntry::peek(&short), Err(BatchError::InvalidLength(3)));
}

#[test]
fn a_walk_ends_at_the_first_byte_that_is_not_a_whole_batch() {
    let bytes = sample(1);
    let check = |tail: &[u8], batches: usize, torn: Option<bool>| {
        let mut all = bytes.repeat(2);
        all.extend_from_slice(tail);
        let mut walk = Batches::new(&all);
        assert_eq!(walk.by_ref().take_while(|item| item.is_ok()).count(), batches);
        assert_eq!(walk.next(), None);
        let end = Batches::new(&all).last().unwrap().err();
        assert_eq!(
            end.map(|tail| (tail.position, tail.is_torn())),
            torn.map(|torn| (batches * bytes.len(), torn))
        );
    };
    check(&[], 2, None);
    check(&bytes, 3, None);
    check(&bytes[..bytes.len() - 1], 2, Some(true));
    check(&[0], 2, Some(true));
    check(&[0; 20], 2, Some(false));
    assert_eq!(Batches::new(&[]).next(), None);
}

#[test]
fn stamping_keeps_the_checksum() {
    let bytes = sample(2);
    let mut header = Batch::parse(&bytes).unwrap().header();
    header.stamp(Offset(5_000_000_000), LeaderEpoch(9));
    let stamped = [&header.as_bytes()[..], &bytes[61..]].concat();
    let batch = Batch::parse(&stamped).unwrap();
    assert_eq!(
        (batch.base_offset(), batch.partition_leader_epoch()),
        (Offset(5_000_000_000), LeaderEpoch(9))
    );
    assert!(batch.is_crc_valid());
    let mut in_place = bytes.clone();
    stamp(&mut in_place, Offset(5_000_000_000), LeaderEpoch(9));
    assert_eq!(in_place, stamped);
}

#[test]
fn new_timestamps_come_with_a_new_checksum() {
    let bytes = sample(50);
    let check = |timestamp_type: TimestampType, max_timestamp: i64, changed: bool| {
        let mut header = Batch::parse(&bytes).unwrap().header();
        header.set_max_timestamp(timestamp_type, max_timestamp);
        let restamped = [&header.as_bytes()[..], &bytes[61..]].concat();
        let batch = Batch::parse(&restamped).unwrap();
        assert!(batch.is_crc_valid());
        assert_eq!(batch.max_timestamp(), max_timestamp);
        assert_eq!(batch.attributes().timestamp_type(), timestamp_type);
        assert!(batch.attributes().is_transactional());
        assert_eq!(restamped != bytes, changed);
    };
    check(TimestampType::CreateTime, 1_700_000_000_049, false);
    check(TimestampType::CreateTime, -1, true);
    check(TimestampType::LogAppendTime, 1_800_000_000_000, true);
    check(TimestampType::LogAppendTime, 1_700_000_000_049, true);
}
