//! Values in the frame of the metadata log: its own records as JSON, and those about remote segments in Kafka's words.

use std::collections::BTreeMap;

use base::uuid::Uuid;
use bytes::Bytes;
use protocol::json::bytes_to_json;
use protocol::metadata_record::MetadataRecord;
use protocol::records::{
    remote_log_segment_metadata_record, remote_log_segment_metadata_snapshot_record,
    remote_log_segment_metadata_update_record, remote_partition_delete_metadata_record,
};
use protocol::remote_log_record::RemoteLogRecord;
use serde_json::Value;
use wire::reader::{DecodeError, Reader};

/// `{"type":"TOPIC_RECORD","version":0,"data":{…}}`.
///
/// # Errors
/// Why it is no such record.
pub(super) fn cluster_metadata(value: Option<Bytes>) -> Result<String, String> {
    let value = value.unwrap_or_default();
    let mut reader = behind_frame(&value)?;
    let (record, version) = MetadataRecord::decode(value).map_err(unknown)?;
    let data = bytes_to_json(record.schema(), version, &mut reader).map_err(unknown)?;
    let name = Value::String(type_name(record.schema().name));
    Ok(format!("{{\"type\":{name},\"version\":{version},\"data\":{data}}}"))
}

/// The bytes behind the frame: its own version, the type, the version.
fn behind_frame(value: &Bytes) -> Result<Reader, String> {
    let mut reader = Reader::new(value.clone());
    let mut next = |what: &str| reader.uvarint().map_err(|_| format!("Error while reading {what}"));
    match next("frame version")? {
        0 => {
            return Err("Could not deserialize metadata record with frame version 0. Note that upgrades from the preview \
                        release of KRaft in 2.8 to newer versions are not supported."
                .to_owned());
        }
        1 => {}
        other => {
            return Err(format!(
                "Could not deserialize metadata record due to unknown frame version {other}(only frame version 1 is \
                 supported)"
            ));
        }
    }
    next("type")?;
    next("version")?;
    Ok(reader)
}

fn unknown(error: DecodeError) -> String {
    match error {
        DecodeError::UnknownKey { kind: "record type", key } => {
            format!("org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id {key}")
        }
        other => other.to_string(),
    }
}

