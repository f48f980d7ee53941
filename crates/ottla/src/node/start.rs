//! From settings to a serving node, and back.

use std::io;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::config::node::connection_overrides;
use base::config::{BrokerConfig, NodeConfig};
use base::ids::{BrokerEpoch, DirectoryId};
use base::time::Now;
use base::uuid::Uuid;
use broker::broker::Broker;
use broker::controller::ControllerHandle;
use broker::hosting::{HostedDir, Hosting};
use broker::lifecycle::Lifecycle;
use broker::log_dirs::LogDirs;
use metadata::controller::ControllerSettings;
use metadata::features;
use metadata::format::{EmptyFormat, format_empty};
use metadata::image::Image;
use metadata::node::{ControllerNode, NodeSettings};
use net::clock::SystemClock;
use net::connection::Limits;
use net::listener::{ConnectionLimits, Connections};
use net::permits::Permits;
use protocol::messages::broker_registration_request::{
    BrokerRegistrationRequest, Listener as RegisteredListener,
};
use quorum::{ReplicaKey, Voter, VoterSet};
use storage::disk::Disk;
use storage::disk::os::OsDisk;
use storage::log_dir::LogDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::Settings;
use super::cleaner::{CleanerBell, CleanerMetrics, CleanerThreads};
use super::controller::{ControllerThread, RunningController};
use super::http::{self, Observed};
use super::listeners::{self, Bound, Service};
use super::log_dirs::{self, Threads};
use super::logging;
use super::movers::MoverThreads;
use super::random::SystemRandom;
use super::shards::ShardThreads;
use super::threads::Parking;

/// `/metrics` and `/healthz` when nothing else is said; another process may have the port.
const HTTP: &str = "127.0.0.1:9644";
/// Memory for large requests of all connections together when `queued.max.request.bytes` sets no limit.
const REQUEST_MEMORY: usize = 64 << 20;

/// A node that serves.
pub struct Node {
    runtime: Runtime,
    address: String,
    data: String,
    ready: Arc<AtomicBool>,
    controller: RunningController,
    shards: Vec<ShardThreads>,
    cleaner: CleanerThreads,
    movers: MoverThreads,
    dirs: Arc<LogDirs>,
    clock: SystemClock,
    epoch: BrokerEpoch,
}

