//! Requests of any api in any version: the first byte chooses the api, the second the version, the rest is the body.
//!
//! What decodes must encode, and the encoding must decode to a message with the same encoding.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::api::ApiKey;
use protocol::request::Request;
use wire::output::Output;
use wire::reader::Reader;

fn encode(message: &Request, version: i16) -> Bytes {
    let mut out = Output::new();
    message.encode(version, &mut out).expect("what was decoded can be encoded");
    out.to_bytes().expect("all in memory")
}

fuzz_target!(|data: &[u8]| {
    let [api, version, body @ ..] = data else { return };
    let apis = ApiKey::all();
    let api = &apis[usize::from(*api) % apis.len()];
    let version = api.min + i16::from(*version) % (api.latest - api.min + 1);
    let body = Bytes::copy_from_slice(body);
    let decode = |body: Bytes| Request::decode(api.key, version, &mut Reader::new(body));
    if let Ok(message) = fuzz::bounded(body.len(), || decode(body.clone())) {
        let first = encode(&message, version);
        let again = decode(first.clone()).expect("what was encoded can be decoded");
        assert_eq!(first, encode(&again, version));
    }
});
