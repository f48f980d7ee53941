//! The thread that drives the controller and makes its decisions real.
//!
//! ```text
//!  ControllerHandle ─► submit ─► run ─► Publish ─► Hosting ─► the broker's image
//!                                 │  └► Reply ─► the request's connection
//!                                 └──► Sync: done here, since nothing else may happen before it
//! ```
//! A failure of the metadata log ends the process: nobody could say what the cluster looks like.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use base::ids::BrokerEpoch;
use base::time::{MonoTime, Now};
use broker::broker::Broker;
use broker::controller::{Answer, ControllerHandle, OnReply};
use broker::hosting::Hosting;
use broker::log_dirs::LogDirs;
use metadata::controller::{ControllerReply, ControllerRequest, ControllerVerb};
use metadata::features;
use metadata::image::Image;
use metadata::node::{ControllerNode, NodeEffect};
use net::clock::SystemClock;
use protocol::messages::broker_registration_request::BrokerRegistrationRequest;
use tokio::sync::oneshot;

use super::threads::Parking;

/// A request of this node itself, kept apart from those of clients.
const REGISTRATION: u64 = 0;
const HEARTBEAT: u64 = 1;
const FIRST_SUBMITTED: u64 = 2;

/// What the thread needs.
pub struct ControllerThread {
    /// The controller.
    pub node: ControllerNode,
    /// Where requests come from.
    pub handle: Arc<ControllerHandle>,
    /// Where the thread parks.
    pub parking: Parking,
    /// The logs that follow the metadata.
    pub hosting: Hosting,
    /// The broker of this node.
    pub broker: Arc<Broker>,
    /// How the broker registers, but for its features: those follow the cluster's.
    pub registration: BrokerRegistrationRequest,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_ms: i64,
    /// `log.retention.check.interval.ms`, and the first check after `log.initial.task.delay.ms`.
    pub retention_check_ms: (i64, i64),
    /// The directories whose checkpoints are written now and then.
    pub dirs: Arc<LogDirs>,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub checkpoint_ms: i64,
    /// The clocks.
    pub clock: SystemClock,
}

/// The running thread.
pub struct RunningController {
    stop: Arc<AtomicBool>,
    parking: Parking,
    thread: JoinHandle<Hosting>,
}

impl RunningController {
    /// Ends the thread and closes the metadata log; the logs of the broker are still to be closed.
    pub fn stop(self) -> Hosting {
        self.stop.store(true, Ordering::Release);
        self.parking.waker().wake();
        self.thread.join().unwrap_or_else(|_| std::process::abort())
    }
}

impl ControllerThread {
    /// Starts the thread. `serving` is told when the broker is registered and not fenced.
    ///
    /// # Errors
    /// The operating system gives no more threads.
    pub fn start(self, serving: oneshot::Sender<BrokerEpoch>) -> io::Result<RunningController> {
        let stop = Arc::new(AtomicBool::new(false));
        let parking = self.parking.clone();
        let stopping = stop.clone();
        let run = move || Driver::new(self, serving).run(&stopping);
        let thread = std::thread::Builder::new().name("controller".to_owned()).spawn(run)?;
        Ok(RunningController { stop, parking, thread })
    }
}

struct Driver {
    parts: ControllerThread,
    waiting: HashMap<u64, OnReply>,
    next_id: u64,
    is_registering: bool,
    epoch: Option<BrokerEpoch>,
    serving: Option<oneshot::Sender<BrokerEpoch>>,
    next_heartbeat: Option<MonoTime>,
    next_maintenance: MonoTime,
    next_checkpoint: MonoTime,
}

impl Driver {
    fn new(parts: ControllerThread, serving: oneshot::Sender<BrokerEpoch>) -> Self {
        let next_maintenance = parts.clock.now().mono.plus_ms(parts.retention_check_ms.1);
        let next_checkpoint = parts.clock.now().mono.plus_ms(parts.checkpoint_ms);
        Self {
            parts,
            waiting: HashMap::new(),
            next_id: FIRST_SUBMITTED,
            is_registering: false,
            epoch: None,
            serving: Some(serving),
            next_heartbeat: None,
            next_maintenance,
            next_checkpoint,
        }
    }

    fn run(mut self, stop: &AtomicBool) -> Hosting {
        self.parts.parking.take_place();
        while !stop.load(Ordering::Acquire) {
            let now = self.parts.clock.now();
            self.on_timers(now);
            for submission in self.parts.handle.drain() {
                self.waiting.insert(self.next_id, submission.on_reply);
                self.parts.node.submit(submission.request, self.next_id);
                self.next_id += 1;
            }
            if !self.run_node(now) {
                let until = self.next_timeout().since(self.parts.clock.now().mono);
                self.parts.parking.park(Some(until));
            }
        }
        let now = self.parts.clock.now();
        halt_on_error(self.parts.node.close(now));
        self.parts.hosting
    }

