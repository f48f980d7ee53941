//! One machine on one partition: replay at append, replies parked until the high watermark, restore on failed append.
//!
//! ```text
//!  committed state            state now
//!        │ high watermark         │ next offset
//!  ──────▼───────────┬────────┬───▼──
//!   replied, gone    │ write  │ write     each write keeps the state before it and the replies behind it
//!                    └────────┴────
//! ```
//! Invariants: the writes are sorted by end offset and none ends at or below the high watermark; the committed state is
//! the state before the first write; a reply never overtakes one that was decided earlier; nothing that carries another
//! epoch than the current one has any effect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::ids::{LeaderEpoch, Offset};
use base::time::{MonoTime, Now};

use crate::contract::{Decision, Hard, Soft, Stamp, TimerChange, View};

#[cfg(test)]
mod tests;

/// Names one verb of a caller, who gets it back with the reply.
pub type Ticket = u64;

/// Why a verb has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This node does not lead the partition, or stopped leading it before the verb was committed.
    NotLeader,
    /// The write failed, or one before it that it was decided on. Nothing of it will be seen.
    AppendFailed,
}

/// What the shard wants done, in this order.
pub enum Output<S: Soft> {
    /// Append these records as one batch. The answer is [`Shard::append_failed`], or the high watermark reaching `end`.
    Append {
        /// The epoch to write under.
        epoch: LeaderEpoch,
        /// The offset that the first record must get.
        base: Offset,
        /// What to write; never empty.
        records: Vec<<S::Hard as Hard>::Record>,
    },
    /// A decision was committed: let this happen.
    Effect(S::Effect),
    /// Answer a verb.
    Reply(Ticket, Result<S::Reply, Failure>),
}

/// The runtime of one machine.
pub struct Shard<S: Soft> {
    soft: S,
    hard: S::Hard,
    /// The epoch in which this node leads; `None` while it does not.
    leading: Option<LeaderEpoch>,
    next_offset: Offset,
    high_watermark: Offset,
    writes: VecDeque<Write<S>>,
    timers: Timers<S::Timer>,
}

/// A write that is not committed yet.
struct Write<S: Soft> {
    base: Offset,
    /// One past its last record.
    end: Offset,
    /// The state that it was decided on.
    before: S::Hard,
    /// What waits for it, in the order of the decisions.
    parked: Vec<Parked<S>>,
}

struct Parked<S: Soft> {
    ticket: Option<Ticket>,
    reply: Option<S::Reply>,
    effects: Vec<S::Effect>,
}

struct Timers<T> {
    due: BTreeSet<(MonoTime, T)>,
    armed: BTreeMap<T, MonoTime>,
}

impl<S: Soft> Shard<S> {
    /// A shard that does not lead and has replayed nothing.
    pub fn new(hard: S::Hard, soft: S) -> Self {
        Self {
            soft,
            hard,
            leading: None,
            next_offset: Offset::ZERO,
            high_watermark: Offset::ZERO,
            writes: VecDeque::new(),
            timers: Timers { due: BTreeSet::new(), armed: BTreeMap::new() },
        }
    }

    /// The state with everything that was written.
    pub fn hard(&self) -> &S::Hard {
        &self.hard
    }

    /// The state at the high watermark: what reads answer with.
    pub fn committed(&self) -> &S::Hard {
        self.writes.front().map_or(&self.hard, |write| &write.before)
    }

    /// The state that dies with the leader.
    pub fn soft(&self) -> &S {
        &self.soft
    }

    /// The epoch in which this node leads.
    pub fn leading(&self) -> Option<LeaderEpoch> {
        self.leading
    }

    /// One past the last record that was written.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The high watermark.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// How many writes are not committed yet.
    pub fn uncommitted(&self) -> usize {
        self.writes.len()
    }

    /// Replaces the state by a loaded one: `committed` up to the high watermark, `hard` up to the log's end.
    ///
    /// # Panics
    /// When this node leads: a leader's state comes from its own writes.
    pub fn load(&mut self, committed: S::Hard, high_watermark: Offset, hard: S::Hard, next_offset: Offset) {
        assert!(self.leading.is_none(), "a leader's state comes from its own writes");
        assert!(high_watermark <= next_offset, "the high watermark is inside the log");
        self.writes.clear();
        if high_watermark < next_offset {
            let write =
                Write { base: high_watermark, end: next_offset, before: committed, parked: Vec::new() };
            self.writes.push_back(write);
        }
        self.hard = hard;
        self.high_watermark = high_watermark;
        self.next_offset = next_offset;
    }

    /// This node leads in `epoch`, and the log ends at `next_offset`.
    pub fn elected(&mut self, epoch: LeaderEpoch, next_offset: Offset, now: Now, out: &mut Vec<Output<S>>) {
        assert!(self.leading.is_none_or(|leading| leading < epoch), "epochs only grow");
        assert!(self.next_offset <= next_offset, "the whole log was loaded");
        self.leading = Some(epoch);
        self.next_offset = next_offset;
        let (soft, view) = self.split(epoch);
        let decision = soft.elected(view, now);
        self.apply(epoch, None, decision, out);
    }

    /// This node does not lead any more: whoever waits is told so, and the state goes back to the committed one.
    pub fn resigned(&mut self, out: &mut Vec<Output<S>>) {
        if self.leading.take().is_none() {
            return;
        }
        self.hard = self.committed().clone();
        self.next_offset = self.high_watermark;
        self.timers.clear();
        for write in std::mem::take(&mut self.writes) {
            write.fail(Failure::NotLeader, out);
        }
        self.soft.resigned();
    }

