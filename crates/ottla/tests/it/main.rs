//! The binary from outside: what a user starts, kills and starts again.

#![allow(missing_docs, unreachable_pub, clippy::disallowed_methods)]

mod administration;
mod compaction;
mod crashes;
mod first_light;
mod log_dirs;
mod node;
mod refusals;
