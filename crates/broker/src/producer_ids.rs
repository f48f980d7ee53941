//! Producer ids, handed out one by one from blocks that the controller allocates.
//!
//! Invariant: an id is handed out once; those who come while a block is on its way wait for it in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::error_code::ErrorCode;
use base::ids::{BrokerEpoch, NodeId, ProducerId};

use crate::controller::{ControllerHandle, ProducerIdBlock};

type Taker = Box<dyn FnOnce(Result<ProducerId, ErrorCode>) + Send>;

/// A broker's supply.
#[derive(Clone)]
pub struct ProducerIds {
    node: NodeId,
    controller: Arc<ControllerHandle>,
    supply: Arc<Mutex<Supply>>,
}

#[derive(Default)]
struct Supply {
    block: Option<ProducerIdBlock>,
    takers: VecDeque<Taker>,
    asked: bool,
    /// The broker's epoch, by which the controller knows that this incarnation asks.
    epoch: BrokerEpoch,
}

impl ProducerIds {
    /// No block yet: the first taker makes it ask.
    pub fn new(node: NodeId, controller: Arc<ControllerHandle>) -> Self {
        Self { node, controller, supply: Arc::default() }
    }

    /// The broker was registered.
    pub fn set_epoch(&self, epoch: BrokerEpoch) {
        supply(&self.supply).epoch = epoch;
    }

    /// The broker's epoch, once it is registered.
    pub(crate) fn epoch(&self) -> BrokerEpoch {
        supply(&self.supply).epoch
    }

    /// Calls `taker` with an id, at once or when the controller has answered.
    pub fn take(&self, taker: Taker) {
        let ask = {
            let mut supply = supply(&self.supply);
            supply.takers.push_back(taker);
            !std::mem::replace(&mut supply.asked, true)
        };
        if ask {
            self.serve();
        }
    }

    /// Serves takers until there are none or the block is empty; then another one is asked for.
    fn serve(&self) {
        loop {
            let (taker, id) = {
                let mut supply = supply(&self.supply);
                if supply.takers.is_empty() {
                    supply.asked = false;
                    return;
                }
                let Some(id) = supply.next() else { break };
                (supply.takers.pop_front().expect("it is not empty"), id)
            };
            taker(Ok(id));
        }
        let again = self.clone();
        let epoch = supply(&self.supply).epoch;
        self.controller.allocate_producer_ids(
            self.node,
            epoch,
            Box::new(move |answer| again.on_block(answer)),
        );
    }

    fn on_block(&self, answer: Result<ProducerIdBlock, ErrorCode>) {
        match answer {
            Ok(block) => {
                supply(&self.supply).block = Some(block);
                self.serve();
            }
            Err(code) => {
                let takers = {
                    let mut supply = supply(&self.supply);
                    supply.asked = false;
                    std::mem::take(&mut supply.takers)
                };
                for taker in takers {
                    taker(Err(code));
                }
            }
        }
    }
}

impl Supply {
    fn next(&mut self) -> Option<ProducerId> {
        let block = self.block.as_mut()?;
        if block.length == 0 {
            return None;
        }
        let id = block.first;
        block.first = ProducerId(id.0 + 1);
        block.length -= 1;
        Some(id)
    }
}

fn supply(supply: &Mutex<Supply>) -> MutexGuard<'_, Supply> {
    supply.lock().unwrap_or_else(PoisonError::into_inner)
}
