//! A Kafka broker without sockets, threads or clocks: requests in, replies out.
//!
//! ```text
//!  net::Session ─► session ─► dispatch ─► apis/* ──┬─► shard queues ─► Shard::run ─► replies
//!                                                  ├─► published logs (fetch, list offsets)
//!                                                  └─► controller handle ─► … ─► publish ─► image, partitions
//! ```
//! The roof brings threads and time; the simulator brings its own.

pub mod apis;
pub mod broker;
pub mod context;
pub mod controller;
pub mod dispatch;
pub mod hosting;
pub mod lifecycle;
pub mod log_dirs;
pub mod loggers;
pub mod metrics;
pub mod moves;
pub mod partition;
pub mod producer_ids;
pub mod replies;
pub mod session;
pub mod shard;
#[cfg(test)]
mod testing;
pub mod topic_config;
