//! InitProducerId: an id for an idempotent producer.
//!
//! Transactional ids need the transaction coordinator, which is not built: they are refused with UNSUPPORTED_VERSION, and
//! since FindCoordinator is not advertised either, clients say so before they ask.

use base::error_code::ErrorCode;
use net::session::Close;
use protocol::messages::init_producer_id_request::InitProducerIdRequest;
use protocol::messages::init_producer_id_response::InitProducerIdResponse;

use crate::dispatch::{self, Call};

/// Takes up the request.
pub(crate) fn handle(mut call: Call<'_>) -> Result<(), Close> {
    let request: InitProducerIdRequest = call.decode()?;
    match request.transactional_id.as_deref() {
        None => {}
        Some("") => return call.answer(&refusal(ErrorCode::INVALID_REQUEST)),
        Some(_) => return call.answer(&refusal(ErrorCode::UNSUPPORTED_VERSION)),
    }
    let (context, ticket, replies) = (call.context.clone(), call.ticket, call.replies.clone());
    call.broker.producer_ids().take(Box::new(move |id| {
        let response = match id {
            Ok(id) => InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..Default::default() },
            Err(code) => refusal(code),
        };
        replies.answer(ticket, dispatch::reply(&context, &response));
    }));
    Ok(())
}

fn refusal(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
}