    /// Lets the controller run; true when a sync, or the registration, made it worth to run again.
    fn run_node(&mut self, now: Now) -> bool {
        let mut effects = Vec::new();
        halt_on_error(self.parts.node.run(now, &mut effects));
        let mut go_on = false;
        for effect in effects {
            match effect {
                NodeEffect::Publish { image, delta } => {
                    go_on |= self.register(&image);
                    self.parts.hosting.publish(image, &delta, now);
                    if self.parts.hosting.take_forgotten() {
                        self.parts.dirs.write_checkpoints(&self.parts.broker);
                    }
                }
                NodeEffect::Reply { id, response } => self.on_reply(id, response, now),
                NodeEffect::Sync(job) => {
                    let result = job.run();
                    halt_on_error(self.parts.node.synced(result, self.parts.clock.now()));
                    go_on = true;
                }
            }
        }
        go_on
    }

    /// Asks the controller to take this broker in, once what the cluster has finalized is known; true when it did so now.
    fn register(&mut self, image: &Image) -> bool {
        if std::mem::replace(&mut self.is_registering, true) {
            return false;
        }
        let unbuilt = features::unbuilt(image);
        for feature in &unbuilt {
            let (name, level) = (feature.name, feature.max);
            tracing::warn!(
                "the cluster has {name} at level {level}, which is not built: its data stays, its requests are refused"
            );
        }
        let features = features::registered(&unbuilt);
        let registration = BrokerRegistrationRequest { features, ..self.parts.registration.clone() };
        self.submit_own(REGISTRATION, ControllerVerb::RegisterBroker(registration));
        true
    }

    fn on_reply(&mut self, id: u64, answer: Answer, now: Now) {
        match (id, answer) {
            (REGISTRATION, Ok(ControllerReply::RegisterBroker(response))) => {
                if response.error_code != base::error_code::ErrorCode::NONE {
                    tracing::error!(error = %response.error_code, "the controller refused to register this broker");
                    std::process::exit(1);
                }
                let epoch = BrokerEpoch(response.broker_epoch);
                self.epoch = Some(epoch);
                self.parts.broker.producer_ids().set_epoch(epoch);
                self.next_heartbeat = Some(now.mono);
            }
            (HEARTBEAT, Ok(ControllerReply::Heartbeat(response))) => {
                // A fenced broker asks again soon: it is let in once it has seen its own registration.
                let wait_ms = if response.is_fenced { 10 } else { self.parts.heartbeat_ms };
                self.next_heartbeat = Some(now.mono.plus_ms(wait_ms));
                if let Some(epoch) = self.epoch.filter(|_| !response.is_fenced)
                    && let Some(serving) = self.serving.take()
                {
                    // Nobody listens when the node is stopping already.
                    let _ = serving.send(epoch);
                }
            }
            (REGISTRATION | HEARTBEAT, answer) => {
                tracing::warn!(?answer, "the controller did not answer this broker");
                self.next_heartbeat = self.epoch.map(|_| now.mono.plus_ms(self.parts.heartbeat_ms));
            }
            (id, answer) => {
                if let Some(on_reply) = self.waiting.remove(&id) {
                    on_reply(answer);
                }
            }
        }
    }

    fn on_timers(&mut self, now: Now) {
        if let (Some(epoch), Some(at)) = (self.epoch, self.next_heartbeat)
            && (at <= now.mono || self.parts.broker.has_news_for_controller())
        {
            self.next_heartbeat = None;
            let heartbeat = self.parts.broker.heartbeat(epoch);
            self.submit_own(HEARTBEAT, ControllerVerb::Heartbeat(heartbeat));
        }
        if self.next_maintenance <= now.mono {
            self.next_maintenance = now.mono.plus_ms(self.parts.retention_check_ms.0);
            self.parts.hosting.maintain();
        }
        if self.next_checkpoint <= now.mono {
            self.next_checkpoint = now.mono.plus_ms(self.parts.checkpoint_ms);
            if !self.parts.hosting.has_unclaimed() {
                self.parts.dirs.write_checkpoints(&self.parts.broker);
            }
        }
        if let Err(sentence) = self.parts.hosting.run(now) {
            tracing::error!("{sentence}");
            std::process::exit(1);
        }
    }

    fn next_timeout(&self) -> MonoTime {
        let timers = [self.parts.node.next_timeout(), self.next_heartbeat, self.parts.hosting.next_timeout()];
        let soonest = self.next_maintenance.min(self.next_checkpoint);
        timers.into_iter().flatten().fold(soonest, MonoTime::min)
    }

    fn submit_own(&mut self, id: u64, verb: ControllerVerb) {
        self.parts.node.submit(ControllerRequest::internal(verb), id);
    }
}

fn halt_on_error<T>(result: Result<T, metadata::error::Error>) -> T {
    result.unwrap_or_else(|error| {
        tracing::error!(%error, "the metadata log failed; the node halts");
        std::process::exit(1)
    })
}
