//! Every message of Kafka's protocol and every record of its internal logs, in all versions of Apache Kafka 4.3.0.
//!
//! The definitions stand in `defs/messages` and `defs/records`; the build emits one plain struct per message, which
//! serves all versions, and its codec. What is written by hand here is what all of them share.
//!
//! ```text
//! frame    | size i32 | RequestHeader | body |        request::RequestHeader, request::Request or messages::*
//! record   | uvarint 1 | uvarint type | uvarint version | body |              metadata_record::MetadataRecord
//! ```
//!
//! Invariants: decoding never panics and never allocates much more than the bytes it was given; what was decoded at a
//! version encodes to a message of equal meaning at that version; a field that has a value is never dropped silently
//! unless its definition says `ignorable`. Nothing here does I/O or knows what a message asks for.

pub mod api;
mod codec;
pub mod coordinator_record;
pub mod downgrade;
mod generated;
#[cfg(any(test, feature = "json"))]
pub mod json;
pub mod message;
pub mod metadata_record;
pub mod remote_log_record;
pub mod request;
pub mod schema;
pub mod unknown_tags;

pub use message::Message;
pub use wire::output::EncodeError;
pub use wire::reader::DecodeError;

/// Requests, responses, headers and data that travels inside them: one module per message.
#[allow(missing_docs, unused_variables, clippy::all, clippy::pedantic)]
pub mod messages {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

/// Records of the internal logs, of control batches and of small files: one module per record.
#[allow(missing_docs, unused_variables, clippy::all, clippy::pedantic)]
pub mod records {
    include!(concat!(env!("OUT_DIR"), "/records.rs"));
}

include!(concat!(env!("OUT_DIR"), "/each.rs"));

#[cfg(test)]
mod tests;
