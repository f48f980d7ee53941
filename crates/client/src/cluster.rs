//! The cluster as a client sees it: who leads what, a connection to each broker, and what to do when that changes.
//!
//! Invariant: at most one connection per broker; a refresh of the metadata that is asked for by many is done once.

mod backoff;
mod metadata;
mod pool;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId};
use protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use protocol::messages::metadata_response::MetadataResponse;
use tokio::time::{Instant, sleep_until};

pub(crate) use backoff::Backoff;
pub use metadata::{Broker, Metadata, Partition, Topic};

use crate::call::Call;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::options::ClientOptions;
use crate::record::TopicPartition;
use pool::Pool;

/// A handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    pool: Pool,
    metadata: RwLock<Known>,
    /// Topics that every refresh asks for.
    topics: Mutex<BTreeSet<Arc<str>>>,
    /// Held by whoever asks for metadata.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    metadata: Arc<Metadata>,
    at: Instant,
}

impl Cluster {
    /// Asks the bootstrap servers, in turn and again, for the brokers, until one answers or `api_timeout` is over.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a list without servers, [`Error::TimedOut`] when nobody answered.
    pub async fn connect(options: ClientOptions) -> Result<Self> {
        if options.bootstrap_servers.is_empty() {
            return Err(Error::Invalid("No bootstrap servers given (bootstrap.servers).".to_owned()));
        }
        for server in &options.bootstrap_servers {
            let port = server.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none() {
                return Err(Error::Invalid(format!("Invalid url in bootstrap.servers: {server}")));
            }
        }
        let known = Known { metadata: Arc::default(), at: Instant::now() };
        let cluster = Self {
            inner: Arc::new(Inner {
                pool: Pool::new(&options),
                options,
                metadata: RwLock::new(known),
                topics: Mutex::default(),
                refreshing: tokio::sync::Mutex::default(),
            }),
        };
        cluster.retry("asking for metadata", || async { cluster.refresh().await }).await?;
        Ok(cluster)
    }

    /// The options it was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// What is known at this moment.
    pub fn metadata(&self) -> Arc<Metadata> {
        self.inner.metadata.read().unwrap_or_else(PoisonError::into_inner).metadata.clone()
    }

    /// When the metadata should be asked for again although nothing is wrong.
    pub(crate) fn stale_at(&self) -> Instant {
        self.inner.metadata.read().unwrap_or_else(PoisonError::into_inner).at
            + self.inner.options.metadata_max_age
    }

    /// The topic, asked for when it is not known yet. Waits for a topic that is being created, or that does not exist yet,
    /// until `deadline`. Where the server allows it, `create` creates it.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when it did not appear in time; [`Error::Refused`] for a name that cannot be one.
    pub async fn topic(&self, name: &str, create: bool, deadline: Instant) -> Result<Arc<Topic>> {
        let mut backoff = self.backoff();
        loop {
            let metadata = self.metadata();
            if let Some(topic) = metadata.topics.get(name).filter(|topic| topic.error.is_none()) {
                return Ok(topic.clone());
            }
            self.track(name);
            let refreshed = self.refresh_after(metadata.version, create).await;
            if let Some(topic) = self.metadata().topics.get(name) {
                match topic.error {
                    ErrorCode::NONE => return Ok(topic.clone()),
                    code if code.retriable() => {}
                    code => return Err(Error::refused(code, None)),
                }
            }
            let wake = Instant::now() + backoff.next();
            if wake >= deadline {
                return Err(refreshed.err().unwrap_or_else(|| {
                    Error::TimedOut(format!("Topic {name} not present in metadata in time."))
                }));
            }
            sleep_until(wake).await;
        }
    }

    /// Lets every refresh ask for this topic too.
    pub(crate) fn track(&self, name: &str) {
        let mut topics = self.inner.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if !topics.contains(name) {
            topics.insert(name.into());
        }
    }

