//! Newtypes for every id, epoch and offset, so that none is taken for another.
//!
//! All are plain numbers on the wire; the inner value is public because the protocol's structs carry raw numbers and
//! handlers convert at their edge. `-1` is Kafka's "none" for most of them and is spelled as a constant here.

use std::fmt;

use crate::uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// A node: broker, controller or both (`node.id`). Negative only as [`NodeId::NONE`].
    NodeId(i32)
}
number! {
    /// The index of a partition within its topic, from 0.
    PartitionIndex(i32)
}
number! {
    /// The id of an idempotent or transactional producer, handed out in blocks by the controller.
    ProducerId(i64)
}
number! {
    /// The epoch of a producer id; a lower one is fenced.
    ProducerEpoch(i16)
}
number! {
    /// The sequence number of a record within a producer id and partition; wraps to 0 after `i32::MAX`.
    Sequence(i32)
}
number! {
    /// The epoch of a partition's leader, or of the metadata quorum's.
    LeaderEpoch(i32)
}
number! {
    /// The epoch of one incarnation of a broker: the metadata offset of its registration.
    BrokerEpoch(i64)
}
number! {
    /// The position of a record in a partition. As an end it is exclusive: one past the last record.
    Offset(i64)
}
number! {
    /// A topic's id: the key of everything that must not confuse a deleted topic with a new one of the same name.
    TopicId(Uuid)
}
number! {
    /// The id of one log directory (`directory.id` of its `meta.properties`).
    DirectoryId(Uuid)
}

impl NodeId {
    /// No node: an ordinary consumer as replica id, or a partition without leader.
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// The batch has no producer id: it is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// The batch has no producer epoch.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// The batch has no sequence.
    pub const NONE: Self = Self(-1);

    /// The sequence `count` records later, wrapping to 0 after `i32::MAX` as Kafka's producers do.
    pub fn advanced(self, count: i32) -> Self {
        debug_assert!(self.0 >= 0 && count >= 0);
        match self.0.checked_add(count) {
            Some(next) => Self(next),
            None => Self(count - (i32::MAX - self.0) - 1),
        }
    }
}

impl LeaderEpoch {
    /// The client does not know the epoch: skip the check.
    pub const NONE: Self = Self(-1);
}

impl BrokerEpoch {
    /// No epoch known.
    pub const NONE: Self = Self(-1);
}

impl Offset {
    /// Unknown or not applicable.
    pub const NONE: Self = Self(-1);
    /// The first offset of every log.
    pub const ZERO: Self = Self(0);

    /// The offset `delta` records later.
    pub fn plus(self, delta: i64) -> Self {
        Self(self.0 + delta)
    }

    /// The next offset.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TopicId {
    /// No id: the client named the topic instead.
    pub const ZERO: Self = Self(Uuid::ZERO);
    /// The id of `__cluster_metadata` (KIP-595).
    pub const METADATA: Self = Self(Uuid::ONE);
}

impl DirectoryId {
    /// Placement is not recorded yet because the cluster still migrates to directory ids.
    pub const MIGRATING: Self = Self(Uuid::ZERO);
    /// No directory was chosen yet.
    pub const UNASSIGNED: Self = Self(Uuid::ONE);
    /// The replica is in a directory that failed.
    pub const LOST: Self = Self(Uuid::from_u128(2));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_wraps_to_zero_after_its_maximum() {
        let check = |from: i32, count: i32, expect: i32| {
            assert_eq!(Sequence(from).advanced(count), Sequence(expect), "{from} + {count}");
        };
        check(0, 1, 1);
        check(5, 0, 5);
        check(i32::MAX, 1, 0);
        check(i32::MAX - 2, 5, 2);
    }
}