/// `RegisterBrokerRecord` → `REGISTER_BROKER_RECORD`.
fn type_name(name: &str) -> String {
    let mut text = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// `RemoteLogSegmentMetadata{remoteLogSegmentId=…, …}`: as Kafka's own objects print themselves.
///
/// # Errors
/// Why it is no such record.
pub(super) fn remote_log_metadata(value: Option<Bytes>) -> Result<String, String> {
    let value = value.ok_or("the value is null")?;
    behind_frame(&value)?;
    let (record, _) = RemoteLogRecord::decode(value).map_err(unknown)?;
    match record {
        RemoteLogRecord::RemoteLogSegmentMetadata(record) => segment(&record),
        RemoteLogRecord::RemoteLogSegmentMetadataUpdate(record) => update(&record),
        RemoteLogRecord::RemotePartitionDeleteMetadata(record) => delete(&record),
        RemoteLogRecord::RemoteLogSegmentMetadataSnapshot(record) => snapshot(&record),
    }
}

fn segment(
    record: &remote_log_segment_metadata_record::RemoteLogSegmentMetadataRecord,
) -> Result<String, String> {
    let id = &record.remote_log_segment_id;
    let partition = &id.topic_id_partition;
    let epochs = record.segment_leader_epochs.iter().map(|entry| (entry.leader_epoch, entry.offset));
    Ok(format!(
        "RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, \
         maxTimestampMs={}, eventTimestampMs={}, {}}}",
        segment_id(&topic_partition(partition.id, &partition.name, partition.partition), id.id),
        record.start_offset,
        record.end_offset,
        record.broker_id,
        record.max_timestamp_ms,
        record.event_timestamp_ms,
        contents(
            epochs,
            record.segment_size_in_bytes,
            record.custom_metadata.as_ref(),
            record.remote_log_segment_state,
            record.txn_index_empty
        )?
    ))
}

fn snapshot(
    record: &remote_log_segment_metadata_snapshot_record::RemoteLogSegmentMetadataSnapshotRecord,
) -> Result<String, String> {
    let epochs = record.segment_leader_epochs.iter().map(|entry| (entry.leader_epoch, entry.offset));
    Ok(format!(
        "RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, maxTimestampMs={}, \
         {}}}",
        record.segment_id,
        record.start_offset,
        record.end_offset,
        record.max_timestamp_ms,
        contents(
            epochs,
            record.segment_size_in_bytes,
            record.custom_metadata.as_ref(),
            record.remote_log_segment_state,
            record.txn_index_empty
        )?
    ))
}

fn topic_partition(id: Uuid, topic: &str, partition: i32) -> String {
    format!("{id}:{topic}-{partition}")
}

fn segment_id(topic_partition: &str, id: Uuid) -> String {
    format!("RemoteLogSegmentId{{topicIdPartition={topic_partition}, id={id}}}")
}

/// What a segment's own record and the one of a snapshot end with.
fn contents(
    epochs: impl Iterator<Item = (i32, i64)>,
    size: i32,
    custom_metadata: Option<&Bytes>,
    state: i8,
    txn_index_empty: bool,
) -> Result<String, String> {
    Ok(format!(
        "segmentLeaderEpochs={}, segmentSizeInBytes={size}, customMetadata={}, state={}, txnIdxEmpty={txn_index_empty}",
        leader_epochs(epochs)?,
        custom(custom_metadata),
        named(&SEGMENT_STATES, state)?,
    ))
}

/// Where each epoch begins. A segment has one at least.
fn leader_epochs(epochs: impl Iterator<Item = (i32, i64)>) -> Result<String, String> {
    let epochs: BTreeMap<i32, i64> = epochs.collect();
    if epochs.is_empty() {
        return Err("segmentLeaderEpochs can not be null or empty".to_owned());
    }
    let pairs: Vec<_> = epochs.iter().map(|(epoch, offset)| format!("{epoch}={offset}")).collect();
    Ok(format!("{{{}}}", pairs.join(", ")))
}

fn update(
    record: &remote_log_segment_metadata_update_record::RemoteLogSegmentMetadataUpdateRecord,
) -> Result<String, String> {
    let id = &record.remote_log_segment_id;
    let partition = &id.topic_id_partition;
    Ok(format!(
        "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, \
         brokerId={}}}",
        segment_id(&topic_partition(partition.id, &partition.name, partition.partition), id.id),
        custom(record.custom_metadata.as_ref()),
        named(&SEGMENT_STATES, record.remote_log_segment_state)?,
        record.event_timestamp_ms,
        record.broker_id
    ))
}

fn delete(
    record: &remote_partition_delete_metadata_record::RemotePartitionDeleteMetadataRecord,
) -> Result<String, String> {
    let partition = &record.topic_id_partition;
    Ok(format!(
        "RemotePartitionDeleteMetadata{{topicPartition={}, state={}, eventTimestampMs={}, brokerId={}}}",
        topic_partition(partition.id, &partition.name, partition.partition),
        named(&DELETE_STATES, record.remote_partition_delete_state)?,
        record.event_timestamp_ms,
        record.broker_id
    ))
}

/// What `RemoteLogSegmentState` stands for, from 0 on.
const SEGMENT_STATES: [&str; 4] =
    ["COPY_SEGMENT_STARTED", "COPY_SEGMENT_FINISHED", "DELETE_SEGMENT_STARTED", "DELETE_SEGMENT_FINISHED"];

/// What `RemotePartitionDeleteState` stands for, from 0 on.
const DELETE_STATES: [&str; 3] =
    ["DELETE_PARTITION_MARKED", "DELETE_PARTITION_STARTED", "DELETE_PARTITION_FINISHED"];

fn named(states: &[&'static str], state: i8) -> Result<&'static str, String> {
    let found = usize::try_from(state).ok().and_then(|place| states.get(place));
    found.copied().ok_or_else(|| format!("there is no state {state}"))
}

fn custom(metadata: Option<&Bytes>) -> String {
    match metadata {
        Some(bytes) => format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
        None => "Optional.empty".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_kafkas_names() {
        assert_eq!(type_name("RegisterBrokerRecord"), "REGISTER_BROKER_RECORD");
        assert_eq!(type_name("NoOpRecord"), "NO_OP_RECORD");
    }

    #[test]
    fn what_is_no_record_is_told_in_kafkas_words() {
        let check = |value: &'static [u8], expect: &str| {
            let told = cluster_metadata(Some(Bytes::from_static(value))).unwrap_err();
            assert!(told.starts_with(expect), "{value:?}: {told}");
        };
        check(b"", "Error while reading frame version");
        check(&[1], "Error while reading type");
        check(&[1, 2], "Error while reading version");
        check(&[0, 2], "Could not deserialize metadata record with frame version 0. Note");
        check(b"v3", "Could not deserialize metadata record due to unknown frame version 118(only");
        check(
            &[1, 99, 0],
            "org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id 99",
        );
    }
}