impl Node {
    /// Starts a node; returns when it serves.
    ///
    /// # Errors
    /// One sentence that says what is in the way and what to do.
    pub fn start(settings: Settings) -> Result<Self, String> {
        let clock = SystemClock::start();
        let config = settings.config;
        let runtime = runtime(&config).map_err(|error| format!("no threads for the network: {error}"))?;
        let entered = runtime.enter();
        let bound = listeners::bind_all(&config)?;
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let parking = Parking::default();
        let format = |dirs: &mut [LogDir]| format_what_is_empty(dirs, &config, clock.now());
        let mut dirs = LogDirs::open(&disk, &config, &parking.waker(), format)?;
        let handle = Arc::new(ControllerHandle::new(parking.waker()));
        let recovering = usize::try_from(config.broker.num_recovery_threads_per_data_dir).unwrap_or(1);
        let of_controller = controller_settings(&config, &dirs)?;
        // The metadata and the logs have nothing to do with each other until the first publication.
        let (node, found) = std::thread::scope(|scope| {
            let open =
                || ControllerNode::open(disk.clone(), of_controller, clock.now(), Box::new(SystemRandom));
            let opening = scope.spawn(open);
            let found = dirs.open_logs(&Threads, recovering, &Arc::default(), clock.now());
            (opening.join().unwrap_or_else(|_| std::process::abort()), found)
        });
        let (node, found) = (node.map_err(|error| error.to_string())?, found?);
        tracing::debug!(logs = found.logs.len(), "opened");
        let broker = Arc::new(Broker::new(
            config.node_id,
            Arc::new(config.broker.clone()),
            config.layers.clone(),
            Arc::new(Image::empty(dirs.cluster_id())),
            handle.clone(),
            SystemRandom::shared(),
        ));
        let threads = |error: io::Error| format!("no threads for the log directories: {error}");
        let bell = CleanerBell::default();
        let mut shards = Vec::new();
        let mut hosted = Vec::new();
        for (index, dir) in dirs.online().enumerate() {
            let running = ShardThreads::start(index, shard_count(), clock, &bell).map_err(threads)?;
            hosted.push(HostedDir::new(dir.clone(), running.queues()));
            shards.push(running);
        }
        broker.set_log_dirs(dirs.states().to_vec());
        let mut hosting = Hosting::new(broker.clone(), disk.clone(), hosted, SystemRandom::shared());
        hosting.create_logs_with(Box::new(log_dirs::create_logs));
        found.logs.into_iter().for_each(|log| hosting.found(log));
        hosting.found_futures(found.futures);
        let movers = MoverThreads::start(&broker, clock).map_err(threads)?;
        let dirs = Arc::new(dirs);
        let (serving, served) = oneshot::channel();
        let controller = ControllerThread {
            node,
            handle,
            parking,
            hosting,
            broker: broker.clone(),
            lifecycle: Lifecycle::new(broker.clone(), registration(&config, &dirs, &bound)),
            dirs: dirs.clone(),
            checkpoint_ms: i64::from(config.broker.log_flush_offset_checkpoint_interval_ms),
            retention_check_ms: (
                config.broker.log_retention_check_interval_ms,
                config.broker.log_initial_task_delay_ms,
            ),
            clock,
        };
        let controller = controller.start(serving).map_err(threads)?;
        let epoch = runtime
            .block_on(served)
            .map_err(|_| "the controller ended before the broker was registered".to_owned())?;
        let cleaned = Arc::new(CleanerMetrics::default());
        let cleaner = CleanerThreads::start(bell, broker.clone(), dirs.clone(), clock, cleaned.clone())
            .map_err(|error| format!("no threads for log compaction: {error}"))?;
        let address = bound.first().map_or_else(String::new, address_of);
        let ready = serve(&runtime, &config, settings.http.as_deref(), bound, (broker, cleaned), clock)?;
        drop(entered);
        let data = config.log_dirs.join(", ");
        tracing::info!(node = %config.node_id, %address, cluster = dirs.cluster_id(), "serving");
        Ok(Self { runtime, address, data, ready, controller, shards, cleaner, movers, dirs, clock, epoch })
    }

    /// Where the first listener is reached, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its log directories.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Serves until SIGTERM or SIGINT, then stops cleanly.
    pub fn run_until_told(self) {
        let told = self.runtime.block_on(told());
        if let Err(error) = told {
            tracing::error!(%error, "signals cannot be received; stopping");
        }
        self.stop();
    }

    /// Stops cleanly: no more requests, logs closed, directories marked.
    pub fn stop(self) {
        self.ready.store(false, Ordering::Release);
        // Connections and listeners end with their runtime; what they submitted is still carried out.
        self.runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        self.cleaner.stop();
        self.movers.stop();
        let hosting = self.controller.stop();
        let logs = hosting.release_all();
        for shards in self.shards {
            shards.stop();
        }
        // The controller's thread had the only other handle, and it has ended.
        if let Ok(dirs) = Arc::try_unwrap(self.dirs) {
            // What is wrong with a directory was told where it happened.
            let _ = dirs.close(&Threads, logs.into_iter().collect(), self.epoch, self.clock.now());
        }
        tracing::info!("stopped");
    }
}

