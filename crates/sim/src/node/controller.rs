//! The controller of a node, and this node's own requests to it: what the roof's controller thread does, call by call.
//!
//! Unlike there a sync of the metadata log may take its time while further requests come in: the controller's contract
//! allows it, so it must hold.

use std::collections::HashMap;
use std::sync::Arc;

use base::error_code::ErrorCode;
use base::ids::BrokerEpoch;
use base::time::{MonoTime, Now};
use broker::broker::Broker;
use broker::controller::{Answer, ControllerHandle, OnReply};
use broker::hosting::Hosting;
use metadata::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use metadata::node::{ControllerNode, NodeEffect};
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use storage::sync::SyncJob;

use super::Flag;

const REGISTRATION: u64 = 0;
const HEARTBEAT: u64 = 1;
const FIRST_SUBMITTED: u64 = 2;

/// Both are so often that every run meets them.
const MAINTENANCE_MS: i64 = 200;
const CHECKPOINT_MS: i64 = 150;

/// The controller and what follows it.
pub(super) struct Controller {
    pub(super) node: ControllerNode,
    pub(super) hosting: Hosting,
    broker: Arc<Broker>,
    handle: Arc<ControllerHandle>,
    woken: Flag,
    sync: Option<SyncJob>,
    waiting: HashMap<u64, OnReply>,
    next_id: u64,
    epoch: Option<BrokerEpoch>,
    serving: bool,
    next_heartbeat: Option<MonoTime>,
    next_maintenance: MonoTime,
    next_checkpoint: MonoTime,
    heartbeat_ms: i64,
}

impl Controller {
    pub(super) fn new(
        mut node: ControllerNode,
        hosting: Hosting,
        broker: Arc<Broker>,
        (handle, woken): (Arc<ControllerHandle>, Flag),
        registration: BrokerRegistrationRequest,
        now: Now,
    ) -> Self {
        node.submit(ControllerRequest::internal(ControllerVerb::RegisterBroker(registration)), REGISTRATION);
        woken.set();
        let config = broker.config();
        let heartbeat_ms = i64::from(config.broker_heartbeat_interval_ms);
        Self {
            node,
            hosting,
            broker,
            handle,
            woken,
            sync: None,
            waiting: HashMap::new(),
            next_id: FIRST_SUBMITTED,
            epoch: None,
            serving: false,
            next_heartbeat: None,
            next_maintenance: now.mono.plus_ms(MAINTENANCE_MS),
            next_checkpoint: now.mono.plus_ms(CHECKPOINT_MS),
            heartbeat_ms,
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        self.serving
    }

    /// The broker's epoch, once it is registered.
    pub(super) fn epoch(&self) -> BrokerEpoch {
        self.epoch.unwrap_or_default()
    }

    pub(super) fn is_busy(&self, now: Now) -> bool {
        self.woken.is_set() || self.next_timeout().is_some_and(|at| at <= now.mono)
    }

    pub(super) fn has_sync(&self) -> bool {
        self.sync.is_some()
    }

    pub(super) fn next_timeout(&self) -> Option<MonoTime> {
        // While the metadata log waits for its sync nothing can be decided about it.
        let timers = [self.node.next_timeout(), self.next_heartbeat, self.hosting.next_timeout()];
        let own = self.next_maintenance.min(self.next_checkpoint);
        Some(timers.into_iter().flatten().fold(own, MonoTime::min))
    }

    /// Whether the checkpoints of the log directories are to be written now.
    pub(super) fn checkpoint_due(&mut self, now: Now) -> bool {
        let due = self.next_checkpoint <= now.mono;
        if due {
            self.next_checkpoint = now.mono.plus_ms(CHECKPOINT_MS);
        }
        due && !self.hosting.has_unclaimed()
    }

    /// Whether the checkpoints must forget logs before the controller runs again.
    pub(super) fn take_forgotten(&mut self) -> bool {
        self.hosting.take_forgotten()
    }

    pub(super) fn run(&mut self, now: Now) -> Result<(), String> {
        self.woken.take();
        self.on_timers(now)?;
        for submission in self.handle.drain() {
            self.waiting.insert(self.next_id, submission.on_reply);
            self.node.submit(submission.request, self.next_id);
            self.next_id += 1;
        }
        let mut effects = Vec::new();
        self.node.run(now, &mut effects).map_err(|error| error.to_string())?;
        for effect in effects {
            match effect {
                NodeEffect::Publish { image, delta } => self.hosting.publish(image, &delta, now),
                NodeEffect::Reply { id, response } => self.on_reply(id, response, now),
                NodeEffect::Sync(job) => {
                    let second = self.sync.replace(job);
                    assert!(second.is_none(), "there is never a second sync under way");
                }
            }
        }
        Ok(())
    }

    pub(super) fn run_sync(&mut self, now: Now) -> Result<(), String> {
        let Some(job) = self.sync.take() else { return Ok(()) };
        self.woken.set();
        self.node.synced(job.run(), now).map_err(|error| error.to_string())
    }

    /// A sync that was asked for is done before the metadata log is closed.
    pub(super) fn finish(&mut self, now: Now) -> Result<(), String> {
        self.run_sync(now)
    }

    fn on_reply(&mut self, id: u64, answer: Answer, now: Now) {
        match (id, answer) {
            (REGISTRATION, Ok(ControllerReply::RegisterBroker(response))) => {
                assert_eq!(response.error_code, ErrorCode::NONE, "a node registers with itself");
                let epoch = BrokerEpoch(response.broker_epoch);
                self.epoch = Some(epoch);
                self.broker.producer_ids().set_epoch(epoch);
                self.next_heartbeat = Some(now.mono);
            }
            (HEARTBEAT, Ok(ControllerReply::Heartbeat(response))) => {
                let wait_ms = if response.is_fenced { 10 } else { self.heartbeat_ms };
                self.next_heartbeat = Some(now.mono.plus_ms(wait_ms));
                self.serving |= !response.is_fenced;
            }
            (REGISTRATION | HEARTBEAT, _) => {
                self.next_heartbeat = self.epoch.map(|_| now.mono.plus_ms(self.heartbeat_ms));
            }
            (id, answer) => {
                let on_reply = self.waiting.remove(&id).expect("each request is answered once");
                on_reply(answer);
            }
        }
    }

    fn on_timers(&mut self, now: Now) -> Result<(), String> {
        if let (Some(epoch), Some(at)) = (self.epoch, self.next_heartbeat)
            && (at <= now.mono || self.broker.has_news_for_controller())
        {
            self.next_heartbeat = None;
            let heartbeat = self.broker.heartbeat(epoch);
            self.node.submit(ControllerRequest::internal(ControllerVerb::Heartbeat(heartbeat)), HEARTBEAT);
        }
        if self.next_maintenance <= now.mono {
            self.next_maintenance = now.mono.plus_ms(MAINTENANCE_MS);
            self.hosting.maintain();
        }
        self.hosting.run(now)
    }
}
