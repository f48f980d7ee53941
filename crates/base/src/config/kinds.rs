//! Values of configs that have a type of their own.

use std::fmt;

use super::value::{Field, Value};

/// `cleanup.policy`: what is done with old segments. Both, one or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Keep the last record of every key.
    pub compact: bool,
    /// Delete segments beyond the retention.
    pub delete: bool,
}

impl Field for CleanupPolicy {
    fn of(value: &Value) -> Self {
        let entries = Vec::<String>::of(value);
        Self {
            compact: entries.iter().any(|entry| entry == "compact"),
            delete: entries.iter().any(|entry| entry == "delete"),
        }
    }
}

/// `compression.type`: how a topic's batches are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopicCompression {
    /// As the producer sent them.
    #[default]
    Producer,
    /// Never compressed.
    Uncompressed,
    /// Always gzip.
    Gzip,
    /// Always snappy.
    Snappy,
    /// Always lz4.
    Lz4,
    /// Always zstd.
    Zstd,
}

impl Field for TopicCompression {
    fn of(value: &Value) -> Self {
        match String::of(value).as_str() {
            "producer" => Self::Producer,
            "uncompressed" => Self::Uncompressed,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            other => panic!("the check of compression.type let `{other}` through"),
        }
    }
}

/// `message.timestamp.type`: whose clock stamps a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// The broker's, at append.
    LogAppendTime,
}

impl Field for TimestampType {
    fn of(value: &Value) -> Self {
        match String::of(value).as_str() {
            "CreateTime" => Self::CreateTime,
            "LogAppendTime" => Self::LogAppendTime,
            other => panic!("the check of message.timestamp.type let `{other}` through"),
        }
    }
}

/// A value that is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}
