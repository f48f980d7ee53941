//! Runs whole nodes from a seed: the broker's own values on a simulated disk, clock and network, with simulated clients,
//! crashes and failing disks, single-threaded and the same on every machine.
//!
//! ```text
//!  seed ─► plan ─► world: scheduler ─► clients, connections, shards, syncs, controller, crashes ─► events ─► checks
//!                                                                                                    └► transcript
//! ```
//! What is simulated is what the roof brings (threads, sockets, clocks, files); everything below it is the real thing.
//! Invariant: the same seed and options give the same transcript, so a seed that found something finds it again.

pub mod check;
pub mod client;
pub mod clock;
pub mod content;
pub mod event;
pub mod ledger;
pub mod network;
pub mod node;
pub mod plan;
pub mod random;
pub mod record;
pub mod run;
pub mod transcript;
pub mod world;
