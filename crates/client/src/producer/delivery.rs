//! What `send` gives back: a future that knows where the record went.
//!
//! All records of a batch share one [`Outcome`]; a delivery is that and the record's place in the batch. The outcome of a
//! batch that was halved is that of its halves, and deliveries move on to the half in which their record is.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use base::ids::Offset;

use crate::error::Result;
use crate::record::{RecordMetadata, TopicPartition};

/// Ready when the record is delivered or lost. May be dropped: the record is sent all the same.
#[derive(Debug)]
pub struct Delivery {
    outcome: Arc<Outcome>,
    partition: TopicPartition,
    /// The record's place in its batch.
    place: i32,
    timestamp: i64,
    waker: Option<usize>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    state: Mutex<State>,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The offset of its first record; [`Offset::NONE`] when unknown.
    pub(crate) base_offset: Offset,
    /// The time that the broker gave to all records, when the topic wants that.
    pub(crate) log_append_time: Option<i64>,
}

#[derive(Debug, Default)]
struct State {
    result: Option<Result<Placed>>,
    /// The batch was halved: where the second half begins, and the outcomes of both.
    halves: Option<(i32, [Arc<Outcome>; 2])>,
    wakers: Vec<Waker>,
}

impl Outcome {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether that was said, or is said elsewhere.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.state();
        state.result.is_some() || state.halves.is_some()
    }

    /// Says that the batch's records have two other outcomes from now on.
    pub(crate) fn split(&self, middle: i32, halves: [Arc<Self>; 2]) {
        let wakers = {
            let mut state = self.state();
            state.halves = Some((middle, halves));
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Says what became of it and wakes all who wait.
    ///
    /// # Panics
    /// When it was said before.
    pub(crate) fn complete(&self, result: Result<Placed>) {
        let wakers = {
            let mut state = self.state();
            assert!(state.result.is_none(), "a batch has one outcome");
            state.result = Some(result);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits for the outcome, good or bad, of the batch or of its first half.
    pub(crate) async fn wait(self: Arc<Self>) {
        let partition = TopicPartition::new("", 0);
        let _ = Delivery::new(self, partition, 0, 0).await;
    }
}

impl Delivery {
    pub(crate) fn new(outcome: Arc<Outcome>, partition: TopicPartition, place: i32, timestamp: i64) -> Self {
        Self { outcome, partition, place, timestamp, waker: None }
    }

    /// Where the record goes, known before it is delivered.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition
    }
}

/// What one record of a batch reports.
pub(crate) fn metadata_of(
    placed: Result<Placed>,
    partition: &TopicPartition,
    place: i32,
    timestamp: i64,
) -> Result<RecordMetadata> {
    placed.map(|placed| RecordMetadata {
        partition: partition.clone(),
        offset: match placed.base_offset {
            Offset::NONE => Offset::NONE,
            base => base.plus(place.into()),
        },
        timestamp: placed.log_append_time.unwrap_or(timestamp),
    })
}

impl Future for Delivery {
    type Output = Result<RecordMetadata>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let outcome = self.outcome.clone();
            let mut state = outcome.state();
            if let Some((middle, [first, second])) = &state.halves {
                let (half, before) = if self.place < *middle { (first, 0) } else { (second, *middle) };
                (self.outcome, self.waker) = (half.clone(), None);
                self.place -= before;
                continue;
            }
            if let Some(result) = &state.result {
                let result = result.clone();
                return Poll::Ready(metadata_of(result, &self.partition, self.place, self.timestamp));
            }
            match self.waker {
                Some(slot) => state.wakers[slot].clone_from(context.waker()),
                None => {
                    self.waker = Some(state.wakers.len());
                    state.wakers.push(context.waker().clone());
                }
            }
            return Poll::Pending;
        }
    }
}
