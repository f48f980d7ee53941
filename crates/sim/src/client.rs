//! Simulated clients: each is a value that does one step when the scheduler says so, in real request bytes.
//!
//! Invariant: a client that is not a vandal does nothing that Kafka's own clients would not do, so whatever it is refused
//! needs a reason.

pub mod admin;
pub mod consumer;
pub mod link;
pub mod producer;
pub mod topics;
pub mod vandal;

use base::time::{MonoTime, Now};

use crate::event::Event;
use crate::ledger::{Ledger, Place};
use crate::network::Network;
use crate::random::Random;

/// What a client may use in a step.
pub struct Io<'a> {
    /// The time.
    pub now: Now,
    /// Chance.
    pub random: &'a mut Random,
    /// The way to the node.
    pub network: &'a mut Network,
    /// What all clients asked for.
    pub ledger: &'a mut Ledger,
    /// What is noted.
    pub events: &'a mut Vec<Event>,
}

/// A client.
pub trait Client {
    /// What it is called.
    fn name(&self) -> &str;

    /// Whether a step would do something now.
    fn is_ready(&self, network: &Network, now: Now) -> bool;

    /// When it has something to do by itself.
    fn next_timeout(&self) -> Option<MonoTime>;

    /// Does something.
    fn step(&mut self, io: &mut Io<'_>);

    /// Partitions and offsets that an open fetch wants anything from, if one is open.
    fn fetching(&self) -> Vec<(Place, i64)> {
        Vec::new()
    }

    /// Begins nothing new; what is under way is finished.
    fn wind_down(&mut self);

    /// What it still waits for; `None` when it has all it wants.
    fn waits_for(&self) -> Option<String>;
}
