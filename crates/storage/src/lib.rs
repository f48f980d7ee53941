//! Logs on disk in Kafka's own formats: segments, indexes, checkpoints, producer state and recovery.
//!
//! Plain synchronous code over [`disk::Disk`]. A [`log::Log`] is owned by one thread; the [`read::LogReader`] it publishes is
//! shared. Nothing here reads a clock, draws random numbers or starts a thread; only `disk::os` touches the operating
//! system. What a file contains is input: it yields a value or an error, never a panic.

pub mod append;
pub mod checkpoint;
pub mod clean;
pub mod clean_shutdown;
pub mod config;
pub mod directory;
pub mod disk;
pub mod epochs;
pub mod error;
pub mod future;
pub mod log;
pub mod log_dir;
pub mod meta_properties;
pub mod partition_metadata;
pub mod producers;
pub mod read;
pub mod repair;
pub mod sync;
pub mod verify;

mod home;
mod incarnation;
mod index;
mod recover;
mod retention;
mod roll;
mod scan;
mod segment;
mod snapshots;
mod truncate;
mod view;

pub use error::Error;
pub use view::Ends;

#[cfg(test)]
mod tests;
