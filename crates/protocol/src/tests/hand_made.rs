//! Bytes written out by hand from the protocol guide: what the definition-led tests cannot see, because a wrong
//! definition would mislead both sides.

use base::error_code::ErrorCode;
use base::uuid::Uuid;
use bytes::Bytes;
use wire::output::Output;
use wire::piece::Piece;
use wire::reader::Reader;

use crate::message::Message;
use crate::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use crate::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::metadata_record::MetadataRecord;
use crate::records::offset_commit_value::OffsetCommitValue;
use crate::records::topic_record::TopicRecord;
use crate::request::Request;
use crate::{DecodeError, EncodeError};

fn check<M: Message + PartialEq + std::fmt::Debug>(message: &M, version: i16, bytes: &[u8]) {
    let mut out = Output::new();
    message.encode(version, &mut out).unwrap();
    assert_eq!(out.to_bytes().unwrap(), bytes);
    assert_eq!(M::decode(&mut Reader::new(Bytes::copy_from_slice(bytes)), version).as_ref(), Ok(message));
}

#[test]
fn answers_in_both_forms() {
    let mut response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![ApiVersion { api_key: 18, min_version: 0, max_version: 4 }],
        ..Default::default()
    };
    check(&response, 0, &[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]);
    check(&response, 3, &[0, 35, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0]);
    response.finalized_features_epoch = 5;
    check(&response, 3, &[0, 35, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5]);
}

#[test]
fn records_are_slices_of_the_frame() {
    let mut frame = vec![0, 0, 1, 0, 0, 0, 9, 2];
    frame.extend_from_slice(&[7; 16]);
    frame.extend_from_slice(&[2, 0, 0, 0, 3, 5, b'd', b'a', b't', b'a', 0, 0, 0]);
    let frame = Bytes::from(frame);
    let request = ProduceRequest::decode(&mut Reader::new(frame.clone()), 13).unwrap();
    let expect = ProduceRequest {
        acks: 1,
        timeout_ms: 9,
        topic_data: vec![TopicProduceData {
            topic_id: Uuid::from_bytes([7; 16]),
            partition_data: vec![PartitionProduceData {
                index: 3,
                records: Some(Piece::Memory(Bytes::from_static(b"data"))),
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(request, expect);
    let Some(Piece::Memory(records)) = &request.topic_data[0].partition_data[0].records else { panic!() };
    assert_eq!(records.as_ptr(), frame[30..].as_ptr());
    let whole = Request::decode(crate::api::ApiKey::PRODUCE, 13, &mut Reader::new(frame));
    assert_eq!(whole, Ok(Request::Produce(expect)));
}

#[test]
fn what_a_version_lacks_is_an_error_unless_ignorable() {
    let request = ProduceRequest { transactional_id: Some("t".to_owned()), ..Default::default() };
    assert_eq!(request.size(3), Ok(2 + 1 + 2 + 4 + 4));
    let mut commit = OffsetCommitValue { offset: 1, expire_timestamp: 5, ..Default::default() };
    // Ignorable: dropped.
    assert_eq!(commit.size(3), Ok(8 + 4 + 2 + 8));
    commit.topic_id = Uuid::ONE;
    assert_eq!(commit.size(3), Ok(8 + 4 + 2 + 8));
    let fields = crate::messages::join_group_request::JoinGroupRequest {
        group_instance_id: Some("i".to_owned()),
        ..Default::default()
    };
    let (message, field) = ("JoinGroupRequest", "GroupInstanceId");
    assert_eq!(fields.size(4), Err(EncodeError::FieldAbsent { message, field, version: 4 }));
    assert!(fields.size(5).is_ok());
}

#[test]
fn metadata_records_stand_in_a_frame() {
    let record = TopicRecord { name: "foo".to_owned(), topic_id: Uuid::ONE, ..Default::default() };
    let record = MetadataRecord::from(record);
    let mut out = Output::new();
    record.encode(0, &mut out).unwrap();
    let bytes = out.to_bytes().unwrap();
    assert_eq!(bytes[..7], [1, 2, 0, 4, b'f', b'o', b'o']);
    assert_eq!(bytes.len(), 7 + 16 + 1);
    assert_eq!(MetadataRecord::decode(bytes.clone()), Ok((record, 0)));

    let check = |bytes: Vec<u8>, expect: &str| {
        assert_eq!(MetadataRecord::decode(bytes.into()).unwrap_err().to_string(), expect);
    };
    check(vec![0, 2, 0], "unknown frame version 0");
    check(vec![1, 6, 0], "unknown record type 6");
    check(vec![1, 2, 1], "TopicRecord has no version 1");
    check([&bytes[..], &[0]].concat(), "1 bytes stand behind the record");
}

#[test]
fn unknown_tags_are_kept_in_records_and_dropped_in_requests() {
    // A TopicRecord with the tagged fields 3 and 300, which no version has.
    let mut bytes = vec![1, 2, 0, 2, b'a'];
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&[2, 3, 1, 0xaa, 0xac, 0x02, 2, 0xbb, 0xcc]);
    let (record, version) = MetadataRecord::decode(bytes.clone().into()).unwrap();
    let mut out = Output::new();
    record.encode(version, &mut out).unwrap();
    assert_eq!(out.to_bytes().unwrap(), bytes);
    let MetadataRecord::Topic(topic) = record else { panic!("{record:?}") };
    assert_eq!(topic.unknown_tags.fields()[0], (3, Bytes::from_static(&[0xaa])));

    let api_versions = Bytes::from_static(&[2, b'a', 2, b'b', 1, 9, 1, 0xaa]);
    let request =
        crate::messages::api_versions_request::ApiVersionsRequest::decode(&mut Reader::new(api_versions), 3);
    assert_eq!(request.unwrap().size(3), Ok(5));
}

#[test]
fn a_tagged_field_ends_where_it_says() {
    let response = |size: u8| {
        let bytes = vec![0, 0, 1, 0, 0, 0, 0, 1, 1, size, 0, 0, 0, 0, 0, 0, 0, 5, 0];
        ApiVersionsResponse::decode(&mut Reader::new(bytes.into()), 3)
    };
    assert_eq!(response(8).unwrap().finalized_features_epoch, 5);
    for size in [7, 9] {
        assert!(matches!(response(size), Err(DecodeError::Invalid(_))), "{size}");
    }
}
