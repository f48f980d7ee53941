//! Producer, consumer and admin for any Kafka cluster, on tokio.
//!
//! ```no_run
//! use client::{Consumer, Producer, Record, TopicPartition};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), client::Error> {
//! let producer = Producer::builder("127.0.0.1:9092").linger(Duration::from_millis(5)).build().await?;
//! let delivery = producer.send(Record::new("readings").key("house 7").value("1200 W")).await?;
//! println!("stored at offset {}", delivery.await?.offset);
//!
//! let mut consumer = Consumer::builder("127.0.0.1:9092").build().await?;
//! let partitions = consumer.partitions_of("readings").await?;
//! consumer.assign(partitions)?;
//! consumer.seek_to_beginning(&[])?;
//! for record in consumer.poll(Duration::from_secs(1)).await? {
//!     println!("{}@{}: {:?}", record.partition, record.offset, record.value);
//! }
//! # let _ = TopicPartition::new("readings", 0);
//! producer.close().await
//! # }
//! ```
//!
//! The way of a record out: [`producer`] picks a partition, the accumulator batches, the sender gives batches to the
//! leader's [`connection`]. The way of a record in: one fetch loop per leader keeps a session and a bounded buffer ahead
//! of [`Consumer::poll`]. Nothing here polls by time: every wait ends by an answer, a record or a deadline.
//!
//! Invariant: what this crate reports as delivered was acknowledged by the leader as [`Acks`] asked; with idempotence
//! (the default) a record that is reported delivered stands in its partition once, and in the order of `send`.

pub mod admin;
pub mod call;
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod error;
pub mod options;
pub mod producer;
mod random;
pub mod record;
mod versions;

pub use admin::{Admin, OffsetSpec};
pub use call::Call;
pub use cluster::Cluster;
pub use consumer::{AutoOffsetReset, Consumer, ConsumerOptions, IsolationLevel};
pub use error::Error;
pub use options::ClientOptions;
pub use producer::{Acks, Delivery, Producer, ProducerOptions};
pub use record::{ConsumerRecord, Record, RecordHeader, RecordHeaders, RecordMetadata, TopicPartition};
pub use versions::VersionRange;
