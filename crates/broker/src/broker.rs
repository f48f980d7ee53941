//! What every connection of a node shares: the image, the partitions, the sessions of fetchers, the way to the controller.
//!
//! Invariant: the image and the table of partitions only change together, by [`crate::publish`]: a topic is told to
//! clients after its logs are there, and its logs go after it is no longer told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use base::config::{BrokerConfig, Layers};
use base::error_code::ErrorCode;
use base::ids::{LeaderEpoch, NodeId, PartitionIndex, TopicId};
use base::time::Now;
use metadata::controller::{ControllerRequest, ControllerVerb};
use metadata::image::Image;
use protocol::messages::produce_request::TopicProduceData;
use replication::fetch_session::{FetchSessions, OpenFetch, Outcome, SessionRequest};
use storage::log::Checkpoint;

use crate::context::ConnectionContext;
use crate::controller::{ControllerHandle, auto_create_request};
use crate::log_dirs::LogDirState;
use crate::loggers::Loggers;
use crate::metrics::Metrics;
use crate::moves::Moves;
use crate::partition::{PartitionHandle, Replica};
use crate::producer_ids::ProducerIds;

/// Topics that Kafka keeps for itself.
const INTERNAL_TOPICS: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Random bits from the node's one source; a seeded one in the simulator.
pub type Random = Arc<dyn Fn() -> u128 + Send + Sync>;

/// A node's broker.
pub struct Broker {
    node: NodeId,
    configured: RwLock<Configured>,
    on_configured: Mutex<Vec<OnConfigured>>,
    loggers: Loggers,
    log_dirs: RwLock<Vec<Arc<LogDirState>>>,
    moves: Arc<Moves>,
    log_dir_facts: OnceLock<FindLogDirFacts>,
    image: RwLock<Arc<Image>>,
    partitions: RwLock<HashMap<Replica, PartitionHandle>>,
    fetch_sessions: Mutex<FetchSessions>,
    producer_ids: ProducerIds,
    controller: Arc<ControllerHandle>,
    random: Random,
    metrics: Metrics,
}

/// What counts of a broker's configs at the moment, as text and as values.
#[derive(Clone)]
struct Configured {
    config: Arc<BrokerConfig>,
    layers: Arc<Layers>,
}

/// Told of the configs whenever some were set while the broker runs.
type OnConfigured = Box<dyn Fn(&BrokerConfig) + Send + Sync>;

/// What the operating system says of a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirFacts {
    /// As it is reached from anywhere.
    pub absolute: PathBuf,
    /// The size of its file system; -1 when that is unknown.
    pub total_bytes: i64,
    /// What may still be written there; -1 when that is unknown.
    pub usable_bytes: i64,
}

/// Asks the operating system.
type FindLogDirFacts = Box<dyn Fn(&Path) -> LogDirFacts + Send + Sync>;

/// A broker as one client is to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEndpoint {
    /// Its id.
    pub id: NodeId,
    /// A name or address.
    pub host: String,
    /// A port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Whether it is registered but must not be used.
    pub is_fenced: bool,
}

impl Broker {
    /// A broker that hosts nothing yet.
    pub fn new(
        node: NodeId,
        config: Arc<BrokerConfig>,
        layers: Layers,
        image: Arc<Image>,
        controller: Arc<ControllerHandle>,
        random: Random,
    ) -> Self {
        let slots = usize::try_from(config.max_incremental_fetch_session_cache_slots).unwrap_or(0);
        Self {
            node,
            configured: RwLock::new(Configured { config, layers: Arc::new(layers) }),
            on_configured: Mutex::default(),
            loggers: Loggers::default(),
            log_dirs: RwLock::default(),
            moves: Arc::default(),
            log_dir_facts: OnceLock::new(),
            image: RwLock::new(image),
            partitions: RwLock::default(),
            fetch_sessions: Mutex::new(FetchSessions::new(slots)),
            producer_ids: ProducerIds::new(node, controller.clone()),
            controller,
            random,
            metrics: Metrics::default(),
        }
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Its configs as of now.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.configured().config
    }

    /// What was set, for the configs of topics and for descriptions.
    pub fn layers(&self) -> Arc<Layers> {
        self.configured().layers
    }

