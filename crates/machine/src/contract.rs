//! What a machine is: state that records change, and decisions that make records.

use base::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use base::time::{MonoTime, Now};

/// Where a replayed record stands, and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The record's offset.
    pub offset: Offset,
    /// The epoch of the leader that wrote it.
    pub epoch: LeaderEpoch,
    /// The producer of a transactional record; [`ProducerId::NONE`] for all others.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: ProducerEpoch,
}

impl Stamp {
    /// The stamp of a record without a producer.
    pub fn new(offset: Offset, epoch: LeaderEpoch) -> Self {
        Self { offset, epoch, producer_id: ProducerId::NONE, producer_epoch: ProducerEpoch::NONE }
    }
}

/// State that survives its leader: the same log gives the same state on every node.
///
/// `Clone` must cost O(1) (persistent maps), because the runtime keeps the state before every write that is not
/// committed yet. There is no clock, configuration or metadata image in it.
pub trait Hard: Clone {
    /// What the log holds.
    type Record;
    /// Why a record cannot be replayed. For the runtime that is a broken invariant of the log.
    type Error: std::fmt::Debug;

    /// Applies one record. The only way in which this state changes.
    ///
    /// # Errors
    /// When the record contradicts the state or is not known. The state must not be used any more then.
    fn replay(&mut self, stamp: Stamp, record: &Self::Record) -> Result<(), Self::Error>;
}

/// State that may die with its leader, and the decisions, which may change it.
pub trait Soft: Sized {
    /// The state that records change.
    type Hard: Hard;
    /// What can be asked for.
    type Verb;
    /// What is answered.
    type Reply;
    /// What is to happen elsewhere once the decision is committed.
    type Effect;
    /// Names one timer; arming it again replaces it.
    type Timer: Ord + Clone;

    /// Decides what the verb does: which records to write, and the reply that waits for them.
    fn decide(&mut self, view: View<'_, Self::Hard>, now: Now, verb: Self::Verb) -> Decision<Self>;

    /// Starts anew on a loaded state: this node leads from now on. Nobody waits for the decision's reply.
    fn elected(&mut self, view: View<'_, Self::Hard>, now: Now) -> Decision<Self>;

    /// Forgets everything: this node no longer leads.
    fn resigned(&mut self);

    /// Writes failed and `view` is the state before them: soft state that was built on them has to go.
    fn restored(&mut self, view: View<'_, Self::Hard>);

    /// A timer that was armed is due, and armed no more. Nobody waits for the decision's reply.
    fn timer(&mut self, view: View<'_, Self::Hard>, now: Now, timer: Self::Timer) -> Decision<Self>;
}

/// What a decision may look at.
#[derive(Debug)]
pub struct View<'a, H> {
    /// The state with every record that was written, committed or not.
    pub hard: &'a H,
    /// The state at the high watermark.
    pub committed: &'a H,
    /// The epoch in which this node leads.
    pub epoch: LeaderEpoch,
    /// The offset that the decision's first record will get.
    pub next_offset: Offset,
    /// The high watermark: everything below is committed.
    pub high_watermark: Offset,
}

/// What a verb leads to.
pub struct Decision<S: Soft> {
    /// Records to write, as one batch: all of them become visible, or none.
    pub records: Vec<<S::Hard as Hard>::Record>,
    /// The answer. It leaves when everything that was written up to now, these records included, is committed. `None`
    /// when the machine has parked the verb and will answer it by an effect.
    pub reply: Option<S::Reply>,
    /// Timers to arm or cancel, at once.
    pub timers: Vec<TimerChange<S::Timer>>,
    /// What is to happen elsewhere, after the commit and before the reply.
    pub effects: Vec<S::Effect>,
}

/// A change of one timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerChange<T> {
    /// It is due at this moment; an earlier arming of the same timer is forgotten.
    Arm(T, MonoTime),
    /// It is not due any more.
    Cancel(T),
}

impl<S: Soft> Decision<S> {
    /// Nothing happens and nobody is answered.
    pub fn nothing() -> Self {
        Self { records: Vec::new(), reply: None, timers: Vec::new(), effects: Vec::new() }
    }

    /// Only an answer.
    pub fn reply(reply: S::Reply) -> Self {
        Self { reply: Some(reply), ..Self::nothing() }
    }

    /// Records and an answer that waits for them.
    pub fn write(records: Vec<<S::Hard as Hard>::Record>, reply: S::Reply) -> Self {
        Self { records, ..Self::reply(reply) }
    }
}