    /// Lets the machine decide on a verb.
    pub fn submit(&mut self, ticket: Ticket, verb: S::Verb, now: Now, out: &mut Vec<Output<S>>) {
        let Some(epoch) = self.leading else {
            return out.push(Output::Reply(ticket, Err(Failure::NotLeader)));
        };
        let (soft, view) = self.split(epoch);
        let decision = soft.decide(view, now, verb);
        self.apply(epoch, Some(ticket), decision, out);
    }

    /// Something that is no record of this machine was appended: its records go on at `next_offset`.
    pub fn skip_to(&mut self, next_offset: Offset) {
        assert!(self.next_offset <= next_offset, "the log only grows");
        self.next_offset = next_offset;
    }

    /// The append of the batch at `base` failed: it and everything decided after it never happened.
    pub fn append_failed(&mut self, epoch: LeaderEpoch, base: Offset, out: &mut Vec<Output<S>>) {
        if self.leading != Some(epoch) {
            return;
        }
        let Some(first) = self.writes.iter().position(|write| write.base >= base) else { return };
        let lost = self.writes.split_off(first);
        self.hard = lost[0].before.clone();
        self.next_offset = lost[0].base;
        for write in lost {
            write.fail(Failure::AppendFailed, out);
        }
        let (soft, view) = self.split(epoch);
        soft.restored(view);
    }

    /// Everything below `offset` is committed. A value below the one known is ignored: a high watermark never falls.
    pub fn committed_to(&mut self, epoch: LeaderEpoch, offset: Offset, out: &mut Vec<Output<S>>) {
        if self.leading != Some(epoch) || offset <= self.high_watermark {
            return;
        }
        self.high_watermark = offset;
        while let Some(write) = self.writes.pop_front_if(|write| write.end <= offset) {
            for parked in write.parked {
                parked.release(out);
            }
        }
    }

    /// When [`Shard::tick`] has something to do next.
    pub fn next_timeout(&self) -> Option<MonoTime> {
        self.timers.due.first().map(|(at, _)| *at)
    }

    /// Lets the machine decide on every timer that is due.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Output<S>>) {
        while let Some(epoch) = self.leading
            && let Some(timer) = self.timers.pop_due(now.mono)
        {
            let (soft, view) = self.split(epoch);
            let decision = soft.timer(view, now, timer);
            self.apply(epoch, None, decision, out);
        }
    }

    fn split(&mut self, epoch: LeaderEpoch) -> (&mut S, View<'_, S::Hard>) {
        let view = View {
            hard: &self.hard,
            committed: self.writes.front().map_or(&self.hard, |write| &write.before),
            epoch,
            next_offset: self.next_offset,
            high_watermark: self.high_watermark,
        };
        (&mut self.soft, view)
    }

    fn apply(
        &mut self,
        epoch: LeaderEpoch,
        ticket: Option<Ticket>,
        decision: Decision<S>,
        out: &mut Vec<Output<S>>,
    ) {
        for change in decision.timers {
            self.timers.change(change);
        }
        if !decision.records.is_empty() {
            self.write(epoch, decision.records, out);
        }
        let parked = Parked { ticket, reply: decision.reply, effects: decision.effects };
        match self.writes.back_mut() {
            Some(write) => write.parked.push(parked),
            None => parked.release(out),
        }
    }

    /// Replays what is about to be appended, so that the next decision sees it.
    fn write(
        &mut self,
        epoch: LeaderEpoch,
        records: Vec<<S::Hard as Hard>::Record>,
        out: &mut Vec<Output<S>>,
    ) {
        let before = self.hard.clone();
        let base = self.next_offset;
        for record in &records {
            let stamp = Stamp::new(self.next_offset, epoch);
            // A decision that its own state refuses would be refused by every replica and at every restart.
            self.hard.replay(stamp, record).expect("a decision's records can be replayed");
            self.next_offset = self.next_offset.next();
        }
        self.writes.push_back(Write { base, end: self.next_offset, before, parked: Vec::new() });
        out.push(Output::Append { epoch, base, records });
    }
}

impl<S: Soft> Write<S> {
    fn fail(self, failure: Failure, out: &mut Vec<Output<S>>) {
        // Effects of what never happened do not happen.
        let tickets = self.parked.into_iter().filter_map(|parked| parked.ticket);
        out.extend(tickets.map(|ticket| Output::Reply(ticket, Err(failure))));
    }
}

impl<S: Soft> Parked<S> {
    fn release(self, out: &mut Vec<Output<S>>) {
        out.extend(self.effects.into_iter().map(Output::Effect));
        if let (Some(ticket), Some(reply)) = (self.ticket, self.reply) {
            out.push(Output::Reply(ticket, Ok(reply)));
        }
    }
}

impl<T: Ord + Clone> Timers<T> {
    fn change(&mut self, change: TimerChange<T>) {
        let (TimerChange::Arm(timer, _) | TimerChange::Cancel(timer)) = &change;
        if let Some(at) = self.armed.remove(timer) {
            self.due.remove(&(at, timer.clone()));
        }
        if let TimerChange::Arm(timer, at) = change {
            self.due.insert((at, timer.clone()));
            self.armed.insert(timer, at);
        }
    }

    fn pop_due(&mut self, now: MonoTime) -> Option<T> {
        if self.due.first()?.0 > now {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        self.armed.remove(&timer);
        Some(timer)
    }

    fn clear(&mut self) {
        self.due.clear();
        self.armed.clear();
    }
}
