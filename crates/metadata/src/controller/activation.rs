//! What a controller writes first in its epoch.
//!
//! In an empty log the bootstrap records, as one metadata transaction, so that a half-written bootstrap is never taken
//! for a cluster. In a log whose last controller left a transaction open, its end.

use protocol::metadata_record::MetadataRecord;
use protocol::records::abort_transaction_record::AbortTransactionRecord;
use protocol::records::begin_transaction_record::BeginTransactionRecord;
use protocol::records::end_transaction_record::EndTransactionRecord;

use crate::image::METADATA_VERSION;
use crate::state::State;
use crate::version::level;

/// The records, for the state that the whole log gives.
pub(crate) fn records(state: &State, bootstrap: &[MetadataRecord]) -> Vec<MetadataRecord> {
    let open = state.open_transaction().is_some();
    let mut records = Vec::new();
    if open {
        records.push(MetadataRecord::AbortTransaction(AbortTransactionRecord {
            reason: Some("Controller failover".to_owned()),
            ..Default::default()
        }));
    }
    let is_empty = state.published().feature(METADATA_VERSION) == 0;
    if is_empty {
        let transactional = bootstrap_version(bootstrap) >= level::METADATA_TRANSACTIONS;
        let name = Some("Bootstrap records".to_owned());
        let begin = MetadataRecord::BeginTransaction(BeginTransactionRecord { name, ..Default::default() });
        records.extend(transactional.then_some(begin));
        records.extend_from_slice(bootstrap);
        let end = MetadataRecord::EndTransaction(EndTransactionRecord::default());
        records.extend(transactional.then_some(end));
    }
    records
}

/// The level of `metadata.version` that the bootstrap records finalize; 0 if none.
pub(crate) fn bootstrap_version(bootstrap: &[MetadataRecord]) -> i16 {
    let level = |record: &MetadataRecord| match record {
        MetadataRecord::FeatureLevel(record) if record.name == METADATA_VERSION => Some(record.feature_level),
        _ => None,
    };
    bootstrap.iter().filter_map(level).next_back().unwrap_or(0)
}
