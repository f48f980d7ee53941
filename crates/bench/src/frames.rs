//! The few requests that a measurement needs, as bytes.
//!
//! Written here by hand so that the generator shares nothing with the brokers it measures. Versions are those that a current
//! Java client speaks to Kafka 4.3: topics are named by id. All have the same header (request header version 2):
//! ```text
//! 0      4     6         8                12         14      19     20
//! ┌──────┬─────┬─────────┬────────────────┬──────────┬───────┬──────┐
//! │length│ api │ version │ correlation id │ 5        │ bench │ tags │ body…
//! └──────┴─────┴─────────┴────────────────┴──────────┴───────┴──────┘
//! ```
//! Invariant: a produce or fetch frame has its variable fields at the positions that the constants name.

use base::error_code::ErrorCode;
use base::uuid::Uuid;
use bytes::Bytes;
use wire::output::Output;
use wire::reader::Reader;

use crate::batch::in_memory;
use crate::error::{Error, Result};

/// Produce's API key.
pub const PRODUCE: i16 = 0;
/// Fetch's API key.
pub const FETCH: i16 = 1;
/// CreateTopics's API key.
pub const CREATE_TOPICS: i16 = 19;
/// DeleteTopics's API key.
pub const DELETE_TOPICS: i16 = 20;
/// IncrementalAlterConfigs's API key.
pub const INCREMENTAL_ALTER_CONFIGS: i16 = 44;

/// Position of the correlation id in a frame of either direction's request.
pub const CORRELATION_AT: usize = 8;
/// Bytes before a request's body.
pub const HEADER_SIZE: usize = 20;
/// Position of a produce's topic id.
pub const PRODUCE_TOPIC_AT: usize = HEADER_SIZE + 8;
/// Position of the length of a produce's records.
pub const PRODUCE_RECORDS_AT: usize = PRODUCE_TOPIC_AT + 16 + 5;
/// Bytes behind a produce's records: three empty tag sections.
pub const PRODUCE_TAIL: usize = 3;
/// Position of a fetch's longest wait.
pub const FETCH_WAIT_AT: usize = HEADER_SIZE;
/// Position of a fetch's topic id.
pub const FETCH_TOPIC_AT: usize = HEADER_SIZE + 22;
/// Position of a fetch's offset.
pub const FETCH_OFFSET_AT: usize = FETCH_TOPIC_AT + 16 + 9;
/// Bytes of an answer to [`fetch`] that surely hold all that stands before the records.
pub const FETCH_ANSWER_HEAD: usize = 96;

/// What a fetch asks for.
#[derive(Clone, Copy, Debug)]
pub struct FetchTerms {
    /// How long the broker may wait for data, in milliseconds.
    pub wait_ms: i32,
    /// The most bytes of the whole answer.
    pub bytes_max: i32,
    /// The most bytes of the partition.
    pub partition_bytes_max: i32,
}

/// As the Java consumer asks when nothing is configured.
impl Default for FetchTerms {
    fn default() -> Self {
        Self { wait_ms: 500, bytes_max: 50 << 20, partition_bytes_max: 1 << 20 }
    }
}

/// The head of a fetch's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchAnswer {
    /// The high watermark.
    pub high_watermark: i64,
    /// Where the records begin, counted from behind the length.
    pub records_at: usize,
    /// How many bytes of records.
    pub records_length: usize,
}

/// A topic for a measurement: `settings` are topic configs.
pub fn create_topic(name: &str, partitions: i32, settings: &[(&str, &str)]) -> Vec<u8> {
    let mut frame = header(CREATE_TOPICS, 7);
    frame.put_uvarint(2); // one topic
    put_text(&mut frame, name);
    frame.put_i32(partitions);
    frame.put_i16(1); // replication factor
    frame.put_uvarint(1); // no assignments
    frame.put_uvarint(settings.len() as u32 + 1);
    for (key, value) in settings {
        put_text(&mut frame, key);
        put_text(&mut frame, value);
        frame.put_uvarint(0);
    }
    frame.put_uvarint(0);
    frame.put_i32(10_000); // timeout, ms
    frame.put_bool(false);
    frame.put_uvarint(0);
    finish(frame)
}