fn serve(
    runtime: &Runtime,
    config: &NodeConfig,
    http_address: Option<&str>,
    bound: Vec<Bound>,
    (broker, cleaner): (Arc<Broker>, Arc<CleanerMetrics>),
    clock: SystemClock,
) -> Result<Arc<AtomicBool>, String> {
    let count = |limit: i32| usize::try_from(limit).unwrap_or(usize::MAX);
    let connections = Connections::new(connection_limits(&broker.config()));
    let followed = connections.clone();
    broker.on_configured(Box::new(move |config| followed.set_limits(connection_limits(config))));
    broker.loggers().on_change(Box::new(logging::follow));
    broker.ask_about_log_dirs(Box::new(log_dirs::facts));
    let budget = usize::try_from(config.broker.queued_max_request_bytes).ok().filter(|budget| *budget > 0);
    let permits = Permits::new(budget.unwrap_or(REQUEST_MEMORY));
    let limits = Limits {
        request_max_bytes: count(config.broker.socket_request_max_bytes),
        max_idle_ms: config.broker.connections_max_idle_ms,
        permits: permits.clone(),
    };
    let ready = Arc::new(AtomicBool::new(true));
    let observed = Observed {
        broker: broker.clone(),
        connections: connections.clone(),
        permits,
        ready: ready.clone(),
        cleaner,
        clock,
    };
    match runtime.block_on(tokio::net::TcpListener::bind(http_address.unwrap_or(HTTP))) {
        Ok(listener) => drop(runtime.spawn(http::serve(listener, observed))),
        Err(error) => match http_address {
            Some(address) => return Err(format!("ottla.http.address={address} cannot be used: {error}")),
            None => {
                tracing::warn!("no metrics page: {HTTP} is taken; set ottla.http.address for another one")
            }
        },
    }
    let service = Service { broker, limits, clock };
    for listener in bound {
        runtime.spawn(listeners::serve_all(listener, connections.clone(), service.clone()));
    }
    Ok(ready)
}

fn connection_limits(config: &BrokerConfig) -> ConnectionLimits {
    let count = |limit: i32| usize::try_from(limit).unwrap_or(usize::MAX);
    // It was checked before it came to count.
    let overrides = connection_overrides(&config.max_connections_per_ip_overrides).unwrap_or_default();
    let addresses = overrides.into_iter().filter_map(|(host, limit)| {
        let mut addresses = (host.as_str(), 0).to_socket_addrs().ok()?;
        Some((addresses.next()?.ip().to_canonical(), count(limit)))
    });
    ConnectionLimits {
        max_connections: count(config.max_connections),
        max_connections_per_ip: count(config.max_connections_per_ip),
        per_ip_overrides: addresses.collect(),
    }
}

fn runtime(config: &NodeConfig) -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let wanted = usize::try_from(config.broker.num_network_threads).unwrap_or(1);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(wanted.clamp(1, cores))
        // Those that wait for the disk on behalf of readers.
        .max_blocking_threads(
            usize::try_from(config.broker.num_io_threads).map_or(1, |threads| threads.max(1)),
        )
        .thread_name("network")
        .enable_all()
        .build()
}

/// Shards of each log directory: partitions are spread over them, and one thread already fills a disk.
fn shard_count() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (usize::from(cores) / 2).clamp(1, 8))
}

fn address_of(bound: &Bound) -> String {
    match (&bound.context.advertised, bound.socket.local_addr()) {
        (Some((host, port)), _) => format!("{host}:{port}"),
        (None, Ok(address)) if address.ip().is_unspecified() => format!("127.0.0.1:{}", address.port()),
        (None, Ok(address)) => address.to_string(),
        (None, Err(_)) => String::new(),
    }
}

/// Formats the directories of a new node, and new directories of an old one.
fn format_what_is_empty(dirs: &mut [LogDir], config: &NodeConfig, now: Now) -> Result<(), String> {
    let empty = EmptyFormat {
        node_id: config.node_id,
        cluster_id: None,
        metadata_dir: Path::new(&config.metadata_log_dir),
        endpoints: &controller_endpoints(config),
    };
    let formatted =
        format_empty(dirs, &empty, now.wall, &mut SystemRandom).map_err(|error| error.to_string())?;
    for path in formatted {
        tracing::info!(%path, "formatted");
    }
    Ok(())
}

