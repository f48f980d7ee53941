//! Use cases that show the whole at work and check themselves.

pub mod meters;
