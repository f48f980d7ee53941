//! The controller: decides what the cluster's metadata becomes.
//!
//! One file per area. A decider looks at the state and gives records and an answer; only replaying the records changes
//! the state. What it remembers besides (heartbeats) may die with it.

pub mod request;

pub use request::{
    Access, AllowAll, ControllerReply, ControllerRequest, ControllerSettings, ControllerVerb, Random,
};
