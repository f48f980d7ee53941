//! Reads the tables of `defs/` and emits Rust source.
//!
//! Runs at build time only: a crate's `build.rs` calls one `generate` and hands its result to [`output::write`]. What is
//! wrong in a table is reported as `file:line: what`, and the build stops there. Invariant: the emitted text depends on
//! the tables alone, so that the same tables give the same bytes.

pub mod configs;
pub mod error;
pub mod errors;
pub mod messages;
pub mod output;