    fn configured(&self) -> Configured {
        self.configured.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `follow` is told of the configs whenever some were set while the broker runs, on the controller's thread.
    pub fn on_configured(&self, follow: OnConfigured) {
        self.on_configured.lock().unwrap_or_else(PoisonError::into_inner).push(follow);
    }

    /// Other configs count from now on.
    pub(crate) fn configure(&self, config: BrokerConfig, layers: Layers) {
        let configured = Configured { config: Arc::new(config), layers: Arc::new(layers) };
        let config = configured.config.clone();
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = configured;
        for follow in self.on_configured.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            follow(&config);
        }
    }

    /// The directories that its logs lie in.
    pub fn set_log_dirs(&self, dirs: Vec<Arc<LogDirState>>) {
        *self.log_dirs.write().unwrap_or_else(PoisonError::into_inner) = dirs;
    }

    /// `find` is asked about log directories from now on; without it their sizes are unknown.
    pub fn ask_about_log_dirs(&self, find: FindLogDirFacts) {
        // Whoever came first answers.
        let _ = self.log_dir_facts.set(find);
    }

    /// All log directories, in the order of the configuration.
    pub fn log_dirs(&self) -> Vec<Arc<LogDirState>> {
        self.log_dirs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `OfflineLogDirectoryCount`: the log directories that failed.
    pub fn offline_log_dir_count(&self) -> usize {
        self.log_dirs().iter().filter(|dir| !dir.is_online()).count()
    }

    /// Whether a directory must not get new replicas (`cordoned.log.dirs`, KIP-1066).
    pub(crate) fn is_cordoned(&self, dir: &LogDirState) -> bool {
        let config = self.config();
        config.cordoned_log_dirs.iter().any(|cordoned| cordoned == "*" || Path::new(cordoned) == dir.path())
    }

    pub(crate) fn log_dir_facts(&self, path: &Path) -> LogDirFacts {
        match self.log_dir_facts.get() {
            Some(find) => find(path),
            None => LogDirFacts { absolute: path.to_owned(), total_bytes: -1, usable_bytes: -1 },
        }
    }

    /// Replicas on their way to other log directories.
    pub fn moves(&self) -> &Arc<Moves> {
        &self.moves
    }

    /// Its loggers and their levels.
    pub fn loggers(&self) -> &Loggers {
        &self.loggers
    }

    /// The metadata as of now; a request takes it once.
    pub fn image(&self) -> Arc<Image> {
        self.image.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The way to the active controller.
    pub fn controller(&self) -> &ControllerHandle {
        &self.controller
    }

    /// Asks the controller for topics that clients asked about. They are told to come back meanwhile.
    pub(crate) fn create_missing_topics(&self, names: BTreeSet<String>) {
        let names = self.controller.begin_creating(names);
        if names.is_empty() {
            return;
        }
        let request = auto_create_request(&names, self.config().request_timeout_ms);
        let controller = self.controller.clone();
        let on_reply = Box::new(move |_| controller.end_creating(&names));
        let request = ControllerRequest::internal(ControllerVerb::CreateTopics(request));
        self.controller.submit(request, on_reply);
    }

    /// Hands out producer ids.
    pub fn producer_ids(&self) -> &ProducerIds {
        &self.producer_ids
    }

    /// Whether Kafka keeps the topic for itself.
    pub fn is_internal(topic: &str) -> bool {
        INTERNAL_TOPICS.contains(&topic)
    }

    /// How many partitions this node hosts.
    pub fn partition_count(&self) -> usize {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A partition that this node hosts.
    ///
    /// # Errors
    /// 100 or 3 when the metadata does not know it, 56 when its disk failed, 6 when it is elsewhere.
    pub fn partition(&self, topic: TopicId, index: PartitionIndex) -> Result<PartitionHandle, ErrorCode> {
        match self.hosted(topic, index) {
            Some(handle) if handle.shared.is_offline() => Err(ErrorCode::KAFKA_STORAGE_ERROR),
            Some(handle) => Ok(handle),
            None => Err(self.why_absent(topic, index)),
        }
    }

    /// A partition that is in this node's table, also when its disk failed.
    pub fn hosted(&self, topic: TopicId, index: PartitionIndex) -> Option<PartitionHandle> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(&(topic, index)).cloned()
    }

    fn why_absent(&self, topic: TopicId, index: PartitionIndex) -> ErrorCode {
        let image = self.image();
        match image.topic_by_id(topic) {
            None => ErrorCode::UNKNOWN_TOPIC_ID,
            Some(topic) => match topic.partition(index) {
                None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                Some(partition) if partition.leader == self.node => ErrorCode::KAFKA_STORAGE_ERROR,
                Some(_) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
            },
        }
    }

    /// The id of the topic that a produce names.
    ///
    /// # Errors
    /// 100 for an unknown id, 3 for an unknown name.
    pub fn find_topic(&self, topic: &TopicProduceData, by_id: bool) -> Result<TopicId, ErrorCode> {
        if by_id {
            let id = TopicId(topic.topic_id);
            return self.image().topic_by_id(id).map(|_| id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID);
        }
        let image = self.image();
        image.topic_by_name(&topic.name).map(|topic| topic.id).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    /// The registered brokers as the client of `connection` is to reach them: by the listener that it came through, and
    /// this node by the address that it dialled unless another is configured.
    pub fn endpoints(&self, connection: &ConnectionContext) -> impl Iterator<Item = BrokerEndpoint> {
        let image = self.image();
        let brokers = image.brokers().filter_map(|broker| {
            let (host, port) = if broker.id == self.node {
                connection.own_endpoint()
            } else {
                let endpoint = broker.endpoint(&connection.listener.name)?;
                (endpoint.host.clone(), i32::from(endpoint.port))
            };
            let rack = broker.rack.clone();
            Some(BrokerEndpoint { id: broker.id, host, port, rack, is_fenced: broker.fenced })
        });
        brokers.collect::<Vec<_>>().into_iter()
    }

    /// Any live broker: KRaft names one where clients look for the controller, because every broker forwards to it.
    pub fn any_broker(&self) -> NodeId {
        let image = self.image();
        let live: Vec<NodeId> =
            image.brokers().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
        match live.len() {
            0 => NodeId::NONE,
            count => live[((self.random)() % count as u128) as usize],
        }
    }

    /// Applies a fetch request to its session; see [`FetchSessions::open`].
    ///
    /// # Errors
    /// The session's own.
    pub fn open_fetch_session(&self, request: SessionRequest, now: Now) -> Result<OpenFetch, ErrorCode> {
        self.fetch_sessions().open(request, now.mono, || (self.random)() as i32)
    }

    /// What of a fetch is told; see [`FetchSessions::answer`].
    pub fn answer_fetch_session(&self, fetch: &OpenFetch, outcomes: &[Outcome]) -> Vec<bool> {
        if fetch.session_id == 0 {
            return vec![true; outcomes.len()];
        }
        self.fetch_sessions().answer(fetch, outcomes)
    }

    /// Incremental fetch sessions open at the moment.
    pub fn fetch_session_count(&self) -> usize {
        self.fetch_sessions().len()
    }

    fn fetch_sessions(&self) -> MutexGuard<'_, FetchSessions> {
        self.fetch_sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image changes; the caller keeps the order of the type's invariant.
    pub(crate) fn set_image(&self, image: Arc<Image>) {
        *self.image.write().unwrap_or_else(PoisonError::into_inner) = image;
    }

    /// A partition is hosted from now on.
    pub(crate) fn insert_partition(&self, handle: PartitionHandle) {
        let replica = handle.shared.replica();
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).insert(replica, handle);
    }

    /// A partition is no longer hosted.
    pub(crate) fn remove_partition(&self, topic: TopicId, index: PartitionIndex) -> Option<PartitionHandle> {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(&(topic, index))
    }

    /// What is to be written down of all logs, by log directory.
    pub fn checkpoints(&self) -> BTreeMap<PathBuf, Vec<Checkpoint>> {
        let mut by_dir: BTreeMap<PathBuf, Vec<Checkpoint>> = BTreeMap::new();
        for handle in self.partitions() {
            let dir = handle.shared.reader().dir();
            let parent = dir.parent().map(Path::to_owned).unwrap_or_default();
            by_dir.entry(parent).or_default().push(handle.shared.checkpoint());
        }
        by_dir
    }

    /// All partitions hosted at the moment.
    pub fn partitions(&self) -> Vec<PartitionHandle> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl PartitionHandle {
    /// Compares the epoch that a client believes in with the leader's.
    ///
    /// # Errors
    /// 74 when the client's is older, 75 when it is newer.
    pub fn check_leader_epoch(&self, claimed: LeaderEpoch) -> Result<(), ErrorCode> {
        let own = self.shared.leader_epoch();
        match claimed {
            LeaderEpoch::NONE => Ok(()),
            claimed if claimed < own => Err(ErrorCode::FENCED_LEADER_EPOCH),
            claimed if claimed > own => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }
}
