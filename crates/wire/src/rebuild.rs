//! A batch made from some of another's records, as compaction does.
//!
//! ```text
//! base offset 10, last offset delta 5     r10 r11 r12 r13 r14 r15
//! base offset 10, last offset delta 5         r11         r14         what is kept has its offset and its timestamp
//! base offset 10, last offset delta 5                                 nothing is: the header tells of its producer
//! ```
//! Invariant: base and last offset, producer, sequence, leader epoch, codec and kind of timestamp are the original's, so
//! that neither the sequences of its producer nor the offsets of the log show a hole that was not there.

use crate::batch::{
    ATTRIBUTES, Attributes, BASE_TIMESTAMP, Batch, CRC, LENGTH, LOG_OVERHEAD, MAX_TIMESTAMP, NO_TIMESTAMP,
    RECORD_COUNT, TimestampType,
};
use crate::compress::{Compression, CompressionType, Compressors};
use crate::crc::crc32c;
use crate::record::RecordView;
use crate::varint::{put_varint, put_varlong, varint_size, varlong_size};

/// Appends the batch with only `records` of it, in their order. With a delete horizon (KIP-534), in ms, that takes the
/// place of the base timestamp. Levels of codecs are their defaults: a batch does not say with which it was made.
///
/// # Panics
/// When there are no records (see [`emptied`]), or the batch names no codec: somebody read its records.
pub fn rebuilt(
    batch: &Batch<'_>,
    records: &[RecordView<'_>],
    delete_horizon: Option<i64>,
    compressors: &mut Compressors,
    out: &mut Vec<u8>,
) {
    let first = records.first().expect("a batch without records is emptied");
    let base_timestamp = delete_horizon.unwrap_or(first.timestamp);
    let compression = batch.attributes().compression().expect("records of an unknown codec cannot be read");
    let start = out.len();
    out.extend_from_slice(batch.header().as_bytes());
    if compression == CompressionType::None {
        put_all(out, batch, records, base_timestamp);
    } else {
        let mut plain = Vec::new();
        put_all(&mut plain, batch, records, base_timestamp);
        compressors.compress(Compression::with_default_level(compression), &plain, out);
    }
    let max_timestamp = match batch.attributes().timestamp_type() {
        TimestampType::LogAppendTime => batch.max_timestamp(),
        TimestampType::CreateTime => {
            records.iter().map(|record| record.timestamp).max().unwrap_or(NO_TIMESTAMP)
        }
    };
    let attributes =
        kept_attributes(batch).with_compression(compression).with_delete_horizon(delete_horizon.is_some());
    let count = i32::try_from(records.len()).expect("no more than the original had");
    describe(&mut out[start..], attributes, (base_timestamp, max_timestamp), count);
}

/// The batch without its records.
pub fn emptied(batch: &Batch<'_>) -> Vec<u8> {
    let mut bytes = batch.header().as_bytes().to_vec();
    let attributes = kept_attributes(batch).with_compression(CompressionType::None);
    describe(&mut bytes, attributes, (NO_TIMESTAMP, batch.max_timestamp()), 0);
    bytes
}

fn kept_attributes(batch: &Batch<'_>) -> Attributes {
    let attributes = batch.attributes();
    Attributes::default()
        .with_timestamp_type(attributes.timestamp_type())
        .with_transactional(attributes.is_transactional())
        .with_control(attributes.is_control())
}

/// Bytes of a record before its key's length, at most.
const PREFIX_MAX: usize = 5 + 1 + 10 + 5;

fn put_all(out: &mut Vec<u8>, batch: &Batch<'_>, records: &[RecordView<'_>], base_timestamp: i64) {
    out.reserve(records.iter().map(|record| PREFIX_MAX + record.body.len()).sum());
    records.iter().for_each(|record| put(out, batch, record, base_timestamp));
}

fn put(out: &mut Vec<u8>, batch: &Batch<'_>, record: &RecordView<'_>, base_timestamp: i64) {
    let timestamp_delta = record.timestamp.wrapping_sub(base_timestamp);
    let offset_delta = record.offset.0.wrapping_sub(batch.base_offset().0) as i32;
    let size = 1 + varlong_size(timestamp_delta) + varint_size(offset_delta) + record.body.len();
    put_varint(out, i32::try_from(size).expect("a record is shorter than 2 GiB"));
    out.push(0);
    put_varlong(out, timestamp_delta);
    put_varint(out, offset_delta);
    out.extend_from_slice(record.body);
}

