//! Reading records of partitions that the application names.
//!
//! ```text
//! poll ──► state (chunks fetched ahead, per partition) ◄── fetcher task ──► leaders, one session each
//! ```
//! Invariant: records of a partition come out in the order of their offsets, each once between two seeks.

mod chunk;
mod fetcher;
mod options;
mod request;
mod session;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::ids::Offset;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

pub use options::{AutoOffsetReset, ConsumerOptions, IsolationLevel};

use crate::admin::{ListedOffset, OffsetSpec, list_offsets};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::record::{ConsumerRecord, TopicPartition};
use fetcher::Fetcher;
use state::{Position, State, no_position};

/// A consumer. Fetching goes on in the background, ahead of [`Consumer::poll`], until it is dropped.
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    state: Mutex<State>,
    /// For the fetcher: assignment, positions or room changed.
    news: Notify,
    /// For the application: records, positions or errors came.
    arrived: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As good as for ever; a longer time would not fit into the clock.
const LONGEST_POLL: Duration = Duration::from_secs(365 * 24 * 3600);

impl Consumer {
    /// Options with Kafka's defaults; `build` connects.
    pub fn builder(bootstrap_servers: &str) -> ConsumerOptions {
        ConsumerOptions::new(bootstrap_servers)
    }

    async fn start(options: ConsumerOptions) -> Result<Self> {
        let cluster = Cluster::connect(options.client.clone()).await?;
        let shared =
            Arc::new(Shared { state: Mutex::default(), news: Notify::new(), arrived: Notify::new() });
        let fetcher = Fetcher::new(cluster.clone(), options.clone(), shared.clone());
        let task = tokio::spawn(fetcher.run()).abort_handle();
        Ok(Self { cluster, options, shared, task })
    }

    /// The cluster that it reads from.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// All partitions of a topic; waits for one that does not exist yet until `api_timeout` is over.
    ///
    /// # Errors
    /// Those of [`Cluster::topic`].
    pub async fn partitions_of(&self, topic: &str) -> Result<Vec<TopicPartition>> {
        let deadline = Instant::now() + self.options.client.api_timeout;
        let topic = self.cluster.topic(topic, false, deadline).await?;
        let all = topic.partitions.iter();
        Ok(all.map(|row| TopicPartition { topic: topic.name.clone(), partition: row.index }).collect())
    }

