//! The producer's one task: takes what is due out of the accumulator, sends it, and decides what an answer means.
//!
//! Invariant: requests to one leader are written in the order in which their batches were taken, because this task alone
//! writes them; only the waiting for answers happens elsewhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::ids::{NodeId, Offset, ProducerEpoch, ProducerId};
use protocol::messages::init_producer_id_request::InitProducerIdRequest;
use protocol::messages::produce_request::ProduceRequest;
use protocol::messages::produce_response::ProduceResponse;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use wire::compress::{Compressors, Decompressors};

use super::Shared;
use super::accumulator::{Capacity, Plan};
use super::batch::{Batch, Identity};
use super::delivery::Placed;
use super::options::{Acks, ProducerOptions};
use super::request::{FIRST_WITH_TOPIC_IDS, Verdict, produce_request, verdicts};
use crate::cluster::{Backoff, Cluster};
use crate::connection::Connection;
use crate::error::{Error, Result, is_stale_metadata};

pub(super) struct Sender {
    cluster: Cluster,
    options: ProducerOptions,
    shared: Arc<Shared>,
    links: HashMap<NodeId, Link>,
    compressors: Compressors,
    decompressors: Decompressors,
    events: mpsc::UnboundedReceiver<Event>,
    report: mpsc::UnboundedSender<Event>,
    /// A question for metadata is open; after it, none before this time.
    refreshing: bool,
    refresh_after: Instant,
    refresh_backoff: Backoff,
    identifying: bool,
}

/// A leader.
#[derive(Default)]
struct Link {
    connection: Option<Connection>,
    connecting: bool,
    in_flight: usize,
}

/// What happens to a sender besides news in the accumulator.
enum Event {
    Connected(NodeId, Result<Connection>),
    Answered(NodeId, Vec<Batch>, Result<ProduceResponse>),
    Identified(Result<Identity>),
    Refreshed(Result<()>),
}

impl Sender {
    pub(super) fn new(cluster: Cluster, options: ProducerOptions, shared: Arc<Shared>) -> Self {
        let (report, events) = mpsc::unbounded_channel();
        Self {
            refresh_backoff: cluster.backoff(),
            cluster,
            options,
            shared,
            links: HashMap::new(),
            compressors: Compressors::new(),
            decompressors: Decompressors::new(),
            events,
            report,
            refreshing: false,
            refresh_after: Instant::now(),
            identifying: false,
        }
    }