/// What the controller of this node is, with the metadata log in its directory.
fn controller_settings(config: &NodeConfig, dirs: &LogDirs) -> Result<NodeSettings, String> {
    let metadata_dir = PathBuf::from(&config.metadata_log_dir);
    let directory_id = dirs
        .id_of(&metadata_dir)
        .ok_or_else(|| format!("metadata.log.dir={} must be one of log.dirs", config.metadata_log_dir))?;
    let broker = &config.broker;
    Ok(NodeSettings {
        node_id: config.node_id,
        cluster_id: dirs.cluster_id().to_owned(),
        metadata_dir,
        directory_id,
        endpoints: controller_endpoints(config),
        static_voters: static_voters(config, directory_id),
        controller: ControllerSettings {
            num_partitions: broker.num_partitions,
            default_replication_factor: i16::try_from(broker.default_replication_factor).unwrap_or(i16::MAX),
            delete_topic_enable: broker.delete_topic_enable,
            broker_session_timeout_ms: i64::from(broker.broker_session_timeout_ms),
            configs: config.layers.clone(),
            supported_features: features::supported(),
        },
        snapshot_bytes: u64::try_from(broker.metadata_log_max_record_bytes_between_snapshots)
            .unwrap_or(u64::MAX),
        snapshot_interval_ms: broker.metadata_log_max_snapshot_interval_ms,
        retention_bytes: broker.metadata_max_retention_bytes,
        retention_ms: broker.metadata_max_retention_ms,
    })
}

/// The voters of `controller.quorum.voters`; `None` when the metadata log holds them.
fn static_voters(config: &NodeConfig, own_directory: DirectoryId) -> Option<VoterSet> {
    if config.voters.is_empty() {
        return None;
    }
    let listener = config.controller_listener_names.first().cloned().unwrap_or_default();
    let voters = config.voters.iter().map(|voter| {
        let directory = if voter.id == config.node_id { own_directory } else { DirectoryId::default() };
        let endpoint = quorum::Endpoint {
            name: listener.clone(),
            host: voter.address.host.clone(),
            port: voter.address.port,
        };
        Voter { key: ReplicaKey::new(voter.id, directory), endpoints: vec![endpoint], kraft_versions: (0, 1) }
    });
    Some(voters.collect())
}

fn controller_endpoints(config: &NodeConfig) -> Vec<quorum::Endpoint> {
    let endpoint = |listener: &base::config::Listener| quorum::Endpoint {
        name: listener.name.clone(),
        host: listener.host.clone().unwrap_or_else(|| "localhost".to_owned()),
        port: listener.port,
    };
    config.controller_listeners().map(endpoint).collect()
}

fn registration(config: &NodeConfig, dirs: &LogDirs, bound: &[Bound]) -> BrokerRegistrationRequest {
    let security = |name: &str| {
        let listener = config.listeners.iter().find(|listener| listener.name == name);
        listener.map_or(0, |listener| listener.security_protocol as i16)
    };
    let listener = |bound: &Bound| {
        let local = bound.socket.local_addr().ok();
        let (host, port) = bound.context.advertised.clone().unwrap_or_else(|| {
            let ip = local.map(|local| local.ip()).filter(|ip| !ip.is_unspecified());
            let host = ip.map_or_else(|| "localhost".to_owned(), |ip| ip.to_string());
            (host, local.map_or(0, |local| local.port()))
        });
        let security_protocol = security(&bound.context.name);
        RegisteredListener { name: bound.context.name.clone(), host, port, security_protocol }
    };
    BrokerRegistrationRequest {
        broker_id: config.node_id.0,
        cluster_id: dirs.cluster_id().to_owned(),
        incarnation_id: Uuid::from_u128(SystemRandom::shared()()),
        listeners: bound.iter().map(listener).collect(),
        rack: config.broker.broker_rack.clone(),
        log_dirs: dirs.online().filter_map(|dir| Some(dir.id()?.0)).collect(),
        previous_broker_epoch: dirs.previous_epoch().0,
        ..BrokerRegistrationRequest::default()
    }
}

async fn told() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
