//! Broker registration (62), heartbeats (63), and fencing.
//!
//! ```text
//!  registered, FENCED ──caught up──► UNFENCED ──wants to stop──► CONTROLLED_SHUTDOWN ──leads nothing──► may stop, FENCED
//!          ▲                            │
//!          └── silent for too long, or a new incarnation ◄┘
//! ```
//! State and epoch are in the log; when a broker was last heard, and how far it has read, are not: after an election every
//! broker gets a whole session to be heard again.

use std::collections::BTreeSet;

use base::error_code::ErrorCode;
use base::ids::{BrokerEpoch, DirectoryId, NodeId, Offset};
use base::refusal::Refusal;
use protocol::messages::broker_heartbeat_request::BrokerHeartbeatRequest;
use protocol::messages::broker_heartbeat_response::BrokerHeartbeatResponse;
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use protocol::metadata_record::MetadataRecord;
use protocol::records::broker_registration_change_record::BrokerRegistrationChangeRecord;
use protocol::records::register_broker_record::{BrokerEndpoint, BrokerFeature, RegisterBrokerRecord};

use super::election::{Change, Defaults, elect, leads_any};
use super::sessions::Sessions;
use crate::image::{Broker, Image, METADATA_VERSION, SupportedVersions};
use crate::state::State;
use crate::version::level;

/// What decisions on brokers look at.
pub(crate) struct Brokers<'a> {
    pub(crate) state: &'a State,
    /// The offset that the first record will get.
    pub(crate) next_offset: Offset,
    pub(crate) defaults: Defaults,
}

/// What a heartbeat leads to.
pub(crate) struct Heartbeat {
    pub(crate) records: Vec<MetadataRecord>,
    pub(crate) response: BrokerHeartbeatResponse,
}

/// What a broker is, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerState {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

