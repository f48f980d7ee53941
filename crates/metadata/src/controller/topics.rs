//! Creating and deleting topics.

pub(crate) mod create;
pub(crate) mod delete;

/// The most partitions that one request may create.
const PARTITIONS_PER_REQUEST_MAX: i64 = 10_000;

/// The most records that one request may lead to: they become one batch.
const RECORDS_PER_REQUEST_MAX: usize = 10_000;
