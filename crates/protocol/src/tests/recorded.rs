//! Encodings that Apache Kafka 4.3.0 wrote, and the values from which it wrote them (`compat/codec-proof`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;
use wire::output::Output;
use wire::reader::Reader;

use super::random::{self, Random};
use super::{Codec, codecs, each_version};
use crate::json;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Bytes {
    (0..text.len()).step_by(2).map(|place| u8::from_str_radix(&text[place..place + 2], 16).unwrap()).collect()
}

#[test]
fn what_kafka_wrote_is_what_we_write() {
    let text = include_str!("../../testdata/encodings.txt");
    let codecs = codecs();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [name, version, value, bytes] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let version: i16 = version.parse().unwrap();
        let codec = codecs.iter().find(|codec| codec.schema().name == name).unwrap();
        let recoded = codec.recode(unhex(bytes), version, version).unwrap();
        assert_eq!(hex(&recoded), bytes, "{name} v{version}");
        let mut out = Output::new();
        let value: Value = value.parse().unwrap();
        json::json_to_bytes(codec.schema(), version, &value, &mut out).unwrap();
        assert_eq!(hex(&out.to_bytes().unwrap()), bytes, "{name} v{version}");
        seen.insert((name, version));
    }
    each_version(|codec, version| {
        let name = codec.schema().name;
        assert!(seen.contains(&(name, version)), "{name} v{version} is not recorded");
    });
}

/// Prints the input of `compat/codec-proof`: what every message of every version becomes in this and other versions.
#[test]
#[ignore = "prints 40 MB for compat/codec-proof"]
fn values_for_the_codec_proof() {
    each_version(|codec, from| {
        for seed in 0..40 {
            let mut random = Random::new(seed, codec.schema().name, from);
            let value = random::message(&mut random, codec.schema(), from);
            println!("{}", line(codec, from, &value, from));
            let versions = codec.schema().min..=codec.schema().max;
            for to in versions.filter(|to| *to != from && seed < 4) {
                println!("{}", line(codec, from, &value, to));
            }
        }
    });
}

fn line(codec: &dyn Codec, from: i16, value: &Value, to: i16) -> String {
    let schema = codec.schema();
    let mut out = Output::new();
    json::json_to_bytes(schema, from, value, &mut out).unwrap();
    let (bytes, printed) = match codec.recode(out.to_bytes().unwrap(), from, to) {
        Err(_) => ("refused".to_owned(), String::new()),
        Ok(bytes) => {
            let printed = json::bytes_to_json(schema, to, &mut Reader::new(bytes.clone())).unwrap();
            (hex(&bytes), printed.to_string())
        }
    };
    format!("{}\t{from}\t{value}\t{to}\t{bytes}\t{printed}", schema.name)
}
