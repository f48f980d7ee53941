//! What the metadata log says, with a transaction that may still be open.
//!
//! Records between `BeginTransaction` and `EndTransaction` are replayed at once, so that the controller sees them, but are
//! published only at the end; `AbortTransaction` undoes them (KIP-868).

use std::sync::Arc;

use base::ids::{NodeId, Offset};
use imbl::OrdMap;
use machine::{Hard, Stamp};
use protocol::metadata_record::MetadataRecord;

use crate::image::{Image, ReplayError};

/// The hard state of the controller. Cloning is O(1).
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    image: Image,
    /// The image at the begin of the open transaction, and that record's offset.
    transaction: Option<(Arc<Image>, Offset)>,
    /// Where each broker's last registration stands. A broker has caught up with itself once it has seen that offset.
    registrations: OrdMap<NodeId, Offset>,
}

impl State {
    /// A state that starts with this image.
    pub fn new(image: Image) -> Self {
        Self { image, transaction: None, registrations: OrdMap::new() }
    }

    /// The image with everything replayed, an open transaction included: what decisions look at.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The image that may be shown: without an open transaction.
    pub fn published(&self) -> &Image {
        self.transaction.as_ref().map_or(&self.image, |(before, _)| before)
    }

    /// Where the open metadata transaction begins.
    pub fn open_transaction(&self) -> Option<Offset> {
        self.transaction.as_ref().map(|(_, offset)| *offset)
    }

    /// Where the broker's registration stands in the log; its epoch when it was loaded from a snapshot.
    pub fn registration_offset(&self, broker: NodeId) -> Option<Offset> {
        let known = self.registrations.get(&broker).copied();
        known.or_else(|| self.image.broker(broker).map(|broker| Offset(broker.epoch.0)))
    }

    /// The level of `kraft.version` is a control record of the quorum, so the node says it.
    pub fn set_kraft_version(&mut self, level: i16) {
        self.image.kraft_version = level;
    }
}

impl Hard for State {
    type Record = MetadataRecord;
    type Error = ReplayError;

    fn replay(&mut self, stamp: Stamp, record: &MetadataRecord) -> Result<(), ReplayError> {
        let refuse = |reason: &str| Err(ReplayError { stamp, reason: reason.to_owned() });
        match record {
            MetadataRecord::BeginTransaction(_) if self.transaction.is_some() => {
                return refuse("a metadata transaction begins inside another");
            }
            MetadataRecord::BeginTransaction(_) => {
                self.transaction = Some((Arc::new(self.image.clone()), stamp.offset));
            }
            MetadataRecord::EndTransaction(_) if self.transaction.take().is_none() => {
                return refuse("a metadata transaction ends that never began");
            }
            MetadataRecord::AbortTransaction(_) => match self.transaction.take() {
                Some((before, _)) => self.image = before.as_ref().clone(),
                None => return refuse("a metadata transaction aborts that never began"),
            },
            MetadataRecord::RegisterBroker(record) => {
                self.registrations.insert(NodeId(record.broker_id), stamp.offset);
            }
            MetadataRecord::UnregisterBroker(record) => {
                self.registrations.remove(&NodeId(record.broker_id));
            }
            _ => {}
        }
        self.image.replay(stamp, record)
    }
}
