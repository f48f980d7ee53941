//! The table of apis that are built: key → handler. What is not in it is not advertised.
//!
//! Invariant: an api is here only if every version that Apache Kafka 4.3.0 serves is.

use std::sync::Arc;

use base::time::Now;
use metadata::controller::{AllowAll, ControllerReply, ControllerRequest, ControllerVerb};
use net::permits::Permit;
use net::session::Close;
use protocol::api::{Api, ApiKey};
use protocol::request::encode_response_header;
use protocol::{DecodeError, Message};
use wire::output::Output;
use wire::reader::Reader;

use crate::apis;
use crate::broker::Broker;
use crate::context::RequestContext;
use crate::controller::Answer;
use crate::replies::{Replies, Reply, Ticket, Tickets};
use crate::session::Gathered;

/// One request on its way through a handler.
pub struct Call<'a> {
    /// The broker.
    pub broker: &'a Arc<Broker>,
    /// Where it came from.
    pub context: RequestContext,
    /// Its body, not read yet.
    pub body: Reader,
    /// The memory that its frame holds.
    pub permit: Option<Permit>,
    /// Its place among the connection's replies.
    pub ticket: Ticket,
    /// The places of all of the connection's requests.
    pub tickets: &'a mut Tickets,
    /// The connection's replies.
    pub replies: &'a Arc<Replies>,
    /// What the connection gathers for shards, and its parked fetch.
    pub gathered: &'a mut Gathered,
    /// When it was taken up.
    pub now: Now,
}

type Handler = fn(Call<'_>) -> Result<(), Close>;

/// Sorted by key, as ApiVersions lists them.
static HANDLERS: [(ApiKey, Handler); 18] = [
    (ApiKey::PRODUCE, apis::produce::handle),
    (ApiKey::FETCH, apis::fetch::handle),
    (ApiKey::LIST_OFFSETS, apis::list_offsets::handle),
    (ApiKey::METADATA, apis::metadata::handle),
    (ApiKey::API_VERSIONS, apis::api_versions::handle),
    (ApiKey::CREATE_TOPICS, apis::create_topics::handle),
    (ApiKey::DELETE_TOPICS, apis::delete_topics::handle),
    (ApiKey::DELETE_RECORDS, apis::delete_records::handle),
    (ApiKey::INIT_PRODUCER_ID, apis::init_producer_id::handle),
    (ApiKey::OFFSET_FOR_LEADER_EPOCH, apis::offset_for_leader_epoch::handle),
    (ApiKey::DESCRIBE_CONFIGS, apis::describe_configs::handle),
    (ApiKey::ALTER_CONFIGS, apis::alter_configs::replace::handle),
    (ApiKey::ALTER_REPLICA_LOG_DIRS, apis::alter_replica_log_dirs::handle),
    (ApiKey::DESCRIBE_LOG_DIRS, apis::describe_log_dirs::handle),
    (ApiKey::CREATE_PARTITIONS, apis::create_partitions::handle),
    (ApiKey::INCREMENTAL_ALTER_CONFIGS, apis::alter_configs::incremental::handle),
    (ApiKey::DESCRIBE_CLUSTER, apis::describe_cluster::handle),
    (ApiKey::DESCRIBE_PRODUCERS, apis::describe_producers::handle),
];

/// The apis that are built.
pub fn built() -> impl Iterator<Item = &'static Api> {
    HANDLERS.iter().filter_map(|(key, _)| key.api())
}

/// The handler of an api and version, or why there is none.
pub fn handler(key: ApiKey, version: i16) -> Result<Handler, Close> {
    let refused = || Close(format!("unsupported request: {key} version {version}"));
    let (_, handler) = HANDLERS.iter().find(|(built, _)| *built == key).ok_or_else(refused)?;
    // An ApiVersions of an unknown version is answered, so that the client learns which one to use.
    let answered = key == ApiKey::API_VERSIONS || key.api().is_some_and(|api| api.serves(version));
    if answered { Ok(*handler) } else { Err(refused()) }
}

impl Call<'_> {
    /// Reads the body.
    ///
    /// # Errors
    /// The bytes are no such request: the connection closes, as Kafka's does.
    pub fn decode<M: Message>(&mut self) -> Result<M, Close> {
        let header = &self.context.header;
        M::decode(&mut self.body, header.api_version).map_err(|error| unreadable(header.api_key, &error))
    }

    /// Answers at once.
    ///
    /// # Errors
    /// The response cannot be said in the request's version.
    pub fn answer<M: Message>(&self, response: &M) -> Result<(), Close> {
        let output = frame(&self.context, response)?;
        self.replies.answer(self.ticket, Reply::Send(output));
        Ok(())
    }

    /// Has the controller decide. `respond` makes a response of its answer, or gives back a reply that is to another verb:
    /// then the connection closes.
    pub fn decide<M: Message>(
        &self,
        verb: ControllerVerb,
        respond: impl FnOnce(Answer) -> Result<M, ControllerReply> + Send + 'static,
    ) {
        let (context, ticket, replies) = (self.context.clone(), self.ticket, self.replies.clone());
        let request =
            ControllerRequest { api_version: context.header.api_version, verb, access: Arc::new(AllowAll) };
        let on_reply = Box::new(move |answer| {
            let response = match respond(answer) {
                Ok(response) => reply(&context, &response),
                Err(other) => Reply::Close(format!("{} was answered with {other:?}", context.header.api_key)),
            };
            replies.answer(ticket, response);
        });
        self.broker.controller().submit(request, on_reply);
    }
}

fn unreadable(key: ApiKey, error: &DecodeError) -> Close {
    Close(format!("unreadable {key} request: {error}"))
}

/// A response as a frame, size included.
///
/// # Errors
/// The response cannot be said in the request's version.
pub fn frame<M: Message>(context: &RequestContext, response: &M) -> Result<Output, Close> {
    frame_as(context, context.header.api_version, response)
}

/// A response as a frame in another version than the request's.
///
/// # Errors
/// The response cannot be said in that version.
pub fn frame_as<M: Message>(context: &RequestContext, version: i16, response: &M) -> Result<Output, Close> {
    let header = &context.header;
    let mut output = Output::with_capacity(128);
    output.put_i32(0);
    encode_response_header(header.api_key, version, header.correlation_id, &mut output);
    response
        .encode(version, &mut output)
        .map_err(|error| Close(format!("unsayable {} response: {error}", header.api_key)))?;
    let size = output.len() - 4;
    output.patch_i32(0, i32::try_from(size).map_err(|_| Close(format!("a response of {size} bytes")))?);
    Ok(output)
}

/// The reply of a response that is ready outside of a handler.
pub fn reply<M: Message>(context: &RequestContext, response: &M) -> Reply {
    match frame(context, response) {
        Ok(output) => Reply::Send(output),
        Err(Close(reason)) => Reply::Close(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_known() {
        assert!(HANDLERS.is_sorted_by_key(|(key, _)| *key));
        assert!(HANDLERS.iter().all(|(key, _)| key.api().is_some_and(|api| api.broker)));
    }

    #[test]
    fn other_keys_and_versions_close_the_connection() {
        let check = |key: i16, version, expect| {
            assert_eq!(handler(ApiKey(key), version).is_ok(), expect, "{key} v{version}");
        };
        check(0, 13, true);
        check(0, 14, false);
        check(0, 2, false);
        check(18, 99, true);
        check(-1, 0, false);
        check(4, 0, false);
        check(999, 0, false);
    }
}
