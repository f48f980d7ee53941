//! When each broker was last heard, and how far it has read the metadata log. Dies with the controller's leadership.

use std::collections::BTreeMap;

use base::ids::{BrokerEpoch, NodeId, Offset};
use base::time::{MonoTime, Now};

/// The sessions of all brokers that were heard, or are waited for.
#[derive(Debug)]
pub(crate) struct Sessions {
    timeout_ms: i64,
    now: MonoTime,
    /// Until when the broker of this id and epoch counts as alive.
    valid: BTreeMap<(NodeId, BrokerEpoch), MonoTime>,
    brokers: BTreeMap<NodeId, Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    /// Neither fenced nor shutting down.
    active: bool,
    /// How far it has read; negative before it said.
    metadata_offset: Offset,
    /// The offset that all active brokers must have read before this one may stop.
    controlled_shutdown_offset: Offset,
}

const UNHEARD: Heard =
    Heard { active: false, metadata_offset: Offset::NONE, controlled_shutdown_offset: Offset::NONE };

impl Sessions {
    pub(crate) fn new(timeout_ms: i64) -> Self {
        Self { timeout_ms, now: MonoTime(0), valid: BTreeMap::new(), brokers: BTreeMap::new() }
    }

    /// What the time is for everything that follows.
    pub(crate) fn set_now(&mut self, now: Now) {
        self.now = now.mono;
    }

    /// The broker was heard, or is given a whole session to be heard; gives the end of its session.
    pub(crate) fn hear(&mut self, id: NodeId, epoch: BrokerEpoch) -> MonoTime {
        let until = self.now.plus_ms(self.timeout_ms);
        self.valid.retain(|(other, other_epoch), _| *other != id || *other_epoch == epoch);
        self.valid.insert((id, epoch), until);
        until
    }

    /// Whether this incarnation of the broker counts as alive.
    pub(crate) fn is_valid(&self, id: NodeId, epoch: BrokerEpoch) -> bool {
        self.valid.get(&(id, epoch)).is_some_and(|until| *until > self.now)
    }

    /// Notes what a heartbeat said and led to.
    pub(crate) fn touch(&mut self, id: NodeId, fenced: bool, shutting_down: bool, metadata_offset: Offset) {
        let heard = self.brokers.entry(id).or_insert(UNHEARD);
        heard.active = !fenced && !shutting_down;
        heard.metadata_offset = metadata_offset;
        if !shutting_down {
            heard.controlled_shutdown_offset = Offset::NONE;
        }
    }

    /// The broker may stop once every active broker has read this offset.
    pub(crate) fn set_controlled_shutdown_offset(&mut self, id: NodeId, offset: Offset) {
        let heard = self.brokers.entry(id).or_insert(UNHEARD);
        heard.controlled_shutdown_offset = heard.controlled_shutdown_offset.max(offset);
    }

    /// Whether every active broker has read the offset at which this one gave its leaderships away.
    pub(crate) fn others_have_seen_shutdown(&self, id: NodeId) -> bool {
        let Some(stopping) = self.brokers.get(&id) else { return true };
        let active = self.brokers.values().filter(|heard| heard.active);
        active
            .map(|heard| heard.metadata_offset)
            .min()
            .is_none_or(|low| stopping.controlled_shutdown_offset <= low)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.valid.clear();
        self.brokers.clear();
    }
}
