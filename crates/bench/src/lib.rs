//! Measures brokers against each other and against the machine.
//!
//! A figure of this crate is a ratio: the same generator, on the same disk, in the same run, drives Ottla, Apache Kafka and a
//! bare loop of system calls ([`limit`]) by turns.
//! ```text
//! compare ─► broker (starts, stops) ─► load (one thread, frames made beforehand) ─► address
//!    └─────► process (/proc: CPU, memory, idle)
//! ```
//! Invariant: while the clock runs the generator makes nothing; it moves bytes that are ready and notes times.

pub mod args;
pub mod batch;
pub mod broker;
pub mod compare;
pub mod control;
pub mod error;
pub mod frames;
pub mod histogram;
pub mod limit;
pub mod load;
pub mod process;
pub mod starts;
