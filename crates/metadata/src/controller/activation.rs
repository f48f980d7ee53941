//! What a controller writes first in its epoch.
//!
//! In an empty log the bootstrap records, as one metadata transaction, so that a half-written bootstrap is never taken
//! for a cluster; with ELR also a `min.insync.replicas` that all brokers share (KIP-966). In a log whose last controller left a transaction open, its end.

use protocol::metadata_record::MetadataRecord;
use protocol::records::abort_transaction_record::AbortTransactionRecord;
use protocol::records::begin_transaction_record::BeginTransactionRecord;
use protocol::records::config_record::ConfigRecord;
use protocol::records::end_transaction_record::EndTransactionRecord;

use super::election::MIN_INSYNC_REPLICAS;
use crate::features::ELIGIBLE_LEADER_REPLICAS;
use crate::image::{METADATA_VERSION, ResourceType};
use crate::state::State;
use crate::version::level;

/// The records, for the state that the whole log gives.
pub(crate) fn records(
    state: &State,
    bootstrap: &[MetadataRecord],
    min_insync_replicas: i32,
) -> Vec<MetadataRecord> {
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
        let transactional = bootstrap_level(bootstrap, METADATA_VERSION) >= level::METADATA_TRANSACTIONS;
        let name = Some("Bootstrap records".to_owned());
        let begin = MetadataRecord::BeginTransaction(BeginTransactionRecord { name, ..Default::default() });
        records.extend(transactional.then_some(begin));
        records.extend_from_slice(bootstrap);
        let shared = MetadataRecord::Config(ConfigRecord {
            resource_type: ResourceType::Broker.number(),
            name: MIN_INSYNC_REPLICAS.to_owned(),
            value: Some(min_insync_replicas.to_string()),
            ..Default::default()
        });
        records.extend((bootstrap_level(bootstrap, ELIGIBLE_LEADER_REPLICAS) > 0).then_some(shared));
        let end = MetadataRecord::EndTransaction(EndTransactionRecord::default());
        records.extend(transactional.then_some(end));
    }
    records
}

/// The level of a feature that the bootstrap records finalize; 0 if none.
pub(crate) fn bootstrap_level(bootstrap: &[MetadataRecord], feature: &str) -> i16 {
    let level = |record: &MetadataRecord| match record {
        MetadataRecord::FeatureLevel(record) if record.name == feature => Some(record.feature_level),
        _ => None,
    };
    bootstrap.iter().filter_map(level).next_back().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use base::ids::{LeaderEpoch, Offset};
    use machine::{Hard, Stamp};

    use super::*;
    use crate::image::{Image, feature_level};

    /// What a controller writes after these records were found in the log, by the names of their types.
    fn check(found: &[MetadataRecord], metadata_version: i16, expect: &[&str]) {
        check_bootstrap(found, &[feature_level(METADATA_VERSION, metadata_version)], expect);
    }

    fn check_bootstrap(found: &[MetadataRecord], bootstrap: &[MetadataRecord], expect: &[&str]) {
        let mut state = State::new(Image::empty("cluster"));
        let mut offset = Offset::NONE;
        let mut replay = |state: &mut State, record: &MetadataRecord| {
            offset = offset.next();
            state.replay(Stamp::new(offset, LeaderEpoch(1)), record).expect("records that fit");
        };
        found.iter().for_each(|record| replay(&mut state, record));
        let written = records(&state, bootstrap, 2);
        let names: Vec<_> =
            written.iter().map(|record| record.schema().name.trim_end_matches("Record")).collect();
        assert_eq!(names, expect);
        written.iter().for_each(|record| replay(&mut state, record));
        assert_eq!(state.open_transaction(), None);
        assert!(state.image().feature(METADATA_VERSION) > 0);
    }

    #[test]
    fn a_bootstrap_is_whole_or_begun_anew() {
        let begin = || MetadataRecord::BeginTransaction(BeginTransactionRecord::default());
        let end = || MetadataRecord::EndTransaction(EndTransactionRecord::default());
        let feature = || feature_level(METADATA_VERSION, 30);
        let bootstrap = ["BeginTransaction", "FeatureLevel", "EndTransaction"];
        check(&[], 30, &bootstrap);
        check(&[], 7, &["FeatureLevel"]);
        check(&[begin(), feature(), end()], 30, &[]);
        let anew = [&["AbortTransaction"][..], &bootstrap].concat();
        check(&[begin()], 30, &anew);
        check(&[begin(), feature()], 30, &anew);
        check(&[feature(), begin(), feature_level("group.version", 1)], 30, &["AbortTransaction"]);
        let with_elr = [feature(), feature_level(ELIGIBLE_LEADER_REPLICAS, 1)];
        let expect = ["BeginTransaction", "FeatureLevel", "FeatureLevel", "Config", "EndTransaction"];
        check_bootstrap(&[], &with_elr, &expect);
    }
}