    /// Reads exactly these partitions from now on. Those that were read before keep their positions; new ones begin where
    /// `auto.offset.reset` says, unless a seek follows.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty topic name.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) -> Result<()> {
        let partitions: Vec<_> = partitions.into_iter().collect();
        for partition in &partitions {
            if partition.topic.is_empty() {
                return Err(Error::Invalid(
                    "Topic partitions to assign to cannot have null or empty topic".to_owned(),
                ));
            }
            self.cluster.track(&partition.topic);
        }
        let position = match self.options.auto_offset_reset.spec() {
            Some(spec) => Position::Unresolved(spec),
            None => Position::Missing,
        };
        self.shared.state().assign(partitions, position);
        self.shared.news.notify_one();
        Ok(())
    }

    /// What is assigned, in order.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.state().partitions.keys().cloned().collect()
    }

    /// Reads the partition from this offset on.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a negative offset or a partition that is not assigned.
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        if offset.0 < 0 {
            return Err(Error::Invalid("seek offset must not be a negative number".to_owned()));
        }
        self.shared.state().seek(partition, Position::At(offset))?;
        self.shared.news.notify_one();
        Ok(())
    }

    /// Reads these partitions, or all when there are none, from their first record on.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a partition that is not assigned.
    pub fn seek_to_beginning(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.seek_to(partitions, OffsetSpec::Earliest)
    }

    /// Reads of these partitions, or of all when there are none, what is written from now on.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a partition that is not assigned.
    pub fn seek_to_end(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.seek_to(partitions, OffsetSpec::Latest)
    }

    fn seek_to(&mut self, partitions: &[TopicPartition], spec: OffsetSpec) -> Result<()> {
        let all = self.assignment();
        let mut state = self.shared.state();
        for partition in if partitions.is_empty() { &all } else { partitions } {
            state.seek(partition, Position::Unresolved(spec))?;
        }
        drop(state);
        self.shared.news.notify_one();
        Ok(())
    }

    /// Gives nothing of these partitions until [`Consumer::resume`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a partition that is not assigned.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let mut state = self.shared.state();
        partitions.iter().try_for_each(|partition| state.assigned(partition).map(|one| one.paused = true))
    }

    /// Goes on with these partitions.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a partition that is not assigned.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let mut state = self.shared.state();
        partitions
            .iter()
            .try_for_each(|partition| state.assigned(partition).map(|one| one.paused = false))?;
        drop(state);
        self.shared.news.notify_one();
        Ok(())
    }

    /// The offset of the next record that `poll` gives of this partition; waits until it is known.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a partition that is not assigned or has no position, [`Error::TimedOut`] after `api_timeout`.
    pub async fn position(&self, partition: &TopicPartition) -> Result<Offset> {
        let time = self.options.client.api_timeout;
        let deadline = Instant::now() + time;
        loop {
            let arrived = self.shared.arrived.notified();
            {
                let mut state = self.shared.state();
                let assigned = state.assigned(partition)?;
                match (assigned.position, &assigned.error) {
                    (Position::At(offset), _) => return Ok(offset),
                    (_, Some(error)) => return Err(error.clone()),
                    (Position::Missing, None) => return Err(no_position(partition)),
                    (Position::Unresolved(_), None) => {}
                }
            }
            if timeout_at(deadline, arrived).await.is_err() {
                return Err(Error::TimedOut(format!(
                    "Timeout of {} ms expired before the position for partition {partition} could be determined",
                    time.as_millis()
                )));
            }
        }
    }

    /// The partition's high watermark as the last answer told; nothing before the first one.
    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<Offset> {
        let state = self.shared.state();
        let known = state.partitions.get(partition)?.high_watermark;
        (known != Offset::NONE).then_some(known)
    }

    /// The next records: as soon as there are any, none when `timeout` is over before.
    ///
    /// # Errors
    /// What is wrong with a partition: an answer that is not retried, bytes that are not what they should be, a position
    /// that does not exist under `auto.offset.reset=none`. It comes again until a seek or another assignment.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumerRecord>> {
        let deadline = Instant::now() + timeout.min(LONGEST_POLL);
        loop {
            let arrived = self.shared.arrived.notified();
            let records = self.shared.state().take(self.options.max_poll_records)?;
            if !records.is_empty() {
                // There may be room again.
                self.shared.news.notify_one();
                return Ok(records);
            }
            if timeout_at(deadline, arrived).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    /// For each partition the first record whose timestamp is the given one or later; nothing when there is none.
    ///
    /// # Errors
    /// When the leader of a partition refuses or does not answer in time.
    pub async fn offsets_for_times(
        &self,
        times: &[(TopicPartition, i64)],
    ) -> Result<HashMap<TopicPartition, Option<ListedOffset>>> {
        let asked: Vec<_> =
            times.iter().map(|(partition, time)| (partition.clone(), OffsetSpec::Timestamp(*time))).collect();
        let listed = self.list(&asked).await?;
        Ok(listed.into_iter().map(|(key, one)| (key, (one.offset != Offset::NONE).then_some(one))).collect())
    }

    /// The first offset of each partition.
    ///
    /// # Errors
    /// When the leader of a partition refuses or does not answer in time.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>> {
        self.offsets(partitions, OffsetSpec::Earliest).await
    }

    /// The end of each partition: the high watermark, or under read_committed the last stable offset.
    ///
    /// # Errors
    /// When the leader of a partition refuses or does not answer in time.
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Offset>> {
        self.offsets(partitions, OffsetSpec::Latest).await
    }

    async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<HashMap<TopicPartition, Offset>> {
        let asked: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        Ok(self.list(&asked).await?.into_iter().map(|(partition, one)| (partition, one.offset)).collect())
    }

    async fn list(
        &self,
        asked: &[(TopicPartition, OffsetSpec)],
    ) -> Result<HashMap<TopicPartition, ListedOffset>> {
        let listed = list_offsets(&self.cluster, asked, self.options.isolation_level.code()).await?;
        listed.into_iter().map(|(partition, one)| one.map(|one| (partition, one))).collect()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
