//! Sockets: framing, memory permits, replies in request order, ranges of files sent by the kernel.
//!
//! Knows bytes and frames, no message. What a frame means is decided by a [`session::Session`]; this crate only drives
//! it, and the simulator drives the same sessions without this crate's tokio parts.

pub mod clock;
pub mod connection;
pub mod framing;
pub mod listener;
pub mod permits;
pub mod read_ahead;
pub mod send;
pub mod session;
