//! Sending records: batched by partition, acknowledged, in order, once.
//!
//! ```text
//! send ──► partitioner ──► accumulator (batch per partition) ──► sender task ──► leader
//!   ▲ waits for memory                                              │
//!   └────────────── delivery, memory given back ◄───────────────────┘
//! ```
//! Invariant: memory of records that are not done never exceeds `buffer_memory`, except for one record that is larger.

mod accumulator;
mod batch;
mod delivery;
mod options;
mod partitioner;
mod request;
mod sender;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

pub use delivery::Delivery;
pub use options::{Acks, ProducerOptions};
pub use partitioner::{murmur2, partition_of_key};

use crate::cluster::{Cluster, Topic};
use crate::error::{Error, Result};
use crate::random::Random;
use crate::record::{Record, RecordMetadata};
use accumulator::{Accumulator, Settings};
use batch::Callback;
use sender::Sender;

/// A handle; cheap to clone, to be used from many tasks. When the last one is dropped, what was sent before is still
/// delivered in the background; [`Producer::close`] waits for it.
#[derive(Clone, Debug)]
pub struct Producer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    options: ProducerOptions,
    shared: Arc<Shared>,
    finished: watch::Receiver<bool>,
}

/// What the handles and the sender share.
#[derive(Debug)]
struct Shared {
    accumulator: Mutex<Accumulator>,
    /// Bytes of `buffer_memory` that are free.
    memory: Semaphore,
    /// How many wait for memory: then batches go at once.
    waiting: AtomicUsize,
    /// There is something new in the accumulator.
    news: Notify,
}

impl Shared {
    fn accumulator(&self) -> MutexGuard<'_, Accumulator> {
        self.accumulator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a record costs in a batch besides key, value and headers, at most.
const RECORD_OVERHEAD: usize = 36;

impl Producer {
    /// Options with Kafka's defaults; `build` connects.
    pub fn builder(bootstrap_servers: &str) -> ProducerOptions {
        ProducerOptions::new(bootstrap_servers)
    }

    async fn start(options: ProducerOptions) -> Result<Self> {
        let idempotent = options.validated()?;
        let cluster = Cluster::connect(options.client.clone()).await?;
        let settings = Settings {
            batch_size: options.batch_size,
            linger: options.linger,
            compression: options.compression,
            delivery_timeout: options.delivery_timeout,
            max_request_size: options.max_request_size,
            idempotent,
        };
        let shared = Arc::new(Shared {
            accumulator: Mutex::new(Accumulator::new(settings, Random::new())),
            memory: Semaphore::new(options.buffer_memory.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            news: Notify::new(),
        });
        let (done, finished) = watch::channel(false);
        let sender = Sender::new(cluster.clone(), options.clone(), shared.clone());
        let end = EndGuard { shared: shared.clone(), done };
        tokio::spawn(async move {
            let _end = end;
            sender.run().await;
        });
        Ok(Self { inner: Arc::new(Inner { cluster, options, shared, finished }) })
    }

    /// The cluster that it writes to.
    pub fn cluster(&self) -> &Cluster {
        &self.inner.cluster
    }

    /// Gives a record to the producer; ready when it is in a batch. The delivery that comes back is ready when the record
    /// is acknowledged or lost. Waits, `max_block` at most, for metadata of a new topic and for memory.
    ///
    /// # Errors
    /// [`Error::TimedOut`] after `max_block`; [`Error::Invalid`] for a record that is too large or a partition that does
    /// not exist; [`Error::Refused`] for a topic name that cannot be one.
    pub async fn send(&self, record: Record) -> Result<Delivery> {
        self.send_inner(record, None).await
    }

    /// The same with a callback instead of a future, for those who send many records and keep none of them. It is called
    /// once, on the producer's own task: it must not block.
    ///
    /// # Errors
    /// Those of [`Producer::send`]; the callback is not called then.
    pub async fn send_then(
        &self,
        record: Record,
        delivered: impl FnOnce(Result<RecordMetadata>) + Send + 'static,
    ) -> Result<()> {
        self.send_inner(record, Some(Box::new(delivered))).await.map(|_| ())
    }

    async fn send_inner(&self, record: Record, callback: Option<Callback>) -> Result<Delivery> {
        // Whoever sends in a loop finds room most of the time and would never let the sender's task have its turn.
        tokio::task::coop::consume_budget().await;
        let inner = &self.inner;
        let now = Instant::now();
        let size = size_of_record(&record);
        let limit = inner.options.max_request_size;
        if size > limit {
            return Err(Error::Invalid(format!(
                "The message is {size} bytes when serialized which is larger than {limit}, which is the value of \
                 the max.request.size configuration."
            )));
        }
        let topic = self.topic(&record, now).await?;
        self.reserve(size, now).await?;
        let timestamp = record.timestamp.unwrap_or_else(wall_clock_ms);
        let appended = inner.shared.accumulator().append(&record, &topic, size, (now, timestamp), callback);
        match appended {
            Ok(appended) => {
                if appended.wake {
                    inner.shared.news.notify_one();
                }
                Ok(appended.delivery)
            }
            Err(error) => {
                inner.shared.memory.add_permits(self.permits(size));
                Err(error)
            }
        }
    }

    async fn topic(&self, record: &Record, now: Instant) -> Result<Arc<Topic>> {
        let metadata = self.inner.cluster.metadata();
        if let Some(topic) = metadata.topics.get(&record.topic).filter(|topic| topic.error.is_none()) {
            return Ok(topic.clone());
        }
        let time = self.inner.options.max_block;
        self.inner.cluster.topic(&record.topic, true, now + time).await.map_err(|error| match error {
            Error::TimedOut(_) => Error::TimedOut(format!(
                "Topic {} not present in metadata after {} ms.",
                record.topic,
                time.as_millis()
            )),
            error => error,
        })
    }

    /// Takes memory for the record; it is given back when its batch is done.
    async fn reserve(&self, size: usize, now: Instant) -> Result<()> {
        let permits = u32::try_from(self.permits(size)).expect("records are smaller than 2 GiB");
        let shared = &self.inner.shared;
        if let Ok(permit) = shared.memory.try_acquire_many(permits) {
            permit.forget();
            return Ok(());
        }
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        shared.news.notify_one();
        let time = self.inner.options.max_block;
        let permit = timeout_at(now + time, shared.memory.acquire_many(permits)).await;
        shared.waiting.fetch_sub(1, Ordering::Relaxed);
        match permit {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(())
            }
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::TimedOut(format!(
                "Failed to allocate {size} bytes within the configured max blocking time {} ms.",
                time.as_millis()
            ))),
        }
    }

