//! `/healthz` and `/metrics` (Prometheus' text) on an HTTP port of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use broker::broker::Broker;
use net::clock::SystemClock;
use net::listener::Connections;
use net::permits::Permits;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::cleaner::CleanerMetrics;

/// What the pages tell.
#[derive(Clone)]
pub struct Observed {
    /// The broker.
    pub broker: Arc<Broker>,
    /// Its connections.
    pub connections: Connections,
    /// The memory of large requests.
    pub permits: Permits,
    /// Whether the node serves clients.
    pub ready: Arc<AtomicBool>,
    /// How compaction gets on.
    pub cleaner: Arc<CleanerMetrics>,
    /// The clocks.
    pub clock: SystemClock,
}

/// Serves both pages until the node ends.
///
/// # Errors
/// The socket's own.
pub async fn serve(listener: TcpListener, observed: Observed) -> io::Result<()> {
    let router =
        Router::new().route("/healthz", get(health)).route("/metrics", get(metrics)).with_state(observed);
    axum::serve(listener, router).await
}

async fn health(State(observed): State<Observed>) -> (StatusCode, &'static str) {
    match observed.ready.load(Ordering::Acquire) {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
    }
}

async fn metrics(State(observed): State<Observed>) -> Result<String, StatusCode> {
    let mut registry = Registry::with_prefix("ottla");
    registry.register_collector(Box::new(observed));
    let mut page = String::new();
    text::encode(&mut page, &registry).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(page)
}

impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observed")
    }
}

/// A gauge of the page: name, what it means, how it is read.
type Gauge = (&'static str, &'static str, fn(&Observed) -> i64);

static GAUGES: [Gauge; 13] = [
    ("partitions", "Partitions that this node hosts", |observed| observed.broker.partition_count() as i64),
    ("offline_log_directory_count", "Log directories that failed", |observed| {
        observed.broker.offline_log_dir_count() as i64
    }),
    ("topics", "Topics of the cluster", |observed| observed.broker.image().topic_count() as i64),
    ("connections", "Client connections open", |observed| observed.connections.total() as i64),
    ("fetch_sessions", "Incremental fetch sessions open", |observed| {
        observed.broker.fetch_session_count() as i64
    }),
    ("request_memory_bytes", "Memory held by large requests", |observed| observed.permits.taken() as i64),
    ("metadata_offset", "Offset of the last metadata record applied", |observed| {
        observed.broker.image().offset().0
    }),
    ("log_cleaner_max_dirty_percent", "Dirty part of the dirtiest compacted log", |observed| {
        observed.cleaner.max_dirty_percent()
    }),
    ("log_cleaner_recopy_percent", "Bytes that the last compactions kept", |observed| {
        observed.cleaner.recopy_percent()
    }),
    ("log_cleaner_max_clean_time_secs", "Time that the longest of the last compactions took", |observed| {
        observed.cleaner.max_clean_time_secs()
    }),
    ("log_cleaner_max_buffer_utilization_percent", "How full the map of keys was at most", |observed| {
        observed.cleaner.max_buffer_utilization_percent()
    }),
    (
        "log_cleaner_max_compaction_delay_secs",
        "By how much a log has exceeded max.compaction.lag.ms at most",
        |observed| observed.cleaner.max_compaction_delay_secs(),
    ),
    ("log_cleaner_time_since_last_run_ms", "Time since the last look for a log to compact", |observed| {
        observed.cleaner.time_since_last_run_ms(observed.clock.now())
    }),
];

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, help, read) in GAUGES {
            let gauge = ConstGauge::new(read(self));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let any = ConstCounter::new(0u64);
        let kind = any.metric_type();
        let runs = ConstCounter::new(self.cleaner.cleaned_logs());
        runs.encode(encoder.encode_descriptor(
            "log_cleaner_runs",
            "Compactions that ended well",
            None,
            kind,
        )?)?;
        let of_dir = ConstGauge::new(0i64).metric_type();
        let (name, help) = ("log_cleaner_uncleanable_partitions_count", "Partitions whose compaction failed");
        let mut uncleanable = encoder.encode_descriptor(name, help, None, of_dir)?;
        for (dir, count) in self.cleaner.uncleanable_partitions() {
            let labels = [("logDirectory", dir.display().to_string())];
            ConstGauge::new(count).encode(uncleanable.encode_family(&labels)?)?;
        }
        let mut requests = encoder.encode_descriptor("requests", "Requests taken up", None, kind)?;
        for (key, count) in self.broker.metrics().requests() {
            let labels = [("api", key.to_string())];
            ConstCounter::new(count).encode(requests.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