/// Corrects what the header says of the bytes behind it.
fn describe(bytes: &mut [u8], attributes: Attributes, timestamps: (i64, i64), count: i32) {
    let length = i32::try_from(bytes.len() - LOG_OVERHEAD).expect("a batch is shorter than 2 GiB");
    bytes[LENGTH..][..4].copy_from_slice(&length.to_be_bytes());
    bytes[ATTRIBUTES..][..2].copy_from_slice(&attributes.0.to_be_bytes());
    bytes[BASE_TIMESTAMP..][..8].copy_from_slice(&timestamps.0.to_be_bytes());
    bytes[MAX_TIMESTAMP..][..8].copy_from_slice(&timestamps.1.to_be_bytes());
    bytes[RECORD_COUNT..][..4].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c(&bytes[ATTRIBUTES..]);
    bytes[CRC..][..4].copy_from_slice(&crc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
    use bytes::Bytes;

    use super::*;
    use crate::builder::BatchBuilder;
    use crate::compress::Decompressors;
    use crate::record::{RecordHeader, RecordViews, Records};

    fn batch(compression: CompressionType) -> Bytes {
        let mut builder = BatchBuilder::new(Compression::with_default_level(compression))
            .base_offset(Offset(10))
            .partition_leader_epoch(LeaderEpoch(3))
            .producer(ProducerId(7), ProducerEpoch(1), Sequence(40))
            .transactional(true);
        for n in 0..6i64 {
            let value = format!("value {n}");
            let value = (n != 4).then_some(value.as_bytes());
            builder.append(1000 + n, Some(&[n as u8]), value, &[RecordHeader::new("h", &b"x"[..])]);
        }
        builder.finish()
    }

    #[test]
    fn what_is_kept_is_as_it_was() {
        for compression in CompressionType::ALL {
            for horizon in [None, Some(5_000_000)] {
                let original = batch(compression);
                let view = Batch::parse(&original).unwrap();
                let plain = Decompressors::new().decompress(compression, view.payload(), 1 << 20).unwrap();
                let all: Vec<_> = RecordViews::new(&view, &plain).unwrap().map(Result::unwrap).collect();
                let mut made = b"before".to_vec();
                rebuilt(&view, &[all[1], all[4]], horizon, &mut Compressors::new(), &mut made);
                let made = Bytes::from(made).slice(6..);
                let kept = Batch::parse(&made).unwrap();
                assert!(kept.is_crc_valid());
                assert_eq!(kept.delete_horizon(), horizon);
                assert_eq!(
                    (kept.base_offset(), kept.last_offset(), kept.record_count()),
                    (Offset(10), Offset(15), 2)
                );
                assert_eq!((kept.max_timestamp(), kept.last_sequence()), (1004, Sequence(45)));
                assert_eq!(kept.partition_leader_epoch(), LeaderEpoch(3));
                let read = |bytes: &Bytes| -> Vec<_> {
                    Records::new(bytes, &mut Decompressors::new(), 1 << 20)
                        .unwrap()
                        .map(Result::unwrap)
                        .collect()
                };
                let before = read(&original);
                assert_eq!(read(&made), [before[1].clone(), before[4].clone()]);
            }
        }
    }

    #[test]
    fn an_emptied_batch_still_tells_of_its_producer() {
        let original = batch(CompressionType::Zstd);
        let made = emptied(&Batch::parse(&original).unwrap());
        let kept = Batch::parse(&made).unwrap();
        assert!(kept.is_crc_valid() && kept.size() == made.len());
        assert_eq!((kept.record_count(), kept.attributes().0), (0, 16));
        assert_eq!((kept.base_timestamp(), kept.max_timestamp()), (NO_TIMESTAMP, 1005));
        assert_eq!(
            (kept.producer_id(), kept.last_sequence(), kept.last_offset()),
            (ProducerId(7), Sequence(45), Offset(15))
        );
    }
}
