//! A fetch session (KIP-227): the broker remembers what is fetched, and only changes travel. Pure.
//!
//! ```text
//! id 0, epoch 0: all partitions ──► id 7          the broker may give no id: then all partitions travel every time
//! id 7, epoch 1: changed, forgotten ──► only partitions with news
//! id 7, epoch 2: …
//! ```
//! Invariant: `known` is what the broker has for the session after it handled the last request that was built.

use std::collections::BTreeMap;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, Offset, TopicId};

use crate::record::TopicPartition;

/// What is asked of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) topic_id: TopicId,
    pub(super) offset: Offset,
    pub(super) leader_epoch: LeaderEpoch,
    pub(super) last_fetched_epoch: LeaderEpoch,
    pub(super) max_bytes: i32,
}

/// What is written into a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) session_id: i32,
    pub(super) epoch: i32,
    pub(super) partitions: Vec<(TopicPartition, Wanted)>,
    pub(super) forgotten: Vec<(TopicPartition, TopicId)>,
}

#[derive(Debug, Default)]
pub(super) struct Session {
    id: i32,
    epoch: i32,
    known: BTreeMap<TopicPartition, Wanted>,
}

impl Session {
    /// The next request for exactly these partitions.
    pub(super) fn build(&mut self, wanted: BTreeMap<TopicPartition, Wanted>) -> Part {
        let (session_id, epoch) = (self.id, self.epoch);
        if epoch == 0 {
            self.known = wanted;
            let partitions = self.known.iter().map(|(partition, wanted)| (partition.clone(), wanted.clone()));
            return Part { session_id, epoch, partitions: partitions.collect(), forgotten: Vec::new() };
        }
        let same_topic = |partition: &TopicPartition, id: TopicId| {
            wanted.get(partition).is_some_and(|wanted| wanted.topic_id == id)
        };
        let forgotten = self.known.iter().filter(|(partition, known)| !same_topic(partition, known.topic_id));
        let forgotten = forgotten.map(|(partition, known)| (partition.clone(), known.topic_id)).collect();
        let changed = wanted.iter().filter(|(partition, wanted)| self.known.get(*partition) != Some(*wanted));
        let partitions = changed.map(|(partition, wanted)| (partition.clone(), wanted.clone())).collect();
        self.known = wanted;
        Part { session_id, epoch, partitions, forgotten }
    }

    /// The name of a topic that the broker calls by its id.
    pub(super) fn name_of(&self, id: TopicId) -> Option<std::sync::Arc<str>> {
        self.known
            .iter()
            .find(|(_, known)| known.topic_id == id)
            .map(|(partition, _)| partition.topic.clone())
    }

    /// An answer came; false when its partitions must not be looked at.
    pub(super) fn answered(&mut self, code: ErrorCode, session_id: i32) -> bool {
        match code {
            ErrorCode::NONE => {
                self.id = session_id;
                self.epoch = match (session_id, self.epoch) {
                    (0, _) => 0,
                    (_, i32::MAX) => 1,
                    (_, epoch) => epoch + 1,
                };
                true
            }
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND => {
                *self = Self::default();
                false
            }
            _ => {
                self.lost();
                false
            }
        }
    }

    /// No answer came, or one that says that both sides disagree: the next request ends the session and begins another.
    pub(super) fn lost(&mut self) {
        self.epoch = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(rows: &[(i32, i64)]) -> BTreeMap<TopicPartition, Wanted> {
        let row = |(partition, offset): &(i32, i64)| {
            let wanted = Wanted {
                topic_id: TopicId::METADATA,
                offset: Offset(*offset),
                leader_epoch: LeaderEpoch(0),
                last_fetched_epoch: LeaderEpoch::NONE,
                max_bytes: 1,
            };
            (TopicPartition::new("t", *partition), wanted)
        };
        rows.iter().map(row).collect()
    }

    /// Session id, epoch, partitions sent with their offsets, partitions forgotten.
    fn build(session: &mut Session, rows: &[(i32, i64)]) -> (i32, i32, Vec<(i32, i64)>, Vec<i32>) {
        let part = session.build(wanted(rows));
        let sent = part.partitions.iter().map(|(one, wanted)| (one.partition.0, wanted.offset.0)).collect();
        let forgotten = part.forgotten.iter().map(|(one, _)| one.partition.0).collect();
        (part.session_id, part.epoch, sent, forgotten)
    }

    #[test]
    fn only_changes_travel() {
        let mut session = Session::default();
        assert_eq!(build(&mut session, &[(0, 5), (1, 6)]), (0, 0, vec![(0, 5), (1, 6)], vec![]));
        assert!(session.answered(ErrorCode::NONE, 7));
        assert_eq!(build(&mut session, &[(0, 5), (1, 9)]), (7, 1, vec![(1, 9)], vec![]));
        assert!(session.answered(ErrorCode::NONE, 7));
        assert_eq!(build(&mut session, &[(1, 9), (2, 0)]), (7, 2, vec![(2, 0)], vec![0]));
    }

    #[test]
    fn a_session_that_is_gone_begins_anew() {
        let mut session = Session::default();
        build(&mut session, &[(0, 5)]);
        session.answered(ErrorCode::NONE, 7);
        build(&mut session, &[(0, 5)]);
        assert!(!session.answered(ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
        assert_eq!(build(&mut session, &[(0, 5)]), (0, 0, vec![(0, 5)], vec![]));
        session.answered(ErrorCode::NONE, 8);
        build(&mut session, &[(0, 6)]);
        session.lost();
        assert_eq!(build(&mut session, &[(0, 6)]), (8, 0, vec![(0, 6)], vec![]), "the old one is closed");
    }

    #[test]
    fn without_a_session_everything_travels() {
        let mut session = Session::default();
        build(&mut session, &[(0, 5)]);
        session.answered(ErrorCode::NONE, 0);
        assert_eq!(build(&mut session, &[(0, 5)]), (0, 0, vec![(0, 5)], vec![]));
    }
}