/// The id of the created topic.
pub fn created_topic(answer: Bytes) -> Result<Uuid> {
    let mut reader = answer_body(answer)?;
    reader.skip(4)?; // throttle time
    expect_one(reader.uvarint()?, "topic")?;
    reader.compact_nullable_string()?;
    let id = reader.uuid()?;
    refuse("CreateTopics", reader.i16()?)?;
    Ok(id)
}

/// Deletes a topic by name.
pub fn delete_topic(name: &str) -> Vec<u8> {
    let mut frame = header(DELETE_TOPICS, 6);
    frame.put_uvarint(2);
    put_text(&mut frame, name);
    frame.put_uuid(Uuid::ZERO);
    frame.put_uvarint(0);
    frame.put_i32(10_000);
    frame.put_uvarint(0);
    finish(frame)
}

/// Whether the topic is deleted.
pub fn deleted_topic(answer: Bytes) -> Result<()> {
    let mut reader = answer_body(answer)?;
    reader.skip(4)?;
    expect_one(reader.uvarint()?, "topic")?;
    reader.compact_nullable_string()?;
    reader.uuid()?;
    refuse("DeleteTopics", reader.i16()?)
}

/// Sets configs of a topic.
pub fn alter_topic(name: &str, settings: &[(&str, &str)]) -> Vec<u8> {
    let mut frame = header(INCREMENTAL_ALTER_CONFIGS, 1);
    frame.put_uvarint(2); // one resource
    frame.put_i8(2); // a topic
    put_text(&mut frame, name);
    frame.put_uvarint(settings.len() as u32 + 1);
    for (key, value) in settings {
        put_text(&mut frame, key);
        frame.put_i8(0); // set
        put_text(&mut frame, value);
        frame.put_uvarint(0);
    }
    frame.put_uvarint(0);
    frame.put_bool(false);
    frame.put_uvarint(0);
    finish(frame)
}

/// Whether the configs are set.
pub fn altered_topic(answer: Bytes) -> Result<()> {
    let mut reader = answer_body(answer)?;
    reader.skip(4)?;
    expect_one(reader.uvarint()?, "resource")?;
    refuse("IncrementalAlterConfigs", reader.i16()?)
}

/// A produce of one batch to one partition, acks=1.
pub fn produce(topic: Uuid, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut frame = header(PRODUCE, 13);
    frame.put_uvarint(0); // no transactional id
    frame.put_i16(1); // acks
    frame.put_i32(30_000); // timeout, ms
    frame.put_uvarint(2);
    debug_assert_eq!(frame.len(), PRODUCE_TOPIC_AT);
    frame.put_uuid(topic);
    frame.put_uvarint(2);
    frame.put_i32(partition);
    debug_assert_eq!(frame.len(), PRODUCE_RECORDS_AT);
    frame.put_uvarint(batch.len() as u32 + 1);
    frame.put_slice(batch);
    frame.put_slice(&[0; PRODUCE_TAIL]);
    finish(frame)
}

/// The base offset that a produce was given. `answer` is what stands behind the length.
pub fn produced(answer: &[u8]) -> Result<i64> {
    const ERROR_AT: usize = 4 + 1 + 1 + 16 + 1 + 4;
    if answer.len() < ERROR_AT + 10 || answer[5] != 2 || answer[22] != 2 {
        return Err(Error::Answer(format!("{} bytes for a produce of one batch", answer.len())));
    }
    refuse("Produce", i16::from_be_bytes([answer[ERROR_AT], answer[ERROR_AT + 1]]))?;
    Ok(i64::from_be_bytes(answer[ERROR_AT + 2..ERROR_AT + 10].try_into().expect("eight bytes")))
}

