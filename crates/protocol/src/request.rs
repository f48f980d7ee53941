//! Requests and responses as they travel: header, then body.
//!
//! ```text
//! request   | key i16 | version i16 | correlation id i32 | client id | tags (v2) | body |
//! response  | correlation id i32 | tags (v1) | body |
//! ```
//! The four bytes of size before either belong to the frame (crate `net`). A header of an unknown key or version is read
//! as far as it can be: the caller decides between an answer (ApiVersions) and closing the connection.

use wire::output::{EncodeError, Output};
use wire::reader::{DecodeError, Reader};

use crate::api::ApiKey;
use crate::codec;
use crate::message::Message;
use crate::messages::*;

/// What stands before a request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which api.
    pub api_key: ApiKey,
    /// Which version of it.
    pub api_version: i16,
    /// Comes back with the response.
    pub correlation_id: i32,
    /// What the client calls itself; only quotas and logs look at it.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads a header. One of an unknown api or version ends after the client id, and what follows cannot be read.
    ///
    /// # Errors
    /// When the bytes are no header.
    pub fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let api_key = ApiKey(input.i16()?);
        let api_version = input.i16()?;
        let correlation_id = input.i32()?;
        let client_id = input.nullable_string()?;
        if api_key.api().is_some_and(|api| api_version >= api.flexible) {
            codec::skip_tags(input)?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Writes the header in the form that its api and version ask for.
    ///
    /// # Errors
    /// When the client id is longer than 32,767 bytes.
    pub fn encode(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.put_i16(self.api_key.0);
        out.put_i16(self.api_version);
        out.put_i32(self.correlation_id);
        codec::put_string(out, self.client_id.as_deref(), false, "ClientId")?;
        if self.api_key.api().is_some_and(|api| self.api_version >= api.flexible) {
            out.put_uvarint(0);
        }
        Ok(())
    }
}

/// Reads a response's header and gives the correlation id. Key and version are those of the request.
///
/// # Errors
/// When the bytes are no header.
pub fn decode_response_header(key: ApiKey, version: i16, input: &mut Reader) -> Result<i32, DecodeError> {
    let correlation_id = input.i32()?;
    if key.api().is_some_and(|api| api.response_header_version(version) > 0) {
        codec::skip_tags(input)?;
    }
    Ok(correlation_id)
}

/// Writes a response's header. Key and version are those of the request.
pub fn encode_response_header(key: ApiKey, version: i16, correlation_id: i32, out: &mut Output) {
    out.put_i32(correlation_id);
    if key.api().is_some_and(|api| api.response_header_version(version) > 0) {
        out.put_uvarint(0);
    }
}

include!(concat!(env!("OUT_DIR"), "/requests.rs"));
