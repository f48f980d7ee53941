//! The consumer's one task: keeps a fetch in flight to each leader, and takes in what comes.
//!
//! Invariant: at most one fetch in flight per leader, because a broker handles a connection's requests one after another
//! and a second one would only wait behind the first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, Offset, ProducerId, TopicId};
use protocol::messages::fetch_response::{FetchResponse, NodeEndpoint, PartitionData};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::chunk::{Chunk, end_of};
use super::options::ConsumerOptions;
use super::request::{fetch_request, fetch_version};
use super::session::{Session, Wanted};
use super::state::{Assigned, Position};
use crate::admin::offsets_once;
use crate::cluster::{Backoff, Broker, Cluster};
use crate::connection::Connection;
use crate::error::{Error, Result, is_stale_metadata};
use crate::record::TopicPartition;

/// How long a broker may hold an answer back when some of its partitions are left out because the application is slow:
/// they should not wait for `fetch.max.wait.ms` once they are wanted again.
const SHORT_WAIT: Duration = Duration::from_millis(20);

pub(super) struct Fetcher {
    cluster: Cluster,
    options: ConsumerOptions,
    shared: Arc<Shared>,
    links: HashMap<NodeId, Link>,
    events: mpsc::UnboundedReceiver<Event>,
    report: mpsc::UnboundedSender<Event>,
    refreshing: bool,
    refresh_after: Instant,
    refresh_backoff: Backoff,
}

/// A leader.
struct Link {
    connection: Option<Connection>,
    session: Session,
    /// A fetch or an attempt to connect is under way.
    busy: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
}

/// The versions under which partitions were asked for.
type Asked = BTreeMap<TopicPartition, (u64, Offset)>;

enum Event {
    Connected(NodeId, Result<Connection>),
    Fetched(NodeId, Asked, Result<FetchResponse>),
    Resolved(Vec<(TopicPartition, u64, Result<Offset>)>),
    Refreshed(Result<()>),
}

impl Fetcher {
    pub(super) fn new(cluster: Cluster, options: ConsumerOptions, shared: Arc<Shared>) -> Self {
        let (report, events) = mpsc::unbounded_channel();
        Self {
            refresh_backoff: cluster.backoff(),
            cluster,
            options,
            shared,
            links: HashMap::new(),
            events,
            report,
            refreshing: false,
            refresh_after: Instant::now(),
        }
    }