/// A consumer's fetch of one partition, outside of any session.
pub fn fetch(topic: Uuid, partition: i32, offset: i64, terms: FetchTerms) -> Vec<u8> {
    let mut frame = header(FETCH, 17);
    debug_assert_eq!(frame.len(), FETCH_WAIT_AT);
    frame.put_i32(terms.wait_ms);
    frame.put_i32(1); // min bytes
    frame.put_i32(terms.bytes_max);
    frame.put_i8(0); // read uncommitted
    frame.put_i32(0); // session id
    frame.put_i32(-1); // session epoch: none
    frame.put_uvarint(2);
    debug_assert_eq!(frame.len(), FETCH_TOPIC_AT);
    frame.put_uuid(topic);
    frame.put_uvarint(2);
    frame.put_i32(partition);
    frame.put_i32(-1); // current leader epoch
    debug_assert_eq!(frame.len(), FETCH_OFFSET_AT);
    frame.put_i64(offset);
    frame.put_i32(-1); // last fetched epoch
    frame.put_i64(-1); // log start offset
    frame.put_i32(terms.partition_bytes_max);
    frame.put_slice(&[0, 0]); // tags of partition and topic
    frame.put_uvarint(1); // nothing forgotten
    frame.put_uvarint(1); // rack ""
    frame.put_uvarint(0);
    finish(frame)
}

/// The head of a fetch's answer. `answer` is what stands behind the length, or its first [`FETCH_ANSWER_HEAD`] bytes.
pub fn fetched(answer: &[u8]) -> Result<FetchAnswer> {
    let head = Bytes::copy_from_slice(&answer[..answer.len().min(FETCH_ANSWER_HEAD)]);
    let mut reader = answer_body(head)?;
    reader.skip(4)?; // throttle time
    refuse("Fetch", reader.i16()?)?;
    reader.skip(4)?; // session id
    expect_one(reader.uvarint()?, "topic")?;
    reader.skip(16)?;
    expect_one(reader.uvarint()?, "partition")?;
    reader.skip(4)?;
    refuse("Fetch", reader.i16()?)?;
    let high_watermark = reader.i64()?;
    reader.skip(16)?; // last stable offset, log start offset
    if reader.uvarint()? > 1 {
        return Err(Error::Answer("aborted transactions in a topic without any".to_owned()));
    }
    reader.skip(4)?; // preferred read replica
    let records_length = reader.uvarint()?.saturating_sub(1) as usize;
    Ok(FetchAnswer { high_watermark, records_at: reader.position(), records_length })
}

/// A frame up to its body; the length is filled in by [`finish`].
fn header(api_key: i16, version: i16) -> Output {
    let mut frame = Output::new();
    frame.put_i32(0);
    frame.put_i16(api_key);
    frame.put_i16(version);
    frame.put_i32(0);
    frame.put_i16(5);
    frame.put_slice(b"bench");
    frame.put_uvarint(0);
    debug_assert_eq!(frame.len(), HEADER_SIZE);
    frame
}

fn finish(mut frame: Output) -> Vec<u8> {
    let length = frame.len() as i32 - 4;
    frame.patch_i32(0, length);
    in_memory(frame)
}

fn put_text(frame: &mut Output, text: &str) {
    frame.put_uvarint(text.len() as u32 + 1);
    frame.put_slice(text.as_bytes());
}

/// Behind the response header version 1.
fn answer_body(answer: Bytes) -> Result<Reader> {
    let mut reader = Reader::new(answer);
    reader.skip(4)?;
    match reader.uvarint()? {
        0 => Ok(reader),
        tags => Err(Error::Answer(format!("{tags} tags in a response header"))),
    }
}

fn expect_one(compact_count: u32, what: &str) -> Result<()> {
    if compact_count == 2 {
        return Ok(());
    }
    Err(Error::Answer(format!("{} {what}s where one was asked for", i64::from(compact_count) - 1)))
}

fn refuse(api: &'static str, code: i16) -> Result<()> {
    if code == 0 { Ok(()) } else { Err(Error::Refused { api, code: ErrorCode(code) }) }
}
