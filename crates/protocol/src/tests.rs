//! Tests over all messages and records at once, led by their definitions.
//!
//! The expectation never comes from the generated code: values are made, projected to other versions and written to bytes
//! by walking the definition (`json`), and the generated codecs must agree byte for byte.

mod bounds;
mod hand_made;
mod random;
mod recorded;
mod round_trip;
mod versions;

use std::marker::PhantomData;

use bytes::Bytes;
use wire::output::{EncodeError, Output};
use wire::reader::{DecodeError, Reader};

use crate::message::Message;
use crate::schema::Schema;

/// One message's codec without its type.
pub(crate) trait Codec {
    fn schema(&self) -> &'static Schema;

    /// Reads a message; gives what was left over: bytes, and allowance for collections.
    fn decode(&self, bytes: Bytes, version: i16) -> Result<(usize, usize), DecodeError>;

    /// Reads the bytes of `version`, which must be good, and writes the message as `to`.
    fn recode(&self, bytes: Bytes, version: i16, to: i16) -> Result<Bytes, EncodeError>;
}

impl<M: Message> Codec for PhantomData<M> {
    fn schema(&self) -> &'static Schema {
        M::SCHEMA
    }

    fn decode(&self, bytes: Bytes, version: i16) -> Result<(usize, usize), DecodeError> {
        let mut input = Reader::new(bytes);
        M::decode(&mut input, version)?;
        Ok((input.remaining(), input.allowance()))
    }

    fn recode(&self, bytes: Bytes, version: i16, to: i16) -> Result<Bytes, EncodeError> {
        let mut input = Reader::new(bytes);
        let message = M::decode(&mut input, version).unwrap();
        assert_eq!(input.remaining(), 0);
        let mut out = Output::new();
        message.encode(to, &mut out)?;
        let bytes = out.to_bytes().unwrap();
        assert_eq!(message.size(to), Ok(bytes.len()));
        Ok(bytes)
    }
}

/// The codecs of all messages and records.
pub(crate) fn codecs() -> Vec<Box<dyn Codec>> {
    let mut codecs: Vec<Box<dyn Codec>> = Vec::new();
    macro_rules! visit {
        ($message:path) => {
            codecs.push(Box::new(PhantomData::<$message>));
        };
    }
    each_message!(visit);
    each_record!(visit);
    codecs
}

/// Every message in every version.
pub(crate) fn each_version(mut visit: impl FnMut(&dyn Codec, i16)) {
    for codec in codecs() {
        for version in codec.schema().min..=codec.schema().max {
            visit(&*codec, version);
        }
    }
}