impl Brokers<'_> {
    fn image(&self) -> &Image {
        self.state.image()
    }

    /// Registers a broker; gives the records and its epoch.
    pub(crate) fn register(
        &self,
        request: &BrokerRegistrationRequest,
        sessions: &Sessions,
    ) -> Result<(Vec<MetadataRecord>, BrokerEpoch), Refusal> {
        let id = NodeId(request.broker_id);
        let known = self.image().broker(id);
        self.check_registration(request, known, sessions)?;
        let same = known.filter(|known| known.incarnation_id == request.incarnation_id);
        let mut records = Vec::new();
        let (epoch, fenced, shutting_down) = match same {
            Some(known) => (known.epoch, known.fenced, known.in_controlled_shutdown),
            None => {
                let is_clean = known.is_none_or(|known| known.epoch.0 == request.previous_broker_epoch);
                let has_elr = self.metadata_version() >= level::ELIGIBLE_LEADER_REPLICAS;
                let change = if is_clean || !has_elr { Change::leaving(id) } else { Change::unclean(id) };
                records = elect(self.image(), change, self.defaults);
                (BrokerEpoch(self.next_offset.0), true, false)
            }
        };
        let record = self.registration(request, epoch);
        let record = RegisterBrokerRecord { fenced, in_controlled_shutdown: shutting_down, ..record };
        records.push(MetadataRecord::RegisterBroker(record));
        Ok((records, epoch))
    }

    fn check_registration(
        &self,
        request: &BrokerRegistrationRequest,
        known: Option<&Broker>,
        sessions: &Sessions,
    ) -> Result<(), Refusal> {
        let ours = self.image().cluster_id();
        if request.cluster_id != ours {
            let message = format!("Expected cluster ID {ours}, but got cluster ID {}", request.cluster_id);
            return Err(Refusal::new(ErrorCode::INCONSISTENT_CLUSTER_ID, message));
        }
        if let Some(known) = known
            && known.incarnation_id != request.incarnation_id
            && sessions.is_valid(known.id, known.epoch)
        {
            return Err(Refusal::new(
                ErrorCode::DUPLICATE_BROKER_REGISTRATION,
                "Another broker is registered with that broker id. If the broker was recently restarted this should \
                 self-resolve once the heartbeat manager expires the broker's session.",
            ));
        }
        if request.is_migrating_zk_broker {
            let message = "Controller does not support registering ZK brokers.";
            return Err(Refusal::new(ErrorCode::BROKER_ID_NOT_REGISTERED, message));
        }
        if self.metadata_version() >= level::DIRECTORY_ASSIGNMENT {
            self.check_directories(request)?;
        }
        self.check_features(request)
    }

    fn check_directories(&self, request: &BrokerRegistrationRequest) -> Result<(), Refusal> {
        let invalid = |message: String| Err(Refusal::new(ErrorCode::INVALID_REGISTRATION, message));
        let directories: Vec<_> = request.log_dirs.iter().map(|id| DirectoryId(*id)).collect();
        if directories.is_empty() {
            return invalid("No directories specified in request".to_owned());
        }
        if directories.iter().any(|directory| directory.0.is_reserved()) {
            return invalid("Reserved directory ID in request".to_owned());
        }
        if directories.iter().collect::<BTreeSet<_>>().len() != directories.len() {
            return invalid("Duplicate directory ID in request".to_owned());
        }
        for directory in directories {
            match self.image().directory_owner(directory) {
                Some(owner) if owner.0 != request.broker_id => {
                    return invalid(format!(
                        "Broker {owner} is already registered with directory {directory}"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_features(&self, request: &BrokerRegistrationRequest) -> Result<(), Refusal> {
        if !request.features.iter().any(|feature| feature.name == METADATA_VERSION) {
            let message = "Request features do not contain 'metadata.version'";
            return Err(Refusal::new(ErrorCode::INVALID_REGISTRATION, message));
        }
        for (name, level) in self.image().finalized_features() {
            let feature = request.features.iter().find(|feature| *feature.name == *name);
            let range = feature.map_or(SupportedVersions { min: 0, max: 0 }, |feature| SupportedVersions {
                min: feature.min_supported_version,
                max: feature.max_supported_version,
            });
            if !range.contains(level) {
                let message = format!(
                    "Unable to register because the broker does not support finalized version {level} of {name}. The \
                     broker wants a version between {} and {}, inclusive.",
                    range.min, range.max
                );
                return Err(Refusal::new(ErrorCode::UNSUPPORTED_VERSION, message));
            }
        }
        Ok(())
    }

    fn registration(&self, request: &BrokerRegistrationRequest, epoch: BrokerEpoch) -> RegisterBrokerRecord {
        let endpoints = request.listeners.iter().map(|listener| BrokerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..Default::default()
        });
        let features = request.features.iter().map(|feature| BrokerFeature {
            name: feature.name.clone(),
            min_supported_version: feature.min_supported_version,
            max_supported_version: feature.max_supported_version,
            ..Default::default()
        });
        let with_directories = self.metadata_version() >= level::DIRECTORY_ASSIGNMENT;
        RegisterBrokerRecord {
            broker_id: request.broker_id,
            incarnation_id: request.incarnation_id,
            broker_epoch: epoch.0,
            end_points: endpoints.collect(),
            features: features.collect(),
            rack: request.rack.clone(),
            log_dirs: if with_directories { request.log_dirs.clone() } else { Vec::new() },
            ..Default::default()
        }
    }

    /// The broker, if the epoch is that of its present incarnation.
    pub(crate) fn check_epoch(&self, id: NodeId, epoch: BrokerEpoch) -> Result<&Broker, Refusal> {
        let stale = |message: String| Refusal::new(ErrorCode::STALE_BROKER_EPOCH, message);
        let broker = self.image().broker(id);
        let broker =
            broker.ok_or_else(|| stale(format!("No broker registration found for broker id {id}")))?;
        if broker.epoch != epoch {
            return Err(stale(format!(
                "Expected broker epoch {}, but got broker epoch {epoch}",
                broker.epoch
            )));
        }
        Ok(broker)
    }

    /// Decides on a heartbeat.
    pub(crate) fn heartbeat(
        &self,
        request: &BrokerHeartbeatRequest,
        sessions: &mut Sessions,
    ) -> Result<Heartbeat, Refusal> {
        let id = NodeId(request.broker_id);
        let broker = self.check_epoch(id, BrokerEpoch(request.broker_epoch))?;
        let registered = self.state.registration_offset(id).unwrap_or(Offset::ZERO);
        let is_caught_up = request.current_metadata_offset >= registered.0;
        let next = self.next_state(broker, request, is_caught_up, sessions);
        let mut records =
            if next == BrokerState::of(broker) { Vec::new() } else { self.transition(broker, next) };
        let fenced = matches!(next, BrokerState::Fenced | BrokerState::ShutdownNow);
        sessions.touch(
            id,
            fenced,
            next == BrokerState::ControlledShutdown,
            Offset(request.current_metadata_offset),
        );
        self.change_directories(broker, request, &mut records);
        if next == BrokerState::ControlledShutdown {
            sessions.set_controlled_shutdown_offset(id, self.next_offset.plus(records.len() as i64 - 1));
        }
        let response = BrokerHeartbeatResponse {
            is_caught_up,
            is_fenced: fenced,
            should_shut_down: next == BrokerState::ShutdownNow,
            ..Default::default()
        };
        Ok(Heartbeat { records, response })
    }

    fn next_state(
        &self,
        broker: &Broker,
        request: &BrokerHeartbeatRequest,
        is_caught_up: bool,
        sessions: &Sessions,
    ) -> BrokerState {
        match BrokerState::of(broker) {
            BrokerState::Fenced if request.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Fenced if !request.want_fence && is_caught_up => BrokerState::Unfenced,
            BrokerState::Fenced => BrokerState::Fenced,
            BrokerState::Unfenced if request.want_fence && request.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Unfenced if request.want_fence => BrokerState::Fenced,
            BrokerState::Unfenced if request.want_shut_down => BrokerState::ControlledShutdown,
            BrokerState::Unfenced => BrokerState::Unfenced,
            // The others must know of the new leaders before this broker stops to answer.
            _ if leads_any(self.image(), broker.id) => BrokerState::ControlledShutdown,
            _ if sessions.others_have_seen_shutdown(broker.id) => BrokerState::ShutdownNow,
            _ => BrokerState::ControlledShutdown,
        }
    }

    fn transition(&self, broker: &Broker, next: BrokerState) -> Vec<MetadataRecord> {
        let change = |fenced: i8, in_controlled_shutdown: i8| {
            MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                fenced,
                in_controlled_shutdown,
                ..self.change_of(broker)
            })
        };
        match next {
            BrokerState::Fenced | BrokerState::ShutdownNow => self.fence(broker),
            BrokerState::Unfenced => {
                let mut records = vec![change(-1, 0)];
                records.extend(elect(self.image(), Change::joining(broker.id), self.defaults));
                records
            }
            BrokerState::ControlledShutdown => {
                let mut records = vec![change(0, 1)];
                records.extend(elect(self.image(), Change::leaving(broker.id), self.defaults));
                records
            }
        }
    }

    /// The records that fence a broker: it leads nothing and is in no ISR that has others.
    pub(crate) fn fence(&self, broker: &Broker) -> Vec<MetadataRecord> {
        let mut records = elect(self.image(), Change::leaving(broker.id), self.defaults);
        let change = BrokerRegistrationChangeRecord { fenced: 1, ..self.change_of(broker) };
        records.push(MetadataRecord::BrokerRegistrationChange(change));
        records
    }

    fn change_directories(
        &self,
        broker: &Broker,
        request: &BrokerHeartbeatRequest,
        records: &mut Vec<MetadataRecord>,
    ) {
        let metadata_version = self.metadata_version();
        if metadata_version >= level::DIRECTORY_ASSIGNMENT {
            let is_lost = |directory: &DirectoryId| request.offline_log_dirs.contains(&directory.0);
            let lost: Vec<_> = broker.directories.iter().copied().filter(is_lost).collect();
            for directory in &lost {
                let change = Change::lost(broker.id, *directory);
                records.extend(elect(self.image(), change, self.defaults));
            }
            if !lost.is_empty() {
                let online = broker.directories.iter().filter(|directory| !is_lost(directory));
                records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                    log_dirs: online.map(|directory| directory.0).collect(),
                    ..self.change_of(broker)
                }));
            }
        }
        let Some(cordoned) = &request.cordoned_log_dirs else { return };
        let mut sorted: Vec<_> = cordoned.iter().map(|id| DirectoryId(*id)).collect();
        sorted.sort_unstable();
        if metadata_version >= level::CORDONED_LOG_DIRS
            && broker.cordoned_directories.as_ref() != Some(&sorted)
        {
            records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                cordoned_log_dirs: Some(cordoned.clone()),
                ..self.change_of(broker)
            }));
        }
    }

    fn change_of(&self, broker: &Broker) -> BrokerRegistrationChangeRecord {
        BrokerRegistrationChangeRecord {
            broker_id: broker.id.0,
            broker_epoch: broker.epoch.0,
            ..Default::default()
        }
    }

    fn metadata_version(&self) -> i16 {
        self.image().feature(METADATA_VERSION)
    }
}

impl BrokerState {
    fn of(broker: &Broker) -> Self {
        match (broker.fenced, broker.in_controlled_shutdown) {
            (true, _) => Self::Fenced,
            (false, true) => Self::ControlledShutdown,
            (false, false) => Self::Unfenced,
        }
    }
}
