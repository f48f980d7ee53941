//! Error codes that older versions of a request do not know, and what they get instead.
//!
//! A client takes an unknown code for a fatal one; the replacement makes an older one do the right thing. Applied when an
//! answer is written, so that no handler needs to think of versions.

use base::error_code::ErrorCode;

use crate::api::ApiKey;

/// One rule: answers of `api` below `version` say `instead`.
struct Downgrade {
    api: ApiKey,
    code: ErrorCode,
    version: i16,
    instead: ErrorCode,
}

const fn rule(api: ApiKey, code: ErrorCode, version: i16, instead: ErrorCode) -> Downgrade {
    Downgrade { api, code, version, instead }
}

static DOWNGRADES: [Downgrade; 13] = [
    // A concurrent transaction ends by itself: before the client retries such errors, a retriable one (KIP-890).
    rule(ApiKey::PRODUCE, ErrorCode::CONCURRENT_TRANSACTIONS, 12, ErrorCode::NOT_ENOUGH_REPLICAS),
    // Before there was an error that only asks for an abort (KIP-890).
    rule(ApiKey::PRODUCE, ErrorCode::TRANSACTION_ABORTABLE, 11, ErrorCode::INVALID_TXN_STATE),
    rule(ApiKey::TXN_OFFSET_COMMIT, ErrorCode::TRANSACTION_ABORTABLE, 4, ErrorCode::INVALID_TXN_STATE),
    // Producers before 2.0 fall over a coordinator that is loading.
    rule(
        ApiKey::TXN_OFFSET_COMMIT,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        2,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ),
    rule(ApiKey::FETCH, ErrorCode::KAFKA_STORAGE_ERROR, 6, ErrorCode::NOT_LEADER_OR_FOLLOWER),
    rule(ApiKey::LIST_OFFSETS, ErrorCode::OFFSET_NOT_AVAILABLE, 5, ErrorCode::LEADER_NOT_AVAILABLE),
    rule(ApiKey::METADATA, ErrorCode::LISTENER_NOT_FOUND, 6, ErrorCode::LEADER_NOT_AVAILABLE),
    // Fenced producers had the name of an invalid epoch before KIP-588.
    rule(ApiKey::INIT_PRODUCER_ID, ErrorCode::PRODUCER_FENCED, 4, ErrorCode::INVALID_PRODUCER_EPOCH),
    rule(ApiKey::ADD_PARTITIONS_TO_TXN, ErrorCode::PRODUCER_FENCED, 2, ErrorCode::INVALID_PRODUCER_EPOCH),
    rule(ApiKey::ADD_OFFSETS_TO_TXN, ErrorCode::PRODUCER_FENCED, 2, ErrorCode::INVALID_PRODUCER_EPOCH),
    rule(ApiKey::END_TXN, ErrorCode::PRODUCER_FENCED, 2, ErrorCode::INVALID_PRODUCER_EPOCH),
    rule(ApiKey::OFFSET_COMMIT, ErrorCode::STALE_MEMBER_EPOCH, 9, ErrorCode::UNSUPPORTED_VERSION),
    rule(ApiKey::OFFSET_COMMIT, ErrorCode::GROUP_ID_NOT_FOUND, 9, ErrorCode::ILLEGAL_GENERATION),
];

/// The code that an answer of `api` in `version` carries for `code`.
pub fn downgrade(api: ApiKey, version: i16, code: ErrorCode) -> ErrorCode {
    let rule = DOWNGRADES.iter().find(|rule| rule.api == api && rule.code == code && version < rule.version);
    rule.map_or(code, |rule| rule.instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_get_what_they_know() {
        let check = |api, version, code, expect| assert_eq!(downgrade(api, version, code), expect);
        check(ApiKey::FETCH, 5, ErrorCode::KAFKA_STORAGE_ERROR, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        check(ApiKey::FETCH, 6, ErrorCode::KAFKA_STORAGE_ERROR, ErrorCode::KAFKA_STORAGE_ERROR);
        check(ApiKey::METADATA, 5, ErrorCode::LISTENER_NOT_FOUND, ErrorCode::LEADER_NOT_AVAILABLE);
        check(ApiKey::INIT_PRODUCER_ID, 3, ErrorCode::PRODUCER_FENCED, ErrorCode::INVALID_PRODUCER_EPOCH);
        check(ApiKey::INIT_PRODUCER_ID, 4, ErrorCode::PRODUCER_FENCED, ErrorCode::PRODUCER_FENCED);
        check(ApiKey::PRODUCE, 3, ErrorCode::NONE, ErrorCode::NONE);
    }
}
