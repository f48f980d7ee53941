//! Broken input: every cut is an error, nothing panics, and memory stays in proportion.

use bytes::{Bytes, BytesMut};
use wire::output::Output;
use wire::reader::{DecodeError, Reader};

use super::each_version;
use super::random::{self, Random};
use crate::json;
use crate::message::Message;
use crate::messages::metadata_request::MetadataRequest;
use crate::messages::produce_request::ProduceRequest;

#[test]
fn every_cut_is_an_error() {
    each_version(|codec, version| {
        let schema = codec.schema();
        for seed in 0..1 {
            let value = random::message(&mut Random::new(seed, schema.name, version), schema, version);
            let mut out = Output::new();
            json::json_to_bytes(schema, version, &value, &mut out).unwrap();
            let whole = out.to_bytes().unwrap();
            let step = whole.len() / 100 + 1;
            for length in (0..whole.len()).step_by(step) {
                let cut = codec.decode(whole.slice(..length), version);
                assert!(cut.is_err(), "{} v{version}: {length} of {} bytes", schema.name, whole.len());
            }
        }
    });
}

#[test]
fn broken_bytes_never_panic() {
    each_version(|codec, version| {
        let schema = codec.schema();
        let mut random = Random::new(99, schema.name, version);
        let value = random::message(&mut random, schema, version);
        let mut out = Output::new();
        json::json_to_bytes(schema, version, &value, &mut out).unwrap();
        let whole = out.to_bytes().unwrap();
        for _ in 0..30 {
            let mut broken = BytesMut::from(&whole[..]);
            for _ in 0..=random.below(3) {
                if !broken.is_empty() {
                    let place = random.below(broken.len());
                    broken[place] = [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.below(6)];
                }
            }
            // Whatever comes out, it came out.
            let _ = codec.decode(broken.freeze(), version);
        }
    });
}

/// A count that lies: the message ends after `prefix`, which ends in a count.
#[test]
fn a_count_is_checked_before_memory_is_taken() {
    let check = |version, prefix: &[u8], filler: usize, expect: &str| {
        let mut bytes = BytesMut::from(prefix);
        bytes.resize(prefix.len() + filler, 1);
        let error = MetadataRequest::decode(&mut Reader::new(bytes.freeze()), version).unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    // Classic, 2 GiB of elements claimed by four bytes.
    check(1, &[0x7f, 0xff, 0xff, 0xff], 0, "Topics claims 2147483647 elements, at most 0 are possible");
    // Compact, elements of at least one byte in 100.
    check(9, &[0x80, 0x01], 100, "Topics claims 127 elements, at most 100 are possible");
    // More bytes than elements are allowed.
    check(
        9,
        &[0xff, 0xff, 0xff, 0x0f],
        4_000_000,
        "Topics claims 33554430 elements, at most 1000000 are possible",
    );
}

/// An empty string takes one byte on the wire and 24 in memory: the count alone would allow that.
#[test]
fn memory_stays_in_proportion_to_the_bytes() {
    let mut bytes = BytesMut::from(&[0xc1, 0x84, 0x3d, 0][..3]);
    bytes.resize(1_000_003, 1);
    let error = crate::messages::describe_groups_request::DescribeGroupsRequest::decode(
        &mut Reader::new(bytes.freeze()),
        5,
    );
    let Err(DecodeError::TooManyElements { field, count, limit }) = error else { panic!("{error:?}") };
    assert_eq!((field, count), ("Groups", 1_000_000));
    assert!(limit * 24 <= 15 * 1_000_003 + 64 * 1024, "{limit}");
}

#[test]
fn too_many_tags_are_refused() {
    let mut bytes = BytesMut::from(&[1, 0, 0, 0][..]);
    bytes.extend_from_slice(&[0x91, 0x4e]);
    bytes.resize(100_000, 0);
    let error = MetadataRequest::decode(&mut Reader::new(bytes.freeze()), 9).unwrap_err();
    assert_eq!(error.to_string(), "tagged fields claims 10001 elements, at most 10000 are possible");
}

#[test]
fn a_version_that_does_not_exist_is_refused() {
    let mut input = Reader::new(Bytes::from_static(&[0; 64]));
    for version in [-1, 2, 14, i16::MAX] {
        let refused = Err(DecodeError::UnsupportedVersion { message: "ProduceRequest", version });
        assert_eq!(ProduceRequest::decode(&mut input, version), refused);
        assert!(ProduceRequest::default().encode(version, &mut Output::new()).is_err());
    }
    assert_eq!(input.position(), 0);
}
