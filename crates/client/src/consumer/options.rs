//! How a consumer fetches. Names and defaults are Kafka's.

use std::time::Duration;

use super::Consumer;
use crate::admin::OffsetSpec;
use crate::error::{Error, Result};
use crate::options::{ClientOptions, invalid, parse, parse_ms};

/// Where a partition is read from when no position is known or the known one does not exist (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AutoOffsetReset {
    /// From the first record that is there.
    Earliest,
    /// From the next one that is written.
    #[default]
    Latest,
    /// Nowhere: `poll` fails.
    None,
}

/// Whether records of open and aborted transactions are seen (`isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IsolationLevel {
    /// All records.
    #[default]
    ReadUncommitted,
    /// Records of committed transactions, and those of none, up to the last stable offset.
    ReadCommitted,
}

/// Options of a consumer; also its builder.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// What all clients share.
    pub client: ClientOptions,
    /// Where to begin without a position (`auto.offset.reset`).
    pub auto_offset_reset: AutoOffsetReset,
    /// An answer comes when there are so many bytes (`fetch.min.bytes`).
    pub fetch_min_bytes: i32,
    /// Or when it waited so long (`fetch.max.wait.ms`).
    pub fetch_max_wait: Duration,
    /// The most bytes of one answer (`fetch.max.bytes`).
    pub fetch_max_bytes: i32,
    /// The most bytes of one partition in an answer, and about what is fetched ahead (`max.partition.fetch.bytes`).
    pub max_partition_fetch_bytes: i32,
    /// The most records that one poll gives (`max.poll.records`).
    pub max_poll_records: usize,
    /// Whether checksums are checked (`check.crcs`).
    pub check_crcs: bool,
    /// Which records are seen (`isolation.level`).
    pub isolation_level: IsolationLevel,
    /// Where this client stands (`client.rack`).
    pub client_rack: String,
}

impl ConsumerOptions {
    /// Kafka's defaults.
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            client: ClientOptions::new(bootstrap_servers),
            auto_offset_reset: AutoOffsetReset::Latest,
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            fetch_max_bytes: 50 * 1024 * 1024,
            max_partition_fetch_bytes: 1024 * 1024,
            max_poll_records: 500,
            check_crcs: true,
            isolation_level: IsolationLevel::ReadUncommitted,
            client_rack: String::new(),
        }
    }

    /// Begins there without a position.
    pub fn auto_offset_reset(mut self, reset: AutoOffsetReset) -> Self {
        self.auto_offset_reset = reset;
        self
    }

    /// Sees these records.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.isolation_level = level;
        self
    }

    /// Gives at most so many records in one poll.
    pub fn max_poll_records(mut self, records: usize) -> Self {
        self.max_poll_records = records;
        self
    }

    /// Calls itself this.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client.client_id = client_id.into();
        self
    }

    /// Sets an option by Kafka's name; false when a consumer has none of that name here.
    ///
    /// # Errors
    /// A value that is not of the option's type.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool> {
        match name {
            "auto.offset.reset" => {
                self.auto_offset_reset = match value {
                    "earliest" => AutoOffsetReset::Earliest,
                    "latest" => AutoOffsetReset::Latest,
                    "none" => AutoOffsetReset::None,
                    _ => return Err(invalid(name, value)),
                }
            }
            "fetch.min.bytes" => self.fetch_min_bytes = parse(name, value)?,
            "fetch.max.wait.ms" => self.fetch_max_wait = parse_ms(name, value)?,
            "fetch.max.bytes" => self.fetch_max_bytes = parse(name, value)?,
            "max.partition.fetch.bytes" => self.max_partition_fetch_bytes = parse(name, value)?,
            "max.poll.records" => self.max_poll_records = parse(name, value)?,
            "check.crcs" => self.check_crcs = parse(name, value)?,
            "isolation.level" => {
                self.isolation_level = match value {
                    "read_uncommitted" => IsolationLevel::ReadUncommitted,
                    "read_committed" => IsolationLevel::ReadCommitted,
                    _ => return Err(invalid(name, value)),
                }
            }
            "client.rack" => self.client_rack = value.to_owned(),
            "group.id" => {
                return Err(Error::Unsupported("Groups are not supported by this client.".to_owned()));
            }
            _ => return self.client.set(name, value),
        }
        Ok(true)
    }

    /// Connects and gives the consumer.
    ///
    /// # Errors
    /// No bootstrap server that answers in time.
    pub async fn build(self) -> Result<Consumer> {
        Consumer::start(self).await
    }
}

impl AutoOffsetReset {
    pub(crate) fn spec(self) -> Option<OffsetSpec> {
        match self {
            Self::Earliest => Some(OffsetSpec::Earliest),
            Self::Latest => Some(OffsetSpec::Latest),
            Self::None => None,
        }
    }
}

impl IsolationLevel {
    pub(crate) fn code(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}
