//! Which version of each record may be written, from the finalized level of `metadata.version` alone.
//!
//! The one place where a level decides on a record's form. Reading never asks: a record carries its own version.

use protocol::metadata_record::MetadataRecord;

/// The levels of `metadata.version` at which something changes that this crate writes.
pub mod level {
    /// The lowest that Kafka 4.x accepts (3.3-IV3).
    pub const MINIMUM: i16 = 7;
    /// Controller registrations (3.7-IV0).
    pub const CONTROLLER_REGISTRATION: i16 = 15;
    /// Directory ids in partitions and registrations (3.7-IV2).
    pub const DIRECTORY_ASSIGNMENT: i16 = 17;
    /// Eligible leader replicas (4.0-IV1).
    pub const ELIGIBLE_LEADER_REPLICAS: i16 = 23;
    /// From here on new clusters have them (4.1-IV0).
    pub const ELIGIBLE_LEADER_REPLICAS_BY_DEFAULT: i16 = 26;
    /// Cordoned log directories (4.3-IV0), the newest of Kafka 4.3.
    pub const CORDONED_LOG_DIRS: i16 = 30;
    /// Metadata transactions (3.6-IV1).
    pub const METADATA_TRANSACTIONS: i16 = 13;
    /// What a new cluster begins with.
    pub const LATEST: i16 = CORDONED_LOG_DIRS;
}

/// The version to write the record in at this level of `metadata.version`.
pub fn record_version(record: &MetadataRecord, metadata_version: i16) -> i16 {
    let at_least = |level: i16| metadata_version >= level;
    match record {
        MetadataRecord::RegisterBroker(_) if at_least(level::CORDONED_LOG_DIRS) => 4,
        MetadataRecord::RegisterBroker(_) if at_least(level::DIRECTORY_ASSIGNMENT) => 3,
        // 3.4-IV0 added the flag of a migration from ZooKeeper.
        MetadataRecord::RegisterBroker(_) if at_least(8) => 2,
        MetadataRecord::RegisterBroker(_) => 1,
        MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => match metadata_version {
            level::ELIGIBLE_LEADER_REPLICAS.. => 2,
            level::DIRECTORY_ASSIGNMENT.. => 1,
            _ => 0,
        },
        // The lowest version that carries the change, as Kafka writes it.
        MetadataRecord::BrokerRegistrationChange(change) if change.cordoned_log_dirs.is_some() => 3,
        MetadataRecord::BrokerRegistrationChange(change) if !change.log_dirs.is_empty() => 2,
        MetadataRecord::BrokerRegistrationChange(change) if change.in_controlled_shutdown != 0 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use base::uuid::Uuid;
    use protocol::records::broker_registration_change_record::BrokerRegistrationChangeRecord;

    use super::*;

    #[test]
    fn levels_decide_on_the_version() {
        let check = |record: MetadataRecord, expect: &[(i16, i16)]| {
            for (level, version) in expect {
                assert_eq!(record_version(&record, *level), *version, "{record:?} at {level}");
            }
        };
        let registration = MetadataRecord::RegisterBroker(Default::default());
        check(registration, &[(7, 1), (8, 2), (16, 2), (17, 3), (29, 3), (30, 4)]);
        for record in [
            MetadataRecord::Partition(Default::default()),
            MetadataRecord::PartitionChange(Default::default()),
        ] {
            check(record, &[(7, 0), (16, 0), (17, 1), (22, 1), (23, 2), (30, 2)]);
        }
        check(MetadataRecord::Topic(Default::default()), &[(7, 0), (30, 0)]);
    }

    #[test]
    fn a_change_of_a_broker_takes_the_lowest_version_that_carries_it() {
        let check = |change: BrokerRegistrationChangeRecord, expect: i16| {
            assert_eq!(
                record_version(&MetadataRecord::BrokerRegistrationChange(change), level::LATEST),
                expect
            );
        };
        let change = BrokerRegistrationChangeRecord { fenced: 1, ..Default::default() };
        check(change.clone(), 0);
        check(BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change.clone() }, 1);
        check(BrokerRegistrationChangeRecord { log_dirs: vec![Uuid::ONE], ..change.clone() }, 2);
        check(BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(Vec::new()), ..change }, 3);
    }
}