    /// Runs until the producer is closed and everything is done.
    pub(super) async fn run(mut self) {
        loop {
            let wake = self.send_what_is_due();
            {
                let accumulator = self.shared.accumulator();
                if accumulator.is_closed() && accumulator.is_empty() {
                    return;
                }
            }
            tokio::select! {
                () = self.shared.news.notified() => {}
                event = self.events.recv() => {
                    self.on(event.expect("this task holds a sender of its own channel"));
                    while let Ok(event) = self.events.try_recv() {
                        self.on(event);
                    }
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Sends until nothing is due, and says when to look again.
    fn send_what_is_due(&mut self) -> Instant {
        loop {
            let plan = self.plan();
            let now = Instant::now();
            for batch in plan.expired {
                self.expire(batch);
            }
            for node in plan.connect {
                self.connect(node);
            }
            if plan.identify {
                self.identify();
            }
            let stale = plan.leaderless || now >= self.cluster.stale_at();
            if stale {
                self.refresh(now);
            }
            if plan.requests.is_empty() {
                let refresh = match (self.refreshing, stale) {
                    (true, _) => now + self.options.client.metadata_max_age,
                    (false, true) => self.refresh_after,
                    (false, false) => self.cluster.stale_at(),
                };
                return plan.wake.map_or(refresh, |wake| wake.min(refresh));
            }
            for (node, batches) in plan.requests {
                self.send(node, batches);
            }
        }
    }

    fn plan(&mut self) -> Plan {
        let hurry = self.shared.waiting.load(Ordering::Relaxed) > 0;
        let metadata = self.cluster.metadata();
        let (links, most) = (&self.links, self.options.max_in_flight);
        let capacity = |node: NodeId| match links.get(&node) {
            Some(link) if link.connection.as_ref().is_some_and(|one| !one.is_broken()) => {
                if link.in_flight < most { Capacity::Free } else { Capacity::Busy }
            }
            _ => Capacity::NotConnected,
        };
        self.shared.accumulator().drain(Instant::now(), &metadata, hurry, capacity)
    }

    fn connect(&mut self, node: NodeId) {
        let link = self.links.entry(node).or_default();
        if link.connecting {
            return;
        }
        link.connecting = true;
        let (cluster, report) = (self.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let connection = cluster.connection(node).await;
            let _ = report.send(Event::Connected(node, connection));
        });
    }

    fn refresh(&mut self, now: Instant) {
        if self.refreshing || now < self.refresh_after {
            return;
        }
        self.refreshing = true;
        let (cluster, report) = (self.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let _ = report.send(Event::Refreshed(cluster.refresh().await));
        });
    }

    /// Asks for a producer id (KIP-98).
    fn identify(&mut self) {
        if self.identifying {
            return;
        }
        self.identifying = true;
        let (cluster, report) = (self.cluster.clone(), self.report.clone());
        tokio::spawn(async move {
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                ..Default::default()
            };
            let answer = cluster.retry("asking for a producer id", || async {
                let answer = cluster.call_any(&request).await?;
                Error::check(answer.error_code, None)?;
                let (id, epoch) = (ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch));
                Ok(Identity { id, epoch })
            });
            let _ = report.send(Event::Identified(answer.await));
        });
    }