    /// Runs until the consumer is dropped, which aborts it.
    pub(super) async fn run(mut self) {
        loop {
            let wake = self.ask();
            tokio::select! {
                () = self.shared.news.notified() => {}
                event = self.events.recv() => {
                    self.on(event.expect("this task holds a sender of its own channel"));
                    while let Ok(event) = self.events.try_recv() {
                        self.on(event);
                    }
                    self.shared.arrived.notify_waiters();
                }
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Sends what can be sent, and says when to look again.
    fn ask(&mut self) -> Instant {
        let now = Instant::now();
        let metadata = self.cluster.metadata();
        let ahead = self.options.max_partition_fetch_bytes;
        let plan = self.shared.state().plan(now, &metadata, ahead);
        let stale = plan.leaderless || now >= self.cluster.stale_at();
        if stale {
            self.refresh(now);
        }
        let refresh = match (self.refreshing, stale) {
            (true, _) => now + self.options.client.metadata_max_age,
            (false, true) => self.refresh_after,
            (false, false) => self.cluster.stale_at(),
        };
        let mut wake = plan.wake.map_or(refresh, |at| at.min(refresh));
        if !plan.unresolved.is_empty() {
            self.resolve(plan.unresolved);
        }
        for (node, wanted) in plan.fetches {
            let short = plan.left_out.contains(&node);
            if let Some(at) = self.fetch(now, node, wanted, short) {
                wake = wake.min(at);
            }
        }
        wake
    }

    /// Fetches from a leader, or connects to it first; gives the time when that is allowed again.
    fn fetch(
        &mut self,
        now: Instant,
        node: NodeId,
        wanted: BTreeMap<TopicPartition, Wanted>,
        short: bool,
    ) -> Option<Instant> {
        let link = self.links.entry(node).or_insert_with(|| Link::new(self.cluster.backoff()));
        if link.busy {
            return None;
        }
        if let Some(at) = link.not_before.filter(|at| *at > now) {
            return Some(at);
        }
        link.busy = true;
        let connection = link.connection.as_ref().filter(|connection| !connection.is_broken()).cloned();
        let (report, cluster) = (self.report.clone(), self.cluster.clone());
        let Some(connection) = connection else {
            link.session = Session::default();
            tokio::spawn(async move {
                let _ = report.send(Event::Connected(node, cluster.fetch_connection(node).await));
            });
            return None;
        };
        let state = self.shared.state();
        let asked = wanted.iter().filter_map(|(partition, wanted)| {
            let version = state.partitions.get(partition)?.version;
            Some((partition.clone(), (version, wanted.offset)))
        });
        let asked: Asked = asked.collect();
        drop(state);
        let wait =
            if short { SHORT_WAIT.min(self.options.fetch_max_wait) } else { self.options.fetch_max_wait };
        let version = fetch_version(&connection, &wanted);
        let request = fetch_request(&self.options, link.session.build(wanted), wait);
        tracing::trace!(%node, ?request, "fetching");
        // The broker holds the answer back for `wait`; only then the request's own time begins.
        let time = self.options.client.request_timeout + wait;
        tokio::spawn(async move {
            let answer = match version {
                Ok(version) => connection.call_as(version, &request, time).await,
                Err(error) => Err(error),
            };
            let _ = report.send(Event::Fetched(node, asked, answer));
        });
        None
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

    fn resolve(&mut self, unresolved: Vec<(TopicPartition, crate::admin::OffsetSpec, u64)>) {
        let (cluster, report) = (self.cluster.clone(), self.report.clone());
        let isolation = self.options.isolation_level.code();
        tokio::spawn(async move {
            let asked = unresolved.iter().map(|(partition, spec, _)| (partition.clone(), *spec)).collect();
            let mut listed = offsets_once(&cluster, asked, isolation).await;
            let results = unresolved.into_iter().map(|(partition, _, version)| {
                let unknown = || Err(Error::refused(ErrorCode::LEADER_NOT_AVAILABLE, None));
                let result = listed.remove(&partition).unwrap_or_else(unknown);
                (partition, version, result.map(|listed| listed.offset))
            });
            let _ = report.send(Event::Resolved(results.collect()));
        });
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Connected(node, connection) => self.on_connected(node, connection),
            Event::Fetched(node, asked, answer) => self.on_fetched(node, asked, answer),
            Event::Resolved(results) => self.on_resolved(results),
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
        let Some(link) = self.links.get_mut(&node) else { return };
        link.busy = false;
        match connection {
            Ok(connection) => link.connection = Some(connection),
            Err(error) => {
                tracing::warn!(%node, %error, "leader cannot be reached");
                link.not_before = Some(Instant::now() + link.backoff.next());
                self.refresh(Instant::now());
            }
        }
    }

    fn on_resolved(&mut self, results: Vec<(TopicPartition, u64, Result<Offset>)>) {
        let mut stale = false;
        let backoff = self.options.client.retry_backoff;
        let mut state = self.shared.state();
        for (partition, version, result) in results {
            let Some(assigned) = state.partitions.get_mut(&partition) else { continue };
            if assigned.version != version {
                continue;
            }
            assigned.resolving = false;
            match result {
                Ok(offset) => assigned.move_to(Position::At(offset), version),
                Err(error) if error.retriable() => {
                    stale |= error.needs_metadata();
                    assigned.not_before = Some(Instant::now() + backoff);
                }
                Err(error) => assigned.error = Some(error),
            }
        }
        drop(state);
        if stale {
            self.refresh(Instant::now());
        }
    }

    fn on_fetched(&mut self, node: NodeId, asked: Asked, answer: Result<FetchResponse>) {
        let Some(link) = self.links.get_mut(&node) else { return };
        tracing::trace!(%node, ?answer, "fetched");
        link.busy = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%node, %error, "fetch failed");
                link.session.lost();
                link.not_before = Some(Instant::now() + link.backoff.next());
                return self.refresh(Instant::now());
            }
        };
        if !link.session.answered(answer.error_code, answer.session_id) {
            tracing::debug!(%node, code = %answer.error_code, "fetch session begins anew");
            if is_stale_metadata(answer.error_code) {
                link.not_before = Some(Instant::now() + link.backoff.next());
                self.refresh(Instant::now());
            }
            return;
        }
        link.backoff.reset();
        link.not_before = None;
        let mut rows = Vec::new();
        for topic in answer.responses {
            let name = match topic.topic.is_empty() {
                true => link.session.name_of(TopicId(topic.topic_id)),
                false => Some(topic.topic.into()),
            };
            let Some(name) = name else { continue };
            rows.extend(
                topic
                    .partitions
                    .into_iter()
                    .map(|row| (TopicPartition::new(name.clone(), row.partition_index), row)),
            );
        }
        self.on_rows(&asked, rows, &answer.node_endpoints);
    }

    fn on_rows(
        &mut self,
        asked: &Asked,
        rows: Vec<(TopicPartition, PartitionData)>,
        endpoints: &[NodeEndpoint],
    ) {
        let mut stale = false;
        let shared = self.shared.clone();
        let mut state = shared.state();
        for (partition, row) in rows {
            let leader = row.current_leader.leader_id;
            if leader >= 0 {
                let endpoint = endpoints.iter().find(|endpoint| endpoint.node_id == leader).map(broker);
                let epoch = LeaderEpoch(row.current_leader.leader_epoch);
                self.cluster.learn_leader(&partition, NodeId(leader), epoch, endpoint);
            }
            let (Some(assigned), Some((version, offset))) =
                (state.partitions.get_mut(&partition), asked.get(&partition))
            else {
                continue;
            };
            if assigned.version == *version && assigned.fetch_offset == *offset {
                stale |= self.on_row(&partition, assigned, row);
            }
        }
        drop(state);
        if stale {
            self.refresh(Instant::now());
        }
    }

    /// Takes in what a partition answered; true when the metadata is out of date.
    fn on_row(&self, partition: &TopicPartition, assigned: &mut Assigned, row: PartitionData) -> bool {
        match row.error_code {
            ErrorCode::NONE => {
                assigned.high_watermark = Offset(row.high_watermark);
                if row.diverging_epoch.epoch >= 0 {
                    self.on_truncated(partition, assigned, Offset(row.diverging_epoch.end_offset));
                } else if let Err(error) = self.take_records(assigned, row) {
                    assigned.error = Some(error);
                }
                false
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                tracing::warn!(%partition, offset = %assigned.fetch_offset, "fetch position is out of range");
                self.reset(partition, assigned);
                false
            }
            code if is_stale_metadata(code)
                || code.retriable()
                || code == ErrorCode::UNKNOWN_SERVER_ERROR =>
            {
                tracing::debug!(%partition, %code, "fetching again");
                assigned.not_before = Some(Instant::now() + self.options.client.retry_backoff);
                is_stale_metadata(code)
            }
            code => {
                assigned.error = Some(Error::refused(code, None));
                false
            }
        }
    }

    fn take_records(&self, assigned: &mut Assigned, row: PartitionData) -> Result<()> {
        let Some(records) = row.records.filter(|records| !records.is_empty()) else { return Ok(()) };
        let bytes = records.to_bytes().map_err(|error| Error::Corrupt(error.to_string()))?;
        let Some(end) = end_of(&bytes)? else {
            return Err(Error::Corrupt("an answer holds no whole record batch".to_owned()));
        };
        let aborted = row.aborted_transactions.unwrap_or_default().into_iter();
        let aborted = aborted.map(|one| (ProducerId(one.producer_id), Offset(one.first_offset))).collect();
        let (isolation, check_crcs) = (self.options.isolation_level, self.options.check_crcs);
        assigned.push(Chunk::new(bytes.slice(..end.length), aborted, isolation, check_crcs), end);
        Ok(())
    }

    /// The log that was read from lost its end under another leader (KIP-320).
    fn on_truncated(&self, partition: &TopicPartition, assigned: &mut Assigned, end: Offset) {
        tracing::warn!(%partition, offset = %assigned.fetch_offset, %end, "the log was truncated");
        if self.options.auto_offset_reset.spec().is_none() {
            let offset = assigned.fetch_offset;
            let text =
                format!("Truncated partition {partition} with fetch offset {offset}: its log ends at {end}");
            assigned.error = Some(Error::Corrupt(text));
            return;
        }
        let position = match assigned.position {
            Position::At(position) => position.min(end),
            _ => end,
        };
        assigned.move_to(Position::At(position), assigned.version);
    }

    fn reset(&self, partition: &TopicPartition, assigned: &mut Assigned) {
        match self.options.auto_offset_reset.spec() {
            Some(spec) => assigned.move_to(Position::Unresolved(spec), assigned.version),
            None => {
                let offset = assigned.fetch_offset;
                let text = format!("Fetch position {offset} is out of range for partition {partition}");
                assigned.error = Some(Error::refused(ErrorCode::OFFSET_OUT_OF_RANGE, Some(text)));
            }
        }
    }
}

impl Link {
    fn new(backoff: Backoff) -> Self {
        Self { connection: None, session: Session::default(), busy: false, not_before: None, backoff }
    }
}

fn broker(endpoint: &NodeEndpoint) -> Broker {
    Broker {
        id: NodeId(endpoint.node_id),
        host: endpoint.host.clone(),
        port: endpoint.port,
        rack: endpoint.rack.clone(),
    }
}
