//! The table of apis against what Apache Kafka 4.3.0 advertises.

use std::collections::BTreeMap;

use crate::api::{Api, ApiKey};
use crate::messages::request_header;
use crate::request::RequestHeader;
use crate::{Message, messages};
use wire::output::Output;
use wire::reader::Reader;

/// What is recorded of an api: its name, if that was printed, and its versions, unless it was off.
type Row = (Option<String>, Option<(i16, i16)>);

/// Lines `Name(key): MIN to MAX`, `Name(key): VERSION` or `Name(key): UNSUPPORTED`, or `key MIN MAX`.
fn parse(text: &str) -> BTreeMap<i16, Row> {
    let number = |text: &str| text.parse::<i16>().unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('(') else {
            let numbers: Vec<i16> = line.split(' ').map(number).collect();
            rows.insert(numbers[0], (None, Some((numbers[1], numbers[2]))));
            continue;
        };
        let (key, range) = rest.split_once("): ").unwrap();
        let range = match range.split_once(" to ") {
            _ if range == "UNSUPPORTED" => None,
            Some((min, max)) => Some((number(min), number(max))),
            None => Some((number(range), number(range))),
        };
        rows.insert(number(key), (Some(name.to_owned()), range));
    }
    rows
}

fn check(text: &str, minimum: impl Fn(&Api) -> i16, serves: impl Fn(&Api) -> bool) {
    let recorded = parse(text);
    for api in ApiKey::all().iter().filter(|api| serves(api)) {
        let Some((name, range)) = recorded.get(&api.key.0) else { panic!("{api:?} is not recorded") };
        assert!(name.as_ref().is_none_or(|name| name == api.name), "{api:?}");
        // Telemetry is recorded as unsupported, because no reporter was configured.
        if let Some(range) = range {
            assert_eq!((minimum(api), api.max), *range, "{api:?}");
        }
    }
    for key in recorded.into_keys() {
        assert!(ApiKey(key).api().is_some_and(&serves), "{key} is recorded, but not defined");
    }
}

#[test]
fn a_broker_serves_what_kafka_serves() {
    check(include_str!("../../testdata/api-versions-4.3.0-broker.txt"), Api::advertised_min, |api| {
        api.broker
    });
}

#[test]
fn a_controller_serves_what_kafka_serves() {
    check(
        include_str!("../../testdata/api-versions-4.3.0-controller.txt"),
        |api| api.min,
        |api| api.controller,
    );
}

#[test]
fn headers_have_the_version_that_the_body_asks_for() {
    let check = |key: ApiKey, version, request, response| {
        let api = key.api().unwrap();
        assert_eq!(
            (api.request_header_version(version), api.response_header_version(version)),
            (request, response)
        );
    };
    check(ApiKey::PRODUCE, 8, 1, 0);
    check(ApiKey::PRODUCE, 9, 2, 1);
    check(ApiKey::API_VERSIONS, 2, 1, 0);
    check(ApiKey::API_VERSIONS, 3, 2, 0);
    check(ApiKey::SASL_HANDSHAKE, 1, 1, 0);
    check(ApiKey::WRITE_TXN_MARKERS, 1, 2, 1);
}

#[test]
fn the_header_by_hand_is_the_header_by_definition() {
    for (key, api_version, client_id) in
        [(ApiKey::PRODUCE, 8, None), (ApiKey::PRODUCE, 9, Some("me")), (ApiKey::FETCH, 18, Some(""))]
    {
        let client_id = client_id.map(str::to_owned);
        let header =
            RequestHeader { api_key: key, api_version, correlation_id: -7, client_id: client_id.clone() };
        let generated = request_header::RequestHeader {
            request_api_key: key.0,
            request_api_version: api_version,
            correlation_id: -7,
            client_id,
        };
        let mut by_hand = Output::new();
        header.encode(&mut by_hand).unwrap();
        let mut by_definition = Output::new();
        let version = key.api().unwrap().request_header_version(api_version);
        generated.encode(version, &mut by_definition).unwrap();
        let bytes = by_hand.to_bytes().unwrap();
        assert_eq!(bytes, by_definition.to_bytes().unwrap());
        assert_eq!(RequestHeader::decode(&mut Reader::new(bytes)), Ok(header));
    }
    assert_eq!(messages::response_header::ResponseHeader::SCHEMA.max, 1);
}
