//! The cluster's metadata: the image that everybody reads, the controller that changes it, the formatting of a new
//! cluster, and the node that drives them.
//!
//! ```text
//! verb → controller (decides) → records → quorum's log → image (replays) → publish → reply
//! ```
//! Nothing here reads a clock, draws a random number or starts a thread: time and random bits come in as arguments, files
//! are reached through `storage::disk`, and syncs are handed out as jobs.

pub mod bootstrap;
pub mod controller;
pub mod delta;
pub mod error;
pub mod features;
pub mod format;
pub mod image;
pub mod node;
pub mod state;
pub mod version;

pub use error::Error;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod transcripts;