    fn send(&mut self, node: NodeId, mut batches: Vec<Batch>) {
        let link = self.links.get_mut(&node).expect("it had capacity");
        let connection = link.connection.clone().expect("it had capacity");
        link.in_flight += 1;
        let records = batches.iter_mut().map(|batch| batch.bytes(&mut self.compressors)).collect();
        let timeout = self.options.request_timeout;
        let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let request = produce_request(&self.cluster, &batches, records, self.options.acks, timeout_ms);
        let report = self.report.clone();
        let version = match version_for(&connection, &request) {
            Ok(version) => version,
            Err(error) => return drop(report.send(Event::Answered(node, batches, Err(error)))),
        };
        if self.options.acks == Acks::None {
            let written = connection.begin_unanswered(version, &request);
            tokio::spawn(async move {
                let written = match written {
                    Ok(written) => written.wait().await,
                    Err(error) => Err(error),
                };
                let _ = report.send(Event::Answered(node, batches, written.map(|()| Default::default())));
            });
            return;
        }
        let answer = connection.begin(version, &request);
        tokio::spawn(async move {
            let answer = match answer {
                Ok(answer) => answer.wait(timeout).await,
                Err(error) => Err(error),
            };
            let _ = report.send(Event::Answered(node, batches, answer));
        });
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Connected(node, connection) => self.on_connected(node, connection),
            Event::Answered(node, batches, answer) => self.on_answered(node, batches, answer),
            Event::Identified(identity) => self.on_identified(identity),
            Event::Refreshed(result) => {
                self.refreshing = false;
                if result.is_ok() {
                    self.refresh_backoff.reset();
                }
                self.refresh_after = Instant::now() + self.refresh_backoff.next();
            }
        }
    }

    fn on_connected(&mut self, node: NodeId, connection: Result<Connection>) {
        let link = self.links.entry(node).or_default();
        link.connecting = false;
        match connection {
            Ok(connection) => link.connection = Some(connection),
            Err(error) => {
                tracing::warn!(%node, %error, "leader cannot be reached");
                // It may not lead any more.
                self.refresh(Instant::now());
            }
        }
    }

    fn on_identified(&mut self, identity: Result<Identity>) {
        self.identifying = false;
        match identity {
            Ok(identity) => self.shared.accumulator().identify(identity),
            Err(Error::TimedOut(text)) => tracing::warn!("{text}"),
            Err(error) => {
                let batches = self.shared.accumulator().fail(&error);
                for batch in batches {
                    self.finish(batch, Err(error.clone()));
                }
            }
        }
    }

    fn on_answered(&mut self, node: NodeId, batches: Vec<Batch>, answer: Result<ProduceResponse>) {
        if let Some(link) = self.links.get_mut(&node) {
            link.in_flight -= 1;
        }
        let verdicts = match answer {
            Ok(_) if self.options.acks == Acks::None => {
                let placed = Placed { base_offset: Offset::NONE, log_append_time: None };
                vec![Verdict::Delivered(placed); batches.len()]
            }
            Ok(answer) => verdicts(&self.cluster, &batches, answer),
            Err(error) if error.retriable() => vec![Verdict::Retry(error); batches.len()],
            Err(error) => vec![Verdict::Failed(error); batches.len()],
        };
        for (batch, verdict) in batches.into_iter().zip(verdicts) {
            self.on_verdict(batch, verdict);
        }
    }

    fn on_verdict(&mut self, batch: Batch, verdict: Verdict) {
        match verdict {
            Verdict::Delivered(placed) => self.finish(batch, Ok(placed)),
            Verdict::Retry(error) => self.retry(batch, error),
            Verdict::OutOfOrder(error) => {
                // Behind an older batch that failed, this is what must happen: it goes again after that one.
                if self.shared.accumulator().bump_epoch_for(&batch) {
                    tracing::warn!(partition = %batch.partition, %error, "starting a new producer epoch");
                }
                self.retry(batch, error);
            }
            Verdict::TooLarge(_) if batch.record_count() > 1 => {
                tracing::debug!(partition = %batch.partition, "batch is too large for its topic: sending its halves");
                let number = batch.number;
                let halves = batch.halves(self.options.compression, &mut self.decompressors);
                self.shared.accumulator().replace(number, halves, Instant::now());
            }
            Verdict::TooLarge(error) | Verdict::Failed(error) => self.finish(batch, Err(error)),
        }
    }

    fn retry(&mut self, batch: Batch, error: Error) {
        let now = Instant::now();
        if batch.attempts > self.options.retries {
            return self.finish(batch, Err(error));
        }
        tracing::debug!(partition = %batch.partition, %error, attempts = batch.attempts, "sending again");
        if error.code().is_none_or(is_stale_metadata) {
            self.refresh(now);
        }
        let wait = self.options.client.retry_backoff.saturating_mul(1 << (batch.attempts - 1).min(16));
        let wait = wait.min(self.options.client.retry_backoff_max);
        self.shared.accumulator().requeue(batch, now + wait);
    }

    fn expire(&mut self, batch: Batch) {
        let error = Error::TimedOut(format!(
            "Expiring {} record(s) for {}:{} ms has passed since batch creation",
            batch.record_count(),
            batch.partition,
            self.options.delivery_timeout.as_millis()
        ));
        self.finish(batch, Err(error));
    }

    /// Tells those who wait, and only then forgets the batch: a flush that finds nothing left must mean that all were told.
    fn finish(&mut self, mut batch: Batch, result: Result<Placed>) {
        let delivered = result.is_ok();
        batch.complete(result);
        self.shared.accumulator().finish(&batch, delivered);
        self.shared.memory.add_permits(batch.reserved.min(self.options.buffer_memory));
    }
}

/// The best version in which every topic can be named.
fn version_for(connection: &Connection, request: &ProduceRequest) -> Result<i16> {
    let version = connection.version_of::<ProduceRequest>()?;
    let named = request.topic_data.iter().all(|topic| topic.topic_id != base::uuid::Uuid::ZERO);
    Ok(if named { version } else { version.min(FIRST_WITH_TOPIC_IDS - 1) })
}
