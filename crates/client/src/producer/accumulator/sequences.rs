//! Who writes to a partition, and which sequences are out: given to batches whose fate may still be unknown.
//!
//! ```text
//!           oldest whose fate is unknown      newest
//!     out [ open, delivered, delivered, open ] ◄── next
//! ```
//! Invariants: `out` begins with an open batch; a new one enters only while `out` is shorter than what a broker remembers
//! of a producer. So a broker recognises whatever is sent again, and when it calls the oldest out of order, something is
//! missing before that one.

use std::collections::VecDeque;

use base::ids::Sequence;

use super::next_epoch;
use crate::producer::batch::{Batch, Identity, Number};

/// Batches of each producer that a broker remembers in a partition, to recognise them when they come again (KIP-98).
const REMEMBERED: usize = 5;

#[derive(Debug)]
pub(super) struct Sequences {
    /// Who writes to this partition.
    identity: Option<Identity>,
    next: Sequence,
    /// Batches from the oldest open one on, in the order of their sequences, and whether they are open.
    out: VecDeque<(Number, bool)>,
    /// The newest batch of this identity that was delivered, and its last sequence.
    delivered: Option<(Number, Sequence)>,
    /// A batch is lost: whether the broker has it is unknown, and so is the sequence that it expects, until the batches
    /// behind it are done.
    unresolved: bool,
    /// Sequences start again under the next epoch as soon as nothing is in flight.
    bumping: bool,
}

impl Sequences {
    pub(super) fn new() -> Self {
        Self {
            identity: None,
            next: Sequence(0),
            out: VecDeque::new(),
            delivered: None,
            unresolved: false,
            bumping: false,
        }
    }

    pub(super) fn bumping(&self) -> bool {
        self.bumping
    }

    /// Whether a new batch may follow those that are out. Behind the first one of an identity none may: a broker that does
    /// not know a producer lets it begin with any sequence, so the second would be taken without the first.
    pub(super) fn may_go_on(&self) -> bool {
        let known = self.delivered.is_some() && !self.unresolved;
        self.out.is_empty() || known && self.out.len() < REMEMBERED
    }

    /// Makes sure that there is a producer id, of `free` if there is none; false when that is missing too. `sent_before`
    /// are the batches that have a sequence, all of them: a new epoch numbers them anew.
    pub(super) fn identified<'a>(
        &mut self,
        free: &mut Option<Identity>,
        sent_before: impl Iterator<Item = &'a mut Batch>,
    ) -> bool {
        if self.bumping {
            let Some(current) = *free else { return false };
            *free = next_epoch(current);
            let Some(next) = *free else { return false };
            *self = Self { identity: Some(next), ..Self::new() };
            sent_before.for_each(|batch| self.give(batch));
        } else if self.identity.is_none() {
            self.identity = *free;
        }
        self.identity.is_some()
    }

    /// Gives the batch the next sequences. Without a producer id it needs none.
    pub(super) fn give(&mut self, batch: &mut Batch) {
        let Some(identity) = self.identity else { return };
        batch.stamp(identity, self.next);
        self.next = self.next.advanced(batch.record_count());
        self.out.push_back((batch.number, true));
    }

    /// The broker has the batch.
    pub(super) fn deliver(&mut self, batch: &Batch) {
        let Some(place) = self.place(batch.number) else { return };
        self.out[place].1 = false;
        let (_, first) = batch.stamped.expect("it is out, so it has a sequence");
        if self.delivered.is_none_or(|(newest, _)| newest < batch.number) {
            self.delivered = Some((batch.number, first.advanced(batch.record_count() - 1)));
        }
        self.settle();
    }

    /// The batch is given up; perhaps the broker has it.
    pub(super) fn lose(&mut self, number: Number) {
        let Some(place) = self.place(number) else { return };
        self.out.remove(place);
        self.unresolved = true;
        self.settle();
    }

    /// Two stand in the place of one, with its sequences.
    pub(super) fn halve(&mut self, whole: Number, halves: [Number; 2]) {
        let Some(place) = self.place(whole) else { return };
        self.out[place].0 = halves[0];
        self.out.insert(place + 1, (halves[1], true));
    }

    /// The broker calls this batch out of order. When nothing before it can fill the gap, a new epoch closes it; gives
    /// whether that begins now. When something behind it was delivered, there is no gap: the broker had this one, and does
    /// not remember.
    pub(super) fn bump_epoch_for(&mut self, batch: &Batch) -> bool {
        let oldest = self.out.front().is_some_and(|(number, _)| *number == batch.number);
        let passed = self.delivered.is_some_and(|(newest, _)| newest > batch.number);
        let begins = oldest && !passed && !self.bumping;
        self.bumping |= begins;
        begins
    }

    fn place(&self, number: Number) -> Option<usize> {
        self.out.iter().position(|(other, _)| *other == number)
    }

    fn settle(&mut self) {
        while self.out.front().is_some_and(|(_, open)| !open) {
            self.out.pop_front();
        }
        if self.out.is_empty() && self.unresolved {
            self.unresolved = false;
            // The newest of all was delivered: the broker has what was lost, too.
            self.bumping |= self.delivered.is_none_or(|(_, last)| last.advanced(1) != self.next);
        }
    }
}
