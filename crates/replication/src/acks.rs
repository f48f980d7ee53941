//! When a produce is answered.
//!
//! ```text
//!                 written          on disk          on disk here and in sync elsewhere
//! log start ───────── log end ≥ durable end   high watermark ≤ …
//!
//!  acks | default          | flush.messages=1
//!  -----|------------------|------------------------------------------
//!   0   | never            | never
//!   1   | log end          | durable end
//!  all  | high watermark   | high watermark, whose local share is the durable end
//! ```
//! Invariant: what a producer was told under `flush.messages=1` is on disk here, whatever its acks.

use base::ids::Offset;

/// The producer's wish, the field `Acks` of a produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// 0: no answer at all.
    None,
    /// 1: once the leader has it.
    Leader,
    /// -1: once all in-sync replicas have it.
    All,
}

impl Acks {
    /// The wish that the number stands for; `None` for any but -1, 0 and 1 (error 21).
    pub fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Self::None),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

/// What the topic asks of its leader before an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The operating system writes back when it likes; replication is the safety.
    Written,
    /// `flush.messages=1`: on disk before anyone is told.
    Synced,
}

/// The ends of one replica's log, all exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaEnds {
    /// One past the last record written.
    pub log_end: Offset,
    /// One past the last record known to be on disk.
    pub durable_end: Offset,
    /// One past the last record that all in-sync replicas have.
    pub high_watermark: Offset,
}

/// The end that must reach one past the last record before a produce is answered; `None` when it never is.
pub fn answering_end(acks: Acks, durability: Durability, ends: ReplicaEnds) -> Option<Offset> {
    match (acks, durability) {
        (Acks::None, _) => None,
        (Acks::Leader, Durability::Written) => Some(ends.log_end),
        (Acks::Leader, Durability::Synced) => Some(ends.durable_end),
        (Acks::All, _) => Some(ends.high_watermark),
    }
}

/// The leader's own share in the high watermark: how far it may count itself as having the log.
pub fn leader_share(durability: Durability, log_end: Offset, durable_end: Offset) -> Offset {
    match durability {
        Durability::Written => log_end,
        Durability::Synced => durable_end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        let ends = ReplicaEnds { log_end: Offset(30), durable_end: Offset(20), high_watermark: Offset(10) };
        let check = |acks, durability, expect: Option<i64>| {
            assert_eq!(answering_end(acks, durability, ends), expect.map(Offset), "{acks:?} {durability:?}");
        };
        check(Acks::None, Durability::Written, None);
        check(Acks::None, Durability::Synced, None);
        check(Acks::Leader, Durability::Written, Some(30));
        check(Acks::Leader, Durability::Synced, Some(20));
        check(Acks::All, Durability::Written, Some(10));
        check(Acks::All, Durability::Synced, Some(10));
        assert_eq!(leader_share(Durability::Synced, Offset(30), Offset(20)), Offset(20));
        assert_eq!(leader_share(Durability::Written, Offset(30), Offset(20)), Offset(30));
    }

    #[test]
    fn other_acks_are_refused() {
        for acks in [-2, 2, i16::MAX, i16::MIN] {
            assert_eq!(Acks::from_wire(acks), None);
        }
    }
}