    /// A record larger than all memory takes all of it.
    fn permits(&self, size: usize) -> usize {
        size.min(self.inner.options.buffer_memory)
    }

    /// Sends everything that waits at once, and waits until all that was sent before is delivered or lost.
    pub async fn flush(&self) {
        let shared = &self.inner.shared;
        let last = shared.accumulator().begin_flush();
        let _end = FlushGuard(shared);
        shared.news.notify_one();
        loop {
            let oldest = shared.accumulator().unfinished_up_to(last);
            match oldest {
                Some(outcome) => outcome.wait().await,
                None => return,
            }
            // The sender forgets a batch only after it told about it; a sender that is gone forgets nothing.
            if *self.inner.finished.borrow() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes no more records, and waits until all that was sent is delivered or lost.
    ///
    /// # Errors
    /// None so far; the deliveries say what became of their records.
    pub async fn close(self) -> Result<()> {
        self.inner.shared.accumulator().close();
        self.inner.shared.news.notify_one();
        let mut finished = self.inner.finished.clone();
        let _ = finished.wait_for(|done| *done).await;
        Ok(())
    }
}

/// Ends a flush also when its future is dropped.
struct FlushGuard<'a>(&'a Shared);

impl Drop for FlushGuard<'_> {
    fn drop(&mut self) {
        self.0.accumulator().end_flush();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.accumulator().close();
        self.shared.news.notify_one();
    }
}

/// Says that the sender's task has ended, however that came.
struct EndGuard {
    shared: Arc<Shared>,
    done: watch::Sender<bool>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        let batches = self.shared.accumulator().fail(&Error::Closed);
        drop(batches);
        self.shared.memory.close();
        let _ = self.done.send(true);
    }
}

fn size_of_record(record: &Record) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|header| header.key.len() + header.value.as_ref().map_or(0, bytes::Bytes::len) + 10)
        .sum();
    record.key.as_ref().map_or(0, bytes::Bytes::len)
        + record.value.as_ref().map_or(0, bytes::Bytes::len)
        + headers
        + RECORD_OVERHEAD
}

fn wall_clock_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
