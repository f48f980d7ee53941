//! Creating and deleting topics.

pub(crate) mod create;
pub(crate) mod delete;

use base::error_code::ErrorCode;
use base::refusal::Refusal;

/// The most partitions that one request may create.
const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

/// The most records that one request may lead to: they become one batch.
const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// Said of a request that would lead to more records: none of it is done.
fn too_many_records() -> Refusal {
    Refusal::new(ErrorCode::POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
}
