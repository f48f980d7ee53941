//! Records of every internal log: the first byte chooses the record, the second the version, the rest is the value.
//!
//! What decodes must encode, and the encoding must decode to a record with the same encoding; its JSON form must lead back
//! to it. Framed metadata records are decoded from the same bytes.
#![no_main]

use std::marker::PhantomData;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::Message;
use protocol::metadata_record::MetadataRecord;
use protocol::remote_log_record::RemoteLogRecord;
use wire::output::Output;
use wire::reader::Reader;

fn encode<M: Message>(message: &M, version: i16) -> Bytes {
    let mut out = Output::new();
    message.encode(version, &mut out).expect("what was decoded can be encoded");
    out.to_bytes().expect("all in memory")
}

trait Check {
    fn check(&self, version: u8, body: Bytes);
}

impl<M: Message> Check for PhantomData<M> {
    fn check(&self, version: u8, body: Bytes) {
        let version = M::SCHEMA.min + i16::from(version) % (M::SCHEMA.max - M::SCHEMA.min + 1);
        let decode = |body: Bytes| M::decode(&mut Reader::new(body), version);
        let Ok(message) = fuzz::bounded(body.len(), || decode(body.clone())) else { return };
        let first = encode(&message, version);
        let again = decode(first.clone()).expect("what was encoded can be decoded");
        assert_eq!(first, encode(&again, version));
        let json = protocol::json::to_json(&message, version).expect("every message has a JSON form");
        let read = protocol::json::from_json::<M>(&json, version).expect("the form leads back");
        assert_eq!(json, protocol::json::to_json(&read, version).expect("and forth again"));
    }
}

fuzz_target!(|data: &[u8]| {
    let [which, version, body @ ..] = data else { return };
    let body = Bytes::copy_from_slice(body);
    let mut records: Vec<Box<dyn Check>> = Vec::new();
    macro_rules! visit {
        ($record:path) => {
            records.push(Box::new(PhantomData::<$record>));
        };
    }
    protocol::each_record!(visit);
    records[usize::from(*which) % records.len()].check(*version, body.clone());

    if let Ok((record, version)) = fuzz::bounded(body.len(), || MetadataRecord::decode(body.clone())) {
        let mut out = Output::new();
        record.encode(version, &mut out).expect("what was decoded can be encoded");
    }
    let _ = fuzz::bounded(body.len(), || RemoteLogRecord::decode(body.clone()));
});
