//! The promises of a node, each watched by a check of its own.
//!
//! A check sees every event and keeps what it needs; it never asks the node. Invariant: what a check calls broken is
//! broken for a client or an operator, whatever the node's code looks like.

mod acked_survives;
mod always_starts;
mod everybody_served;
mod fetch_below_high_watermark;
mod high_watermark;
mod metadata_survives;
mod never_doubled;
mod producer_ids;
mod refusals;
mod reply_order;
mod synced_survives;
mod valid_prefix;

use std::fmt;

use crate::event::Event;
use crate::ledger::Ledger;

/// One promise.
pub trait Check {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Looks at what happened.
    ///
    /// # Errors
    /// The promise was broken; the text says how.
    fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), String>;
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// How.
    pub what: String,
}

/// All checks of a run.
pub struct Checks(Vec<Box<dyn Check>>);

impl Checks {
    /// Fresh ones. `durable`: every topic has `flush.messages=1`.
    pub fn new(durable: bool) -> Self {
        Self(vec![
            Box::new(acked_survives::AckedSurvives::new(durable)),
            Box::new(valid_prefix::ValidPrefix::default()),
            Box::new(synced_survives::SyncedSurvives::default()),
            Box::new(never_doubled::NeverDoubled::default()),
            Box::new(high_watermark::HighWatermark::default()),
            Box::new(fetch_below_high_watermark::FetchBelowHighWatermark::default()),
            Box::new(metadata_survives::MetadataSurvives::default()),
            Box::new(producer_ids::ProducerIds::default()),
            Box::new(reply_order::ReplyOrder::default()),
            Box::new(refusals::Refusals::new(durable)),
            Box::new(always_starts::AlwaysStarts),
            Box::new(everybody_served::EverybodyServed),
        ])
    }

    /// Shows an event to all of them.
    ///
    /// # Errors
    /// The first promise that was broken.
    pub fn on(&mut self, event: &Event, ledger: &Ledger) -> Result<(), Violation> {
        for check in &mut self.0 {
            check.on(event, ledger).map_err(|what| Violation { check: check.name(), what })?;
        }
        Ok(())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}
