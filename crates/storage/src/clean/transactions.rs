//! What compaction knows of transactions on its way through a log.
//!
//! ```text
//! [p1 data] [p2 data] [p1 abort] [p2 commit]
//!     |         |          |          └ kept while there is data of p2's transaction
//!     |         |          └ its entry in the transaction index is kept while there was data on this way
//!     |         └ kept record by record, as any other
//!     └ dropped: the transaction index names it
//! ```
//! A marker without data gets a delete horizon and goes when that is over.

use std::collections::{HashMap, HashSet, VecDeque};

use base::ids::{Offset, ProducerId};
use wire::batch::Batch;

use crate::index::AbortedTransaction;

/// The transactions that are open at a place of the log.
#[derive(Default)]
pub(crate) struct CleanedTransactions {
    /// Aborted ones that begin later, by first offset.
    upcoming: VecDeque<AbortedTransaction>,
    /// Aborted ones that are open here, with whether data of them was seen.
    aborted: HashMap<ProducerId, (AbortedTransaction, bool)>,
    /// Producers with data of a transaction that will be committed.
    committed: HashSet<ProducerId>,
}

/// What may happen to a control batch.
pub(crate) struct MarkerFate {
    /// There is nothing left of its transaction.
    pub(crate) discardable: bool,
    /// What the transaction index must go on saying.
    pub(crate) retained: Option<AbortedTransaction>,
}

impl CleanedTransactions {
    /// Before the first batch; `aborted` are all aborted transactions that have records from there on.
    pub(crate) fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_by_key(|transaction| transaction.first_offset);
        Self { upcoming: aborted.into(), ..Self::default() }
    }

    /// Notes a batch of records; whether they are of an aborted transaction.
    pub(crate) fn on_data(&mut self, batch: &Batch<'_>) -> bool {
        self.open_up_to(batch.last_offset());
        if !batch.attributes().is_transactional() {
            return false;
        }
        match self.aborted.get_mut(&batch.producer_id()) {
            Some((_, seen)) => {
                *seen = true;
                true
            }
            None => {
                self.committed.insert(batch.producer_id());
                false
            }
        }
    }

    /// Notes a control batch; `committed` is what its marker says, `None` if it is no marker.
    pub(crate) fn on_control(&mut self, batch: &Batch<'_>, committed: Option<bool>) -> MarkerFate {
        self.open_up_to(batch.last_offset());
        let producer = batch.producer_id();
        let (discardable, retained) = match committed {
            // Emptied before.
            None => (batch.record_count() == 0, None),
            Some(true) => (!self.committed.remove(&producer), None),
            Some(false) => match self.aborted.remove(&producer) {
                Some((transaction, true)) => (false, Some(transaction)),
                _ => (true, None),
            },
        };
        MarkerFate { discardable, retained }
    }

    fn open_up_to(&mut self, offset: Offset) {
        while let Some(next) = self.upcoming.front()
            && next.first_offset <= offset
        {
            let transaction = self.upcoming.pop_front().expect("there is a front");
            self.aborted.entry(transaction.producer_id).or_insert((transaction, false));
        }
    }
}
