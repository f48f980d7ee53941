//! KRaft consensus as a value: epochs, votes, voters, the high watermark and the formats of the quorum's files.
//!
//! ```text
//! state file + log ─► Quorum ─► write state, append control records, elected, high watermark
//! ```
//! What this is not: it holds no log and no file and reads no clock. The caller owns the log of `__cluster_metadata-0`,
//! does what the effects say in their order, and reports what became durable. A voter set of one is built; larger ones
//! are refused at the start.

pub mod batch;
pub mod control;
pub mod error;
pub mod node;
pub mod snapshot;
pub mod state_file;
pub mod voters;

pub use batch::{Content, LogBatch, LogBatches};
pub use control::ControlRecord;
pub use error::Error;
pub use node::{Effect, Loaded, Quorum, Settings};
pub use snapshot::{Snapshot, SnapshotId, SnapshotWriter};
pub use state_file::StateFile;
pub use voters::{Endpoint, ReplicaKey, Voter, VoterHistory, VoterSet};
