//! Records of the coordinators' logs: which definitions a record's type stands for.
//!
//! ```text
//! key      | type i16 | key in its only version |
//! value    | version i16 | value |                       no value: what the key names is gone
//! ```

use crate::message::Message;
use crate::records::*;
use crate::schema::Schema;

/// A log that a coordinator keeps its state in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorLog {
    /// `__consumer_offsets`.
    Group,
    /// `__transaction_state`.
    Transaction,
    /// `__share_group_state`.
    Share,
}

/// A type of record with the definitions of its key and value.
#[derive(Clone, Copy, Debug)]
pub struct CoordinatorRecord {
    /// The log that has it.
    pub log: CoordinatorLog,
    /// The number that its keys begin with.
    pub record_type: i16,
    /// The key behind that number.
    pub key: &'static Schema,
    /// The value behind its version.
    pub value: &'static Schema,
}

include!(concat!(env!("OUT_DIR"), "/coordinator_record.rs"));

impl CoordinatorRecord {
    /// All types of a log, by number.
    pub fn of(log: CoordinatorLog) -> impl Iterator<Item = &'static Self> {
        ALL.iter().filter(move |record| record.log == log)
    }

    /// The type with this number.
    pub fn find(log: CoordinatorLog, record_type: i16) -> Option<&'static Self> {
        Self::of(log).find(|record| record.record_type == record_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_kafkas_records() {
        let check = |log: CoordinatorLog, record_type: i16, expect: Option<(&str, &str)>| {
            let found = CoordinatorRecord::find(log, record_type);
            assert_eq!(found.map(|record| (record.key.name, record.value.name)), expect, "{record_type}");
        };
        check(CoordinatorLog::Group, 1, Some(("OffsetCommitKey", "OffsetCommitValue")));
        check(CoordinatorLog::Group, 23, Some(("StreamsGroupTopologyKey", "StreamsGroupTopologyValue")));
        check(CoordinatorLog::Group, 9, None);
        check(CoordinatorLog::Transaction, 0, Some(("TransactionLogKey", "TransactionLogValue")));
        check(CoordinatorLog::Share, 1, Some(("ShareUpdateKey", "ShareUpdateValue")));
        check(CoordinatorLog::Share, -1, None);
    }
}
