//! The tools from the outside: what they print for files of Apache Kafka, and against a running cluster.

mod aliases;
mod console;
mod dump_log;
mod live;
mod storage;
