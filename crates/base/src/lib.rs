//! The ground floor: nouns that every crate speaks.
//!
//! Nothing here does I/O, reads a clock or knows a protocol message. A type moves here when three crates already speak it.

pub mod config;
pub mod error_code;
pub mod ids;
pub mod refusal;
pub mod time;
pub mod uuid;
