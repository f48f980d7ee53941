//! A record batch, made once and sent many times.
//!
//! Version 2, no compression, no producer id. Values are pseudo-random bytes, so that no layer below can make them smaller.

use std::time::{SystemTime, UNIX_EPOCH};

use wire::crc::crc32c;
use wire::output::Output;

/// Bytes before the first record.
pub const HEADER_SIZE: usize = 61;
/// Position of the checksum; it covers everything behind it.
const CRC_AT: usize = 17;
/// Bytes of a key.
const KEY_SIZE: usize = 8;

/// A batch whose records have keys, made once and sent with others.
pub struct Keyed {
    bytes: Vec<u8>,
    /// Where each key lies.
    keys_at: Vec<usize>,
}

impl Keyed {
    /// As [`prebuilt`], with keys of eight bytes.
    pub fn new(records: u32, value_size: usize) -> Self {
        let (body, keys_at) = records_of(records, value_size, Some([0; KEY_SIZE]));
        let keys_at = keys_at.into_iter().map(|at| HEADER_SIZE + at).collect();
        Self { bytes: batch_of(records, &body), keys_at }
    }

    /// The batch with these keys, one for each record.
    pub fn with(&mut self, keys: impl Iterator<Item = u64>) -> &[u8] {
        let mut set = 0;
        for (at, key) in self.keys_at.iter().zip(keys) {
            self.bytes[*at..at + KEY_SIZE].copy_from_slice(&key.to_be_bytes());
            set += 1;
        }
        assert_eq!(set, self.keys_at.len(), "a key for each record");
        let crc = crc32c(&self.bytes[CRC_AT + 4..]);
        self.bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        &self.bytes
    }
}

/// A batch of `records` records whose values have `value_size` bytes each. The same arguments give the same values.
pub fn prebuilt(records: u32, value_size: usize) -> Vec<u8> {
    batch_of(records, &records_of(records, value_size, None).0)
}

fn batch_of(records: u32, body: &[u8]) -> Vec<u8> {
    assert!(records > 0);
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);

    let mut checked = Output::with_capacity(body.len() + 40);
    checked.put_i16(0); // attributes: no compression, create time
    checked.put_i32(records as i32 - 1);
    checked.put_i64(timestamp);
    checked.put_i64(timestamp);
    checked.put_i64(-1); // producer id
    checked.put_i16(-1); // producer epoch
    checked.put_i32(-1); // base sequence
    checked.put_i32(records as i32);
    checked.put_slice(body);
    let checked = in_memory(checked);

    let mut batch = Output::with_capacity(checked.len() + 21);
    batch.put_i64(0); // base offset: the broker's to say
    batch.put_i32((checked.len() + 9) as i32);
    batch.put_i32(-1); // partition leader epoch
    batch.put_i8(2); // magic
    batch.put_u32(crc32c(&checked));
    batch.put_slice(&checked);
    in_memory(batch)
}

/// The first offset behind the last whole batch of `bytes`, or nothing when none is whole.
pub fn next_offset(bytes: &[u8]) -> Option<i64> {
    let mut next = None;
    let mut rest = bytes;
    while rest.len() >= HEADER_SIZE {
        let size = 12 + u32::from_be_bytes(rest[8..12].try_into().expect("four bytes")) as usize;
        if size < HEADER_SIZE || size > rest.len() {
            break;
        }
        let base_offset = i64::from_be_bytes(rest[..8].try_into().expect("eight bytes"));
        let last_offset_delta = i32::from_be_bytes(rest[23..27].try_into().expect("four bytes"));
        next = Some(base_offset + i64::from(last_offset_delta) + 1);
        rest = &rest[size..];
    }
    next
}

/// The bytes of something that has no piece apart.
pub(crate) fn in_memory(output: Output) -> Vec<u8> {
    output.to_bytes().expect("reads no file").into()
}

/// The records, and where their keys lie.
fn records_of(records: u32, value_size: usize, key: Option<[u8; KEY_SIZE]>) -> (Vec<u8>, Vec<usize>) {
    let mut keys_at = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut body = Output::with_capacity(records as usize * (value_size + 16));
    for delta in 0..records {
        let mut record = Output::with_capacity(value_size + 16);
        record.put_i8(0); // attributes
        record.put_varlong(0); // timestamp delta
        record.put_varint(delta as i32);
        let key_at = match key {
            Some(key) => {
                record.put_varint(KEY_SIZE as i32);
                record.put_slice(&key);
                record.len() - KEY_SIZE
            }
            None => {
                record.put_varint(-1);
                0
            }
        };
        record.put_varint(value_size as i32);
        for _ in 0..value_size {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            record.put_u8((random >> 32) as u8);
        }
        record.put_varint(0); // no headers
        body.put_varint(record.len() as i32);
        keys_at.push(body.len() + key_at);
        body.put_slice(&in_memory(record));
    }
    (in_memory(body), keys_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::batch::Batch;
    use wire::record::RecordViews;

    #[test]
    fn a_batch_is_whole_and_its_checksum_right() {
        let check = |records: u32, value_size: usize| {
            let bytes = prebuilt(records, value_size);
            let batch = Batch::parse(&bytes).unwrap_or_else(|error| panic!("{records}: {error:?}"));
            assert!(batch.is_crc_valid());
            assert_eq!(batch.size(), bytes.len());
            assert_eq!(batch.next_offset().0, i64::from(records));
            let overhead = bytes.len() - records as usize * value_size;
            assert!(overhead <= HEADER_SIZE + 11 * records as usize, "{overhead}");
        };
        check(1, 1024);
        check(16, 1024);
        check(128, 1024);
        check(1, 0);
    }

    #[test]
    fn a_batch_has_the_keys_it_is_given() {
        let mut keyed = Keyed::new(100, 10);
        for first in [0, 1 << 40] {
            let bytes = keyed.with(first..);
            let batch = Batch::parse(bytes).expect("a batch");
            assert!(batch.is_crc_valid());
            let keys: Vec<u64> = RecordViews::new(&batch, batch.payload())
                .expect("records")
                .map(|record| record.expect("a record").key.expect("a key").try_into().expect("eight bytes"))
                .map(u64::from_be_bytes)
                .collect();
            assert_eq!(keys, (first..first + 100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_next_offset_is_behind_the_last_whole_batch() {
        let mut log = Vec::new();
        for base_offset in [0_i64, 16, 32] {
            let mut batch = prebuilt(16, 100);
            batch[..8].copy_from_slice(&base_offset.to_be_bytes());
            log.extend(batch);
        }
        let size = log.len() / 3;
        let check =
            |length: usize, expect: Option<i64>| assert_eq!(next_offset(&log[..length]), expect, "{length}");
        check(0, None);
        check(size - 1, None);
        check(size, Some(16));
        check(2 * size + 20, Some(32));
        check(3 * size, Some(48));
        let mut lying = log.clone();
        lying[8..12].copy_from_slice(&(-5_i32).to_be_bytes());
        assert_eq!(next_offset(&lying), None);
    }
}
