//! The answers of the bare loop, in the versions that [`crate::frames`] asks in.

use base::uuid::Uuid;
use wire::output::Output;

use crate::batch::in_memory;

/// What stands behind the records of a fetch: the empty tags of partition, topic and answer.
pub(super) const FETCHED_TAIL: [u8; 3] = [0; 3];

/// Ids begin where Kafka's reserved ones end.
const FIRST_ID: u128 = 100;

/// The id of the topic whose log has this place.
pub(super) fn topic_id(place: usize) -> Uuid {
    Uuid::from_u128(FIRST_ID + place as u128)
}

/// The place of the log of this topic; one that no log has when the id was never given.
pub(super) fn topic_place(id: Uuid) -> usize {
    id.as_u128().checked_sub(FIRST_ID).and_then(|place| usize::try_from(place).ok()).unwrap_or(usize::MAX)
}

pub(super) fn produced(correlation_id: i32, topic: Uuid, base_offset: i64) -> Vec<u8> {
    let mut answer = header(correlation_id);
    answer.put_uvarint(2);
    answer.put_uuid(topic);
    answer.put_uvarint(2);
    answer.put_i32(0); // partition
    answer.put_i16(0); // error
    answer.put_i64(base_offset);
    answer.put_i64(-1); // log append time
    answer.put_i64(0); // log start offset
    answer.put_uvarint(1); // no record errors
    answer.put_slice(&[0; 3]); // no message, tags of partition and topic
    answer.put_i32(0); // throttle time
    answer.put_uvarint(0);
    finish(answer, 0)
}

/// All of a fetch's answer that stands before its records.
pub(super) fn fetched(correlation_id: i32, topic: Uuid, log_end: i64, records_length: u64) -> Vec<u8> {
    let mut answer = header(correlation_id);
    answer.put_i32(0); // throttle time
    answer.put_i16(0); // error
    answer.put_i32(0); // session id
    answer.put_uvarint(2);
    answer.put_uuid(topic);
    answer.put_uvarint(2);
    answer.put_i32(0); // partition
    answer.put_i16(0); // error
    answer.put_i64(log_end);
    answer.put_i64(log_end);
    answer.put_i64(0); // log start offset
    answer.put_uvarint(1); // no aborted transactions
    answer.put_i32(-1); // preferred read replica
    answer.put_uvarint(records_length as u32 + 1);
    finish(answer, records_length as usize + FETCHED_TAIL.len())
}

pub(super) fn created_topic(correlation_id: i32, topic: Uuid) -> Vec<u8> {
    let mut answer = header(correlation_id);
    answer.put_i32(0);
    answer.put_uvarint(2);
    answer.put_uvarint(1); // name: empty
    answer.put_uuid(topic);
    answer.put_i16(0); // error
    answer.put_uvarint(0); // no message
    answer.put_i32(1); // partitions
    answer.put_i16(1); // replication factor
    answer.put_slice(&[1, 0, 0]); // no configs, tags
    finish(answer, 0)
}

pub(super) fn deleted_topic(correlation_id: i32) -> Vec<u8> {
    let mut answer = header(correlation_id);
    answer.put_i32(0);
    answer.put_uvarint(2);
    answer.put_uvarint(1);
    answer.put_uuid(Uuid::ZERO);
    answer.put_i16(0); // error
    answer.put_slice(&[0, 0, 0]); // no message, tags
    finish(answer, 0)
}

fn header(correlation_id: i32) -> Output {
    let mut answer = Output::new();
    answer.put_i32(0);
    answer.put_i32(correlation_id);
    answer.put_uvarint(0);
    answer
}

/// Fills in the length; `beyond` bytes follow what is here.
fn finish(mut answer: Output, beyond: usize) -> Vec<u8> {
    let length = answer.len() - 4 + beyond;
    answer.patch_i32(0, length as i32);
    in_memory(answer)
}
