//! The decide and replay contract, and its one runtime.
//!
//! Controller, groups, transactions and share state are the same program with different records:
//! ```text
//! verb ─► decide(&Hard, &mut Soft) ─► records ─► log ─► high watermark ─► reply
//!                ▲                       │
//!                └──── Hard ◄── replay ──┘      at append, so that the next decision sees it
//! ```
//! What must survive is [`Hard`]: only replay changes it. What may die with the leader is [`Soft`]: parked members,
//! session timers, heartbeats. A [`Shard`] runs one such machine on one partition, as a value without log, clock or
//! thread.

pub mod contract;
pub mod shard;

pub use contract::{Decision, Hard, Soft, Stamp, TimerChange, View};
pub use shard::{Failure, Output, Shard, Ticket};
