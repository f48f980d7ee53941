//! Which offset answers which request, and what a fetcher was already told.
//!
//! Pure values: no I/O, no clock, no message of the wire.

pub mod acks;
pub mod fetch_session;