    /// Asks for brokers and all tracked topics. Many that ask at once get one answer.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn refresh(&self) -> Result<()> {
        self.refresh_after(self.metadata().version, false).await
    }

    async fn refresh_after(&self, seen: u64, create: bool) -> Result<()> {
        let _turn = self.inner.refreshing.lock().await;
        if self.metadata().version != seen && !create {
            return Ok(());
        }
        let topics: Vec<Arc<str>> = {
            let topics = self.inner.topics.lock().unwrap_or_else(PoisonError::into_inner);
            topics.iter().cloned().collect()
        };
        let answer = self.ask_metadata(Some(&topics), create).await?;
        let mut known = self.inner.metadata.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known { metadata: Arc::new(known.metadata.with(answer)), at: Instant::now() };
        Ok(())
    }

    /// Asks any broker for these topics, or for all; what is known stays as it is.
    ///
    /// # Errors
    /// When no broker answers.
    pub async fn ask_metadata(&self, topics: Option<&[Arc<str>]>, create: bool) -> Result<MetadataResponse> {
        let topics = topics.map(|names| {
            names
                .iter()
                .map(|name| MetadataRequestTopic { name: Some(name.to_string()), ..Default::default() })
                .collect()
        });
        let request =
            MetadataRequest { topics, allow_auto_topic_creation: create, ..MetadataRequest::default() };
        let answer = self.call_any(&request).await?;
        Error::check(answer.error_code, None)?;
        Ok(answer)
    }

    /// Takes over a leader that an answer named (KIP-951).
    pub(crate) fn learn_leader(
        &self,
        partition: &TopicPartition,
        leader: NodeId,
        epoch: LeaderEpoch,
        endpoint: Option<Broker>,
    ) -> bool {
        let mut known = self.inner.metadata.write().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = known.metadata.with_leader(partition, leader, epoch, endpoint) else { return false };
        known.metadata = Arc::new(next);
        true
    }

    /// The connection to this broker, opened when there is none. Waits out the backoff after failures.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the broker is unknown or cannot be reached.
    pub async fn connection(&self, node: NodeId) -> Result<Connection> {
        self.inner.pool.connection(node, &self.address(node)?, &self.inner.options).await
    }

    /// Another connection to this broker, on which answers may be held back: a broker handles the requests of a
    /// connection one after another, so nothing else should have to wait behind them.
    pub(crate) async fn fetch_connection(&self, node: NodeId) -> Result<Connection> {
        self.inner.pool.fetch_connection(node, &self.address(node)?, &self.inner.options).await
    }

    fn address(&self, node: NodeId) -> Result<String> {
        let metadata = self.metadata();
        let broker = metadata.brokers.get(&node);
        broker
            .map(Broker::address)
            .ok_or_else(|| Error::Unavailable(format!("Broker {node} is not available.")))
    }

    /// A connection to any broker: an open one if there is one, else the first that can be opened; bootstrap servers last.
    ///
    /// # Errors
    /// The last reason when none can be opened.
    pub async fn any_connection(&self) -> Result<Connection> {
        if let Some(open) = self.inner.pool.open_one() {
            return Ok(open);
        }
        let mut last = None;
        for node in self.metadata().brokers.keys() {
            match self.connection(*node).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        match self.inner.pool.bootstrap(&self.inner.options).await {
            Ok(connection) => Ok(connection),
            Err(error) => Err(last.unwrap_or(error)),
        }
    }

    /// Asks this broker, once.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn call<R: Call>(&self, node: NodeId, request: &R) -> Result<R::Response> {
        self.connection(node).await?.call(request, self.inner.options.request_timeout).await
    }

    /// Asks any broker, once.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn call_any<R: Call>(&self, request: &R) -> Result<R::Response> {
        self.any_connection().await?.call(request, self.inner.options.request_timeout).await
    }

    /// Asks the controller, or the broker that passes it on, once.
    ///
    /// # Errors
    /// Those of [`Connection::call`].
    pub async fn call_controller<R: Call>(&self, request: &R) -> Result<R::Response> {
        let metadata = self.metadata();
        match metadata.controller.filter(|node| metadata.brokers.contains_key(node)) {
            Some(node) => self.call(node, request).await,
            None => self.call_any(request).await,
        }
    }

    /// Does `attempt` until it succeeds, fails for good, or `api_timeout` is over; refreshes metadata where the failure
    /// says so.
    ///
    /// # Errors
    /// The attempt's own when it is final, [`Error::TimedOut`] naming the last one when time is over.
    pub async fn retry<T, A: Future<Output = Result<T>>>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> A,
    ) -> Result<T> {
        let time = self.inner.options.api_timeout;
        let deadline = Instant::now() + time;
        let mut backoff = self.backoff();
        loop {
            let error = match tokio::time::timeout_at(deadline, attempt()).await {
                Ok(Err(error)) if error.retriable() => error,
                Ok(done) => return done,
                Err(_) => return Err(timed_out(what, time, None)),
            };
            let wake = Instant::now() + backoff.next();
            if wake >= deadline {
                return Err(timed_out(what, time, Some(&error)));
            }
            tracing::debug!(%error, what, "trying again");
            sleep_until(wake).await;
            if error.needs_metadata() && !self.metadata().brokers.is_empty() {
                let _ = tokio::time::timeout_at(deadline, self.refresh()).await;
            }
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.inner.options.retry_backoff, self.inner.options.retry_backoff_max)
    }
}

fn timed_out(what: &str, time: Duration, last: Option<&Error>) -> Error {
    let why = last.map(|error| format!(": {error}")).unwrap_or_default();
    Error::TimedOut(format!("Timed out after {} ms {what}{why}", time.as_millis()))
}
