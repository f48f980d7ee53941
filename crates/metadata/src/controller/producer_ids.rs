//! AllocateProducerIds (67): every broker takes producer ids in blocks, so that it can hand them out alone.

use base::error_code::ErrorCode;
use base::refusal::Refusal;
use protocol::messages::allocate_producer_ids_request::AllocateProducerIdsRequest;
use protocol::messages::allocate_producer_ids_response::AllocateProducerIdsResponse;
use protocol::metadata_record::MetadataRecord;
use protocol::records::producer_ids_record::ProducerIdsRecord;

use crate::image::Image;

/// How many ids a block has.
const BLOCK_SIZE: i32 = 1000;

/// The next block, for a broker whose epoch was checked.
pub(crate) fn allocate(
    image: &Image,
    request: &AllocateProducerIdsRequest,
) -> Result<(MetadataRecord, AllocateProducerIdsResponse), Refusal> {
    let first = image.next_producer_id().0;
    let Some(next) = first.checked_add(BLOCK_SIZE.into()) else {
        let message =
            "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit";
        return Err(Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, message));
    };
    let record = MetadataRecord::ProducerIds(ProducerIdsRecord {
        broker_id: request.broker_id,
        broker_epoch: request.broker_epoch,
        next_producer_id: next,
        ..Default::default()
    });
    let response = AllocateProducerIdsResponse {
        producer_id_start: first,
        producer_id_len: BLOCK_SIZE,
        ..Default::default()
    };
    Ok((record, response))
}
